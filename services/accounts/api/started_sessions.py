"""Starts the session of a user who was authenticated without the password, or with more than it: by tokens or a cookie.

The failed sign-ins for the user's email are reset with it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Annotated

from fastapi import Depends, Request, Response

from accounts.api.authentication import BearerStrategyDep, CookieStrategyDep
from accounts.api.rate_limits import ResetAttemptsDep
from accounts.api.routes.identity.auth import token_response
from accounts.domain.sessions.assurance import Assurance
from accounts.models import Scope, User
from accounts.schemas.identity.auth import TokenRead

StartTokens = Callable[[User, Assurance, Sequence[Scope]], Awaitable[TokenRead]]
StartCookie = Callable[[User, Assurance], Awaitable[Response]]


async def get_start_tokens(
    strategy: BearerStrategyDep, reset_attempts: ResetAttemptsDep, request: Request, response: Response
) -> StartTokens:
    """Return a function that starts a session and returns its tokens."""

    async def start(user: User, assurance: Assurance, scopes: Sequence[Scope]) -> TokenRead:
        started = await strategy.start(user, assurance, scopes)
        await reset_attempts(user.email)
        return await token_response(request, response, strategy.db, *started)

    return start


async def get_start_cookie(strategy: CookieStrategyDep, reset_attempts: ResetAttemptsDep) -> StartCookie:
    """Return a function that starts a session and returns a response with its cookie."""

    async def start(user: User, assurance: Assurance) -> Response:
        response = await strategy.sign_in(user, assurance)
        await reset_attempts(user.email)
        return response

    return start


StartTokensDep = Annotated[StartTokens, Depends(get_start_tokens)]
StartCookieDep = Annotated[StartCookie, Depends(get_start_cookie)]
