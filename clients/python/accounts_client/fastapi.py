"""Dependencies for FastAPI: the user, scopes, and roles in groups."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Annotated, TypeVar

from fastapi import Depends, HTTPException, Path
from fastapi.openapi.models import OAuth2, OAuthFlowPassword, OAuthFlows
from fastapi.requests import HTTPConnection
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase

from accounts_client.errors import GroupsUnknown, InvalidToken, IssuerUnavailable
from accounts_client.tokens import AccessToken, Role, has_role
from accounts_client.verifier import Verifier

T = TypeVar("T")
Dependency = Callable[..., Awaitable[AccessToken]]
RETRY_AFTER = "5"  # seconds
SCOPES = {"groups": "The user's groups and roles, in the token."}


class Accounts(SecurityBase):
    """The dependency that verifies the request's access token; others are its attributes.

    ``Security(accounts, scopes=["groups:read"])`` requires scopes as well. Responses are 401 without a valid token, 403
    without a scope or role, and 503 while the issuer cannot be asked; ``detail`` is a stable code.

    Attributes:
        live: the same, but asks the issuer, so that a user who has signed out is refused at once.

    """

    def __init__(self, verifier: Verifier) -> None:
        self.verifier = verifier
        self.scheme_name = "accounts"
        flow = OAuthFlowPassword(tokenUrl=f"{verifier.issuer}/auth/jwt/login", scopes=SCOPES)
        self.model = OAuth2(flows=OAuthFlows(password=flow))
        self.live = self._live()

    async def __call__(self, request: HTTPConnection, required: SecurityScopes) -> AccessToken:
        """Return the verified token of a request."""
        scheme, _, sent = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise _refusal(HTTPStatus.UNAUTHORIZED, "UNAUTHORIZED", "Bearer")
        token = await _answer(self.verifier.verify(sent.strip()))
        if not all(map(token.has_scope, required.scopes)):
            raise _insufficient_scope(required.scope_str)
        return token

    def group(self, role: Role, *, live: bool = False) -> Dependency:
        """Return a dependency that requires at least ``role`` in the group of the path parameter ``group_id``.

        Args:
            live: ask the issuer also if the token says the role, which may have changed since, or the session ended.

        """

        async def member(group_id: Annotated[int, Path()], token: Annotated[AccessToken, Depends(self)]) -> AccessToken:
            await self.require(token, group_id, role, live=live)
            return token

        return member

    def level(self, least: int) -> Dependency:
        """Return a dependency that requires an assurance level; 2 is that of sessions with a second factor.

        The response is 403 with the challenge of RFC 9470, as the issuer's own: clients answer 401 with a refresh. They
        prove a second factor to the issuer (``POST /auth/elevate``), and refresh the token then.
        """

        async def assured(token: Annotated[AccessToken, Depends(self)]) -> AccessToken:
            if token.level < least:
                challenge = f'Bearer error="insufficient_user_authentication", acr_values="aal{least}"'
                raise _refusal(HTTPStatus.FORBIDDEN, "ASSURANCE_REQUIRED", challenge)
            return token

        return assured

    async def require(self, token: AccessToken, group_id: int, role: Role, *, live: bool = False) -> None:
        """Raise an HTTPException unless the user has at least ``role`` in a group."""
        try:
            found = await _answer(self.verifier.role(token, group_id, live=live))
        except GroupsUnknown:
            raise _insufficient_scope("groups") from None
        if not has_role(found, role):
            raise _refusal(HTTPStatus.FORBIDDEN, "INSUFFICIENT_ROLE")

    def _live(self) -> Dependency:
        async def live(token: Annotated[AccessToken, Depends(self)]) -> AccessToken:
            await _answer(self.verifier.ensure_live(token))
            return token

        return live


async def _answer(call: Awaitable[T]) -> T:
    """Await a call of the verifier, and turn its errors into responses."""
    try:
        return await call
    except InvalidToken:
        challenge = 'Bearer error="invalid_token"'  # RFC 6750, 3.1
        raise _refusal(HTTPStatus.UNAUTHORIZED, "UNAUTHORIZED", challenge) from None
    except IssuerUnavailable:
        headers = {"Retry-After": RETRY_AFTER}
        raise HTTPException(HTTPStatus.SERVICE_UNAVAILABLE, "ACCOUNTS_UNAVAILABLE", headers) from None


def _insufficient_scope(scope: str) -> HTTPException:
    challenge = f'Bearer error="insufficient_scope", scope="{scope}"'
    return _refusal(HTTPStatus.FORBIDDEN, "INSUFFICIENT_SCOPE", challenge)


def _refusal(status: HTTPStatus, code: str, challenge: str = "") -> HTTPException:
    return HTTPException(status, code, {"WWW-Authenticate": challenge} if challenge else None)
