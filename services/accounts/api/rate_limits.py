"""Attempts are counted before anything else is done about them: a dependency for each route that can be abused."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Form, Request, Response
from fastapi.params import Depends as Dependency

from accounts.api.dependencies import DbDep
from accounts.api.problems import rate_limit
from accounts.domain import errors
from accounts.domain.rate_limits import rules
from accounts.domain.rate_limits.rules import Attempt
from accounts.models import User
from accounts.schemas.identity.auth import EmailInput, LoginForm
from accounts.schemas.identity.users import RegistrationCreate

THROTTLED = (errors.TooManyAttempts,)


async def _count(request: Request, response: Response, attempt: Attempt, address: str = "") -> None:
    allowance = await rules.check_rate_limit(
        request.state.connect, attempt, _client(request), address, scale=request.state.settings.throttle_scale
    )
    limit, left = allowance.limit, allowance.remaining
    response.headers.update(rate_limit(limit.attempts, limit.seconds, remaining=left, seconds=allowance.reset_seconds))


def _client(request: Request) -> str:
    return request.client.host if request.client else ""


def limit_by_client(attempt: Attempt) -> Dependency:
    """Limit how often a client tries something."""

    async def count(request: Request, response: Response) -> None:
        await _count(request, response, attempt)

    return _depends(count)


def limit_by_email(attempt: Attempt) -> Dependency:
    """Limit how often a client tries something, and how often it is tried for the address in the body."""

    async def count(request: Request, response: Response, body: EmailInput) -> None:
        await _count(request, response, attempt, body.email)

    return _depends(count)


def limit_by_email_form(attempt: Attempt) -> Dependency:
    """Do as ``by_address`` does, where a form brings the address."""

    async def count(request: Request, response: Response, form: Annotated[EmailInput, Form()]) -> None:
        await _count(request, response, attempt, form.email)

    return _depends(count)


async def _registration(request: Request, response: Response, user_create: RegistrationCreate) -> None:
    await _count(request, response, Attempt.REGISTER, user_create.email)


async def _registration_form(request: Request, response: Response, form: Annotated[RegistrationCreate, Form()]) -> None:
    await _count(request, response, Attempt.REGISTER, form.email)


async def get_login(
    request: Request, response: Response, form: Annotated[LoginForm, Form()], db: DbDep
) -> AsyncIterator[LoginForm]:
    """Count an attempt to sign in before it is looked at; where it succeeds, let its owner start anew."""
    await _count(request, response, Attempt.LOGIN, form.username)
    yield form
    await rules.reset_failed_attempts(db, _client(request), form.username)


ResetAttempts = Callable[[str], Awaitable[None]]


async def get_reset_attempts(request: Request, db: DbDep) -> ResetAttempts:
    """Let whoever has proven an address otherwise than by signing in be as welcome to sign in, once this commits."""

    async def welcome(address: str) -> None:
        await rules.reset_failed_attempts(db, _client(request), address)

    return welcome


CountMail = Callable[[str], Awaitable[None]]


def _counting(attempt: Attempt) -> Dependency:
    """Let a client have mail sent, and an address be sent mail, no more often than is good for mailboxes."""

    async def get_count(request: Request, response: Response, db: DbDep) -> CountMail:
        async def count(address: str) -> None:
            await db.release_connection()
            await _count(request, response, attempt, address)

        return count

    return _depends(get_count)


CountPasswordCheck = Callable[[User, str | None], Awaitable[None]]


async def get_count_password_check(request: Request, response: Response, db: DbDep) -> CountPasswordCheck:
    """Let a user's current password be tried no more often than in signing in."""

    async def count(user: User, password: str | None) -> None:
        if password is not None:
            await db.release_connection()
            await _count(request, response, Attempt.LOGIN, user.email)

    return count


def _depends(count: Callable[..., object]) -> Dependency:
    # Of the function's scope, so that what follows a yield belongs to the request's transaction and fails with it.
    dependency: Dependency = Depends(count, scope="function")
    return dependency


limit_registration = _depends(_registration)
limit_registration_form = _depends(_registration_form)
count_verification = _counting(Attempt.REQUEST_VERIFY)
LoginFormDep = Annotated[LoginForm, _depends(get_login)]
CountInvitationDep = Annotated[CountMail, _counting(Attempt.INVITE)]
CountEmailChangeDep = Annotated[CountMail, _counting(Attempt.CHANGE_EMAIL)]
CountPasswordCheckDep = Annotated[CountPasswordCheck, Depends(get_count_password_check)]
ResetAttemptsDep = Annotated[ResetAttempts, Depends(get_reset_attempts)]
