"""Pages of invitations: the one that a mailed link opens, with or without an account, and the user's open ones."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from accounts.api.account_pages.navigation import NavItem
from accounts.api.account_pages.paths import PATH
from accounts.api.account_pages.redirects import redirect, redirect_to_result
from accounts.api.account_pages.render import render_page
from accounts.api.authentication import CurrentUser, Viewer
from accounts.api.dependencies import DbDep, OwnInvitationManagerDep
from accounts.api.rate_limits import limit_by_client
from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.invitations import invitation_list
from accounts.domain.invitations.mailed_link import read_mailed_invitation
from accounts.domain.people import Caller
from accounts.domain.rate_limits.rules import Attempt
from accounts.models import User
from accounts.schemas.fields import GroupIdNumber
from accounts.schemas.groups import GroupRead
from accounts.schemas.identity.auth import TokenInput
from accounts.schemas.invitations import MailedInvitation, OwnInvitationRead
from accounts.schemas.pagination import PageQuery, read_page
from accounts.translations import N_

router = APIRouter(prefix=PATH)
NAV = (NavItem("/invitations", N_("Invitations"), N_("The groups that you're invited to.")),)
DONE = {
    "group-joined": N_("You've joined %(name)s."),
    "invitation-declined": N_("You've declined the invitation to %(name)s. We won't notify anyone."),
}
Answer = Literal["accept", "decline"]


class AnswerForm(TokenInput):
    """The token of an invitation, and the answer."""

    answer: Answer


class OwnAnswerForm(BaseModel):
    """One of the user's open invitations, and the answer."""

    invitation_id: GroupIdNumber
    answer: Answer


async def _read(db: Session, token: str, viewer: User | None) -> MailedInvitation | None:
    """Return the invitation of a token, or None if it was not sent to the viewer, who sees nothing of it.

    Raises:
        InvitationBadToken: there is no open invitation with this token.

    """
    try:
        return await read_mailed_invitation(db, token, viewer)
    except errors.InvitationOtherAddress:
        return None


@router.get("/invitation")
async def invitation_page(request: Request, viewer: Viewer, db: DbDep, token: str = "") -> Response:
    """Show an invitation: to accept or decline it, or to sign in first."""
    invitation = await _read(db, token, viewer) if token else None
    return render_page(request, "invitation", user=viewer, invitation=invitation)


@router.post("/invitation", dependencies=[limit_by_client(Attempt.INVITATION)])
async def answer_invitation(
    form: Annotated[AnswerForm, Form()], viewer: Viewer, db: DbDep, invitations: OwnInvitationManagerDep
) -> Response:
    """Accept or decline an invitation. Accepting takes a sign-in."""
    if form.answer == "decline":
        invitation = await _read(db, form.token, viewer) if viewer else None
        await invitations.decline_token(form.token)
        return _declined(invitation.group.name) if invitation else redirect_to_result("declined")
    if viewer is None:
        return redirect("/sign-in", invitation=form.token)
    return _joined(await invitations.accept_token(form.token, viewer))


@router.get("/invitations")
async def invitations_page(
    request: Request, user: CurrentUser, db: DbDep, query: Annotated[PageQuery, Query()]
) -> Response:
    """List the user's open invitations."""
    page = read_page(OwnInvitationRead, await invitation_list.list_sent_to(db, Caller.of(db, user), query))
    return render_page(request, "invitations", user=user, invitations=page)


@router.post("/invitations")
async def answer_own_invitation(
    form: Annotated[OwnAnswerForm, Form()], user: CurrentUser, invitations: OwnInvitationManagerDep
) -> Response:
    """Accept or decline one of the user's open invitations."""
    if form.answer == "decline":
        return _declined(await invitations.decline(form.invitation_id, user))
    return _joined(await invitations.accept(form.invitation_id, user))


def _declined(group_name: str) -> Response:
    return redirect("/invitations", done="invitation-declined", done_name=group_name)


def _joined(group: GroupRead) -> Response:
    return redirect("/groups", done="group-joined", done_name=group.name)
