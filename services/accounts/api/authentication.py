"""Authentication of requests: FastAPI Users' transports and strategies, on sessions that can be revoked."""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Sequence
from http import HTTPStatus
from typing import Annotated, override

from fastapi import Depends, HTTPException, Request, Response
from fastapi.security import OAuth2PasswordRequestForm
from fastapi_users import BaseUserManager, FastAPIUsers, UUIDIDMixin, exceptions
from fastapi_users.authentication import AuthenticationBackend, BearerTransport, CookieTransport, Strategy
from fastapi_users.password import PasswordHelper
from pydantic import BaseModel

from accounts.api.callers import Credential, admit, find_by_bearer
from accounts.api.dependencies import DbDep, SessionManagerDep, UserManagerDep, count_attempt
from accounts.api.http_methods import SAFE_METHODS
from accounts.api.session_cookie import COOKIE, COOKIE_SECONDS
from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.identity import password_hashing
from accounts.domain.identity.sign_in import SignInManager
from accounts.domain.identity.users import UserManager
from accounts.domain.people import has_superuser_rights
from accounts.domain.rate_limits.rules import Attempt
from accounts.domain.sessions.assurance import BY_PASSWORD, Assurance
from accounts.domain.sessions.session_token import SessionToken, parse_session_token
from accounts.domain.sessions.sessions import SessionManager
from accounts.domain.sessions.token_claims import IssuedSession
from accounts.models import Scope, SessionKind, User, UserSession
from accounts.schemas.identity.users import ManagedUserCreate, SuperuserUpdate, UserCreate, UserUpdate

# What the methods of FastAPI Users' manager raise that are not overridden below.
FASTAPI_USERS_ERRORS: dict[type[Exception], type[errors.Refusal]] = {
    exceptions.InvalidID: errors.UserNotFound,
    exceptions.UserNotExists: errors.UserNotFound,
    exceptions.UserAlreadyExists: errors.RegisterUserAlreadyExists,
    exceptions.UserInactive: errors.UserInactive,
    exceptions.UserAlreadyVerified: errors.VerifyUserAlreadyVerified,
    exceptions.InvalidVerifyToken: errors.VerifyUserBadToken,
    exceptions.InvalidResetPasswordToken: errors.ResetPasswordBadToken,
    exceptions.InvalidPasswordException: errors.UpdateUserInvalidPassword,
}


class FastAPIUsersManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    """The domain behind FastAPI Users' interface, for its authenticator and for its routers, such as OAuth.

    With ``safe``, flags such as ``is_superuser`` are ignored. Refusals of the domain pass through unchanged.
    Verification and password reset have managers and routes of their own. FastAPI Users' routers have no rate limits,
    so add those of ``api.rate_limits`` to them, and its router for sign-up does not follow SIGN_UP.
    """

    def __init__(self, users: UserManager) -> None:
        super().__init__(users.adapter, PasswordHelper(password_hashing.PASSWORD_HASH))
        self.users = users

    @override
    async def authenticate(self, credentials: OAuth2PasswordRequestForm) -> User:
        sign_in = SignInManager(self.users.db, self.users.passwords)
        return await sign_in.authenticate(credentials.username, credentials.password)

    @override
    async def create(self, user_create: BaseModel, safe: bool = False, request: Request | None = None) -> User:
        if safe:
            return await self.users.create(UserCreate.model_validate(user_create.model_dump()))
        changes = ManagedUserCreate.model_validate(user_create.model_dump())
        return await self.users.create(changes, self._session_of(request), changes.current_password)

    @override
    async def update(
        self, user_update: BaseModel, user: User, safe: bool = False, request: Request | None = None
    ) -> User:
        schema = UserUpdate if safe else SuperuserUpdate
        changes = schema.model_validate(user_update.model_dump(exclude_unset=True))
        return await self.users.update(changes, user, self._session_of(request))

    @override
    async def delete(self, user: User, request: Request | None = None) -> None:
        await self.users.delete(user, self._session_of(request))

    def _session_of(self, request: Request | None) -> UserSession:
        """Return the caller's session. Without one the domain could not tell a user from a superuser."""
        session: UserSession | None = getattr(request.state, "current_session", None) if request else None
        if session is None:
            raise errors.ReauthenticationRequired(int(self.users.recent.total_seconds()))
        return session


async def get_fastapi_users_manager(users: UserManagerDep) -> FastAPIUsersManager:
    """Return FastAPI Users' manager for one request."""
    return FastAPIUsersManager(users)


