"""Signing in and out in a browser, and where one is signed in."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel
from starlette.responses import Response

from accounts.api.account_pages.render import PATH, READ, redirect, render_page
from accounts.api.authentication import CookieStrategyDep, CurrentSession, CurrentUser, Viewer, cookie
from accounts.api.dependencies import SessionManagerDep, SignInDep, VerificationDep
from accounts.api.rate_limits import LoginFormDep, VerificationLimitDep
from accounts.domain.sessions.user_agent import describe_user_agent
from accounts.schemas.fields import OpaqueToken

router = APIRouter(prefix=PATH)


class EndForm(BaseModel):
    """Which session to end, or all others."""

    session: uuid.UUID | None = None
    others: bool = False


@router.api_route("", methods=READ)
async def account(request: Request, user: CurrentUser) -> Response:
    """Show whose account it is."""
    return render_page(request, "account", user=user)


@router.api_route("/sign-in", methods=READ)
async def sign_in_page(request: Request, viewer: Viewer) -> Response:
    """Ask who it is, unless that is known; who comes from an invitation may be somebody else, too."""
    return redirect("") if viewer and "invitation" not in request.query_params else render_page(request, "sign-in")


@router.post("/sign-in")
async def sign_in(
    form: LoginFormDep,
    manager: SignInDep,
    strategy: CookieStrategyDep,
    invitation: Annotated[OpaqueToken | None, Form()] = None,
) -> Response:
    """Begin a session, and go on with the invitation, if there is one."""
    answer = await cookie.login(strategy, await manager.sign_in(form.username, form.password))
    return redirect("/invitation", answer, token=invitation) if invitation else redirect("", answer)


@router.post("/sign-out")
async def sign_out(user: CurrentUser, strategy: CookieStrategyDep) -> Response:
    """End the session."""
    return redirect("/done/signed-out", await cookie.logout(strategy, user, ""))


@router.api_route("/sessions", methods=READ)
async def sessions_page(
    request: Request, user: CurrentUser, current: CurrentSession, sessions: SessionManagerDep
) -> Response:
    """Show where one is signed in."""
    return render_page(
        request, "sessions", sessions=await sessions.list(user), current=current.id, device=describe_user_agent
    )


@router.post("/sessions")
async def end_sessions(
    form: Annotated[EndForm, Form()],
    user: CurrentUser,
    current: CurrentSession,
    sessions: SessionManagerDep,
) -> Response:
    """End one session, or all others."""
    if form.others:
        await sessions.revoke_all(user, keep=current)
    elif form.session:
        await sessions.revoke(user, form.session)
    return redirect("/sessions")


@router.post("/request-verify")
async def request_verify(
    user: CurrentUser, verification: VerificationDep, check_limit: VerificationLimitDep
) -> Response:
    """Mail the token once more that verifies one's address."""
    await check_limit(user.email)
    await verification.request(user.email)
    return redirect("/done/sent")
