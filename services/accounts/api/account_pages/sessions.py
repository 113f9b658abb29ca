"""Pages to list and revoke sessions."""

import uuid
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel
from starlette.responses import Response

from accounts.api.account_pages.navigation import NavItem
from accounts.api.account_pages.paths import PATH
from accounts.api.account_pages.redirects import redirect
from accounts.api.account_pages.render import render_page, request_language
from accounts.api.authentication import CurrentSession, CurrentUser
from accounts.api.dependencies import SessionManagerDep
from accounts.translations import N_
from accounts.user_agent import describe_user_agent

router = APIRouter(prefix=PATH)
NAV = (NavItem("/sessions", N_("Devices"), N_("See where you are signed in, and sign out other devices.")),)
DONE = {
    "session-ended": N_("The device was signed out."),
    "sessions-ended": N_("All other devices were signed out."),
}


class EndForm(BaseModel):
    """The session to revoke, or all others."""

    session: uuid.UUID | None = None
    others: bool = False


@router.get("/sessions")
async def sessions_page(
    request: Request, user: CurrentUser, current: CurrentSession, sessions: SessionManagerDep
) -> Response:
    """Show the user's sessions."""
    device = partial(describe_user_agent, gettext=request_language(request).gettext)
    return render_page(request, "sessions", sessions=await sessions.list(user), current=current.id, device=device)


@router.post("/sessions")
async def end_sessions(
    form: Annotated[EndForm, Form()],
    user: CurrentUser,
    current: CurrentSession,
    sessions: SessionManagerDep,
) -> Response:
    """Revoke one session, or all others."""
    if form.others:
        await sessions.revoke_all(user, keep=current)
        return redirect("/sessions", done="sessions-ended")
    if form.session:
        await sessions.revoke(user, form.session)
    return redirect("/sessions", done="session-ended")