class SessionStrategy(Strategy[User, uuid.UUID], ABC):
    """Reads the user and the live session of a token in one statement, and checks its scopes for the route.

    Every request that may write is counted for its user, before its own transaction begins.
    """

    kind: SessionKind

    def __init__(self, request: Request, db: Session, sessions: SessionManager) -> None:
        self.request = request
        self.db = db
        self.sessions = sessions

    @override
    async def read_token(self, token: str | None, user_manager: BaseUserManager[User, uuid.UUID]) -> User | None:
        writes = self.request.method not in SAFE_METHODS
        if writes:
            await self.db.begin_autocommit()
        row = await self._read(token or "")
        if writes:
            await self.db.release_connection()
        if row is None:
            return None
        user, credential = row
        admit(self.request, self.db, user, credential)
        if writes:
            await count_attempt(self.request, Attempt.WRITE, account=str(user.id))
        return user

    @override
    async def write_token(self, user: User) -> str:
        _, token = await self.start(user, BY_PASSWORD)
        return str(token)

    @override
    async def destroy_token(self, token: str, user: User) -> None:
        await self.sessions.revoke(user, self.request.state.current_session.id)

    async def start(
        self, user: User, assurance: Assurance, scopes: Sequence[Scope] = (Scope.ACCOUNT,)
    ) -> tuple[IssuedSession, SessionToken]:
        """Start a session of this kind; see ``SessionManager.start``."""
        return await self.sessions.start(user, self.kind, assurance, scopes)

    @abstractmethod
    async def _read(self, token: str) -> tuple[User, Credential] | None:
        """Return the user of a token, and the live session or the access key."""


class BearerStrategy(SessionStrategy):
    """Access tokens, which name their session, and access keys."""

    kind = SessionKind.BEARER

    @override
    async def _read(self, token: str) -> tuple[User, Credential] | None:
        return await find_by_bearer(self.request, self.sessions, token)


class CookieStrategy(SessionStrategy):
    """Cookies, which are opaque."""

    kind = SessionKind.COOKIE

    @override
    async def _read(self, token: str) -> tuple[User, Credential] | None:
        parsed = parse_session_token(token)
        return await self.sessions.by_cookie(parsed) if parsed else None

    async def sign_in(self, user: User, assurance: Assurance) -> Response:
        """Start a session, and return a response without a body that sets its cookie."""
        _, token = await self.start(user, assurance)
        response = await cookie.transport.get_login_response(str(token))
        response.headers["Cache-Control"] = "no-store"
        return response


async def get_bearer_strategy(request: Request, db: DbDep, sessions: SessionManagerDep) -> BearerStrategy:
    """Return the strategy of access tokens for one request."""
    return BearerStrategy(request, db, sessions)


async def get_cookie_strategy(request: Request, db: DbDep, sessions: SessionManagerDep) -> CookieStrategy:
    """Return the strategy of cookies for one request."""
    return CookieStrategy(request, db, sessions)


bearer = AuthenticationBackend("jwt", BearerTransport("auth/jwt/login"), get_bearer_strategy)
cookie = AuthenticationBackend("cookie", CookieTransport(COOKIE, cookie_max_age=COOKIE_SECONDS), get_cookie_strategy)
fastapi_users = FastAPIUsers[User, uuid.UUID](get_fastapi_users_manager, [bearer, cookie])

BearerStrategyDep = Annotated[BearerStrategy, Depends(get_bearer_strategy)]
CookieStrategyDep = Annotated[CookieStrategy, Depends(get_cookie_strategy)]


current_user = fastapi_users.current_user(active=True)
CurrentUser = Annotated[User, Depends(current_user)]
Viewer = Annotated[User | None, Depends(fastapi_users.current_user(active=True, optional=True))]


async def current_superuser(user: CurrentUser, db: DbDep) -> User:
    """Require a superuser. It depends on ``CurrentUser``, so the user is loaded once per request.

    Raises:
        HTTPException: 403, of another user.
        AssuranceRequired: the superuser's session is of too low a level.

    """
    if not user.is_superuser:
        raise HTTPException(HTTPStatus.FORBIDDEN)
    if not has_superuser_rights(db, user):
        raise errors.AssuranceRequired
    return user


async def get_current_session(request: Request, _: CurrentUser) -> UserSession:
    """Return the session that authenticates this request.

    Raises:
        NotWithAKey: the caller is a program.

    """
    session: UserSession | None = request.state.current_session
    if session is None:
        raise errors.NotWithAKey
    return session


CurrentSession = Annotated[UserSession, Depends(get_current_session)]
