"""Who is calling: FastAPI Users' transports and strategies, on sessions that can be ended."""

import uuid
from abc import ABC, abstractmethod
from dataclasses import replace
from http import HTTPStatus
from typing import Annotated, override

from fastapi import Depends, HTTPException, Request
from fastapi_users import BaseUserManager, FastAPIUsers
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, CookieTransport, Strategy

from accounts.api.dependencies import DbDep, SessionManagerDep, get_user_manager
from accounts.db.session import RequestContext, Session
from accounts.domain.sessions.access_tokens import Claims
from accounts.domain.sessions.session_token import SessionToken, parse_session_token
from accounts.domain.sessions.sessions import SessionManager
from accounts.models import SessionKind, User, UserSession

# The prefix makes browsers insist on Secure, Path=/ and no Domain (RFC 6265bis, 4.1.3.2).
COOKIE = "__Host-accounts"
COOKIE_SECONDS = 400 * 24 * 60 * 60  # as long as browsers keep any: the session's own limits end it earlier


class SessionStrategy(Strategy[User, uuid.UUID], ABC):
    """Finds the user and the live session that a token names, by one statement, and leaves the session at hand."""

    kind: SessionKind

    def __init__(self, request: Request, db: Session, sessions: SessionManager) -> None:
        self.request = request
        self.db = db
        self.sessions = sessions

    @override
    async def read_token(self, token: str | None, user_manager: BaseUserManager[User, uuid.UUID]) -> User | None:
        found = await self._find(token or "")
        if found is None:
            return None
        user, session = found
        self.request.state.current_session = session
        # For the log: a row that a rollback has expired cannot be read any more.
        self.request.state.claims = Claims(user.id, session.id)
        self.db.context = replace(self.db.context or RequestContext(), actor_id=user.id)
        return user

    @override
    async def write_token(self, user: User) -> str:
        return str(await self.start(user))

    @override
    async def destroy_token(self, token: str, user: User) -> None:
        await self.sessions.end(user, self.request.state.current_session.id)

    async def start(self, user: User) -> SessionToken:
        """Begin a session whose tokens travel this way."""
        return await self.sessions.start(user, self.kind)

    @abstractmethod
    async def _find(self, token: str) -> tuple[User, UserSession] | None:
        """Find whom a token of this kind stands for."""


class BearerStrategy(SessionStrategy):
    """Reads access tokens, which name their session."""

    kind = SessionKind.BEARER

    @override
    async def _find(self, token: str) -> tuple[User, UserSession] | None:
        claims = self.request.state.keys.verify(token)
        return await self.sessions.by_claims(claims) if claims else None


class CookieStrategy(SessionStrategy):
    """Reads cookies, which are opaque."""

    kind = SessionKind.COOKIE

    @override
    async def _find(self, token: str) -> tuple[User, UserSession] | None:
        parsed = parse_session_token(token)
        return await self.sessions.by_cookie(parsed) if parsed else None


async def get_bearer_strategy(request: Request, db: DbDep, sessions: SessionManagerDep) -> BearerStrategy:
    """Make what reads and writes access tokens for one request."""
    return BearerStrategy(request, db, sessions)


async def get_cookie_strategy(request: Request, db: DbDep, sessions: SessionManagerDep) -> CookieStrategy:
    """Make what reads and writes cookies for one request."""
    return CookieStrategy(request, db, sessions)


bearer = AuthenticationBackend("jwt", BearerTransport("auth/jwt/login"), get_bearer_strategy)
cookie = AuthenticationBackend("cookie", CookieTransport(COOKIE, cookie_max_age=COOKIE_SECONDS), get_cookie_strategy)
_users = FastAPIUsers[User, uuid.UUID](get_user_manager, [bearer, cookie])

BearerStrategyDep = Annotated[BearerStrategy, Depends(get_bearer_strategy)]
CookieStrategyDep = Annotated[CookieStrategy, Depends(get_cookie_strategy)]


current_user = _users.current_user(active=True)
CurrentUser = Annotated[User, Depends(current_user)]
Viewer = Annotated[User | None, Depends(_users.current_user(active=True, optional=True))]


async def current_superuser(user: CurrentUser) -> User:
    """Let superusers alone pass, on the user that is found already: asked apart, it would be found a second time."""
    if not user.is_superuser:
        raise HTTPException(HTTPStatus.FORBIDDEN)
    return user


async def get_current_session(request: Request, _: CurrentUser) -> UserSession:
    """Give the session by which this request is authenticated."""
    session: UserSession = request.state.current_session
    return session


CurrentSession = Annotated[UserSession, Depends(get_current_session)]
