"""Sign-in with a cookie, for browsers; list and end your sessions."""

import uuid
from http import HTTPStatus

from fastapi import APIRouter, Request, Response

from accounts.api.authentication import CookieStrategyDep, CurrentSession, CurrentUser, cookie
from accounts.api.dependencies import SessionManagerDep, SignInDep
from accounts.api.fast_routes import claims_of_person, fast_get, reading
from accounts.api.openapi import AUTHENTICATED, problems
from accounts.api.pagination import json_list
from accounts.api.rate_limits import RATE_LIMITED, LoginFormDep
from accounts.domain import errors
from accounts.domain.sessions import session_list
from accounts.domain.sessions.assurance import BY_PASSWORD
from accounts.schemas.sessions import SessionRead

COOKIE_PATHS = "/auth/cookie/"
router = APIRouter(prefix="/auth", tags=["sessions"])
fast_router = APIRouter(tags=["sessions"])


@router.post(
    "/cookie/login",
    summary="Sign in with a cookie",
    status_code=HTTPStatus.NO_CONTENT,
    response_class=Response,
    responses=problems(errors.LoginBadCredentials, errors.MfaRequired, errors.CrossSite, errors.Busy, *RATE_LIMITED),
)
async def cookie_login(form: LoginFormDep, sign_in: SignInDep, strategy: CookieStrategyDep) -> Response:
    """Exchange an email and a password for a cookie that scripts cannot read.

    Requests from pages of other sites are refused: they can neither sign users in nor use the cookie.
    """
    return await strategy.sign_in(await sign_in.authenticate(form.username, form.password), BY_PASSWORD)


@router.post(
    "/cookie/logout",
    summary="Sign out with a cookie",
    status_code=HTTPStatus.NO_CONTENT,
    response_class=Response,
    responses=problems(*AUTHENTICATED, errors.CrossSite),
)
async def cookie_logout(user: CurrentUser, strategy: CookieStrategyDep) -> Response:
    """End the current session and delete its cookie."""
    return await cookie.logout(strategy, user, "")


def list_sessions_parameters(current: CurrentSession) -> None:
    """Document the parameters of ``list_sessions``."""


@fast_get(
    fast_router,
    "/auth/sessions",
    list_sessions_parameters,
    summary="List my sessions",
    response_model=list[SessionRead],
    responses=problems(*AUTHENTICATED),
)
async def list_sessions(request: Request) -> Response:
    """List the sessions in which you are signed in, the newest first."""
    idle = request.state.settings.session_idle
    async with reading(request) as (db, caller):
        current = claims_of_person(request).session_id
        return json_list(await session_list.list_sessions(db, caller.id, current, idle))


@router.delete(
    "/sessions",
    summary="End my other sessions",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*AUTHENTICATED),
)
async def end_other_sessions(user: CurrentUser, current: CurrentSession, sessions: SessionManagerDep) -> None:
    """End all of your sessions except the current one."""
    await sessions.revoke_all(user, keep=current)


@router.delete(
    "/sessions/{session_id}",
    summary="End one of my sessions",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*AUTHENTICATED, errors.SessionNotFound),
)
async def end_session(session_id: uuid.UUID, user: CurrentUser, sessions: SessionManagerDep) -> None:
    """End one of your sessions, on any device."""
    await sessions.revoke(user, session_id)
