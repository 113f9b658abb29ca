"""One's sessions, and those of browsers: beside the bearer tokens, a cookie."""

import uuid
from http import HTTPStatus

from fastapi import APIRouter, Response

from accounts.api.authentication import CookieStrategyDep, CurrentSession, CurrentUser, cookie
from accounts.api.dependencies import SessionManagerDep, SignInDep
from accounts.api.openapi import AUTHENTICATED, problems
from accounts.api.rate_limits import THROTTLED, LoginFormDep
from accounts.domain import errors
from accounts.schemas.sessions import SessionRead

COOKIE_PATHS = "/auth/cookie/"
router = APIRouter(prefix="/auth", tags=["sessions"])


@router.post(
    "/cookie/login",
    summary="Sign in, in a browser",
    status_code=HTTPStatus.NO_CONTENT,
    response_class=Response,
    responses=problems(errors.LoginBadCredentials, errors.CrossSite, errors.Busy, *THROTTLED),
)
async def cookie_login(form: LoginFormDep, sign_in: SignInDep, strategy: CookieStrategyDep) -> Response:
    """Exchange an e-mail address and a password for a cookie that no script can read.

    Pages of other sites can neither sign anybody in nor change anything with it.
    """
    response = await cookie.login(strategy, await sign_in.sign_in(form.username, form.password))
    response.headers["Cache-Control"] = "no-store"
    return response


@router.post(
    "/cookie/logout",
    summary="Sign out, in a browser",
    status_code=HTTPStatus.NO_CONTENT,
    response_class=Response,
    responses=problems(*AUTHENTICATED, errors.CrossSite),
)
async def cookie_logout(user: CurrentUser, strategy: CookieStrategyDep) -> Response:
    """End the session and take the cookie back."""
    return await cookie.logout(strategy, user, "")


@router.get("/sessions", summary="List one's sessions", responses=problems(*AUTHENTICATED))
async def list_sessions(user: CurrentUser, current: CurrentSession, sessions: SessionManagerDep) -> list[SessionRead]:
    """Where one is signed in, the newest first."""
    return [
        SessionRead.model_validate(each).model_copy(update={"current": each.id == current.id})
        for each in await sessions.list(user)
    ]


@router.delete(
    "/sessions",
    summary="Sign out everywhere else",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*AUTHENTICATED),
)
async def end_other_sessions(user: CurrentUser, current: CurrentSession, sessions: SessionManagerDep) -> None:
    """End all of one's sessions but this one."""
    await sessions.revoke_all(user, keep=current)


@router.delete(
    "/sessions/{session_id}",
    summary="End a session",
    status_code=HTTPStatus.NO_CONTENT,
    responses=problems(*AUTHENTICATED, errors.SessionNotFound),
)
async def end_session(session_id: uuid.UUID, user: CurrentUser, sessions: SessionManagerDep) -> None:
    """End one of one's sessions, wherever it is."""
    await sessions.revoke(user, session_id)
