"""Creating an account, and answering an invitation, with an account or without."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request
from starlette.responses import Response

from accounts.api.account_pages.render import PATH, READ, redirect, render_page
from accounts.api.authentication import Viewer
from accounts.api.dependencies import OwnInvitationManagerDep, RegistrationDep
from accounts.api.rate_limits import limit_by_client, limit_by_email
from accounts.domain.rate_limits.rules import Attempt
from accounts.schemas.identity.auth import TokenInput
from accounts.schemas.identity.users import RegistrationCreate

router = APIRouter(prefix=PATH)
RegistrationForm = Annotated[RegistrationCreate, Form()]


class AnswerForm(TokenInput):
    """The token of an invitation, and what becomes of it."""

    answer: Literal["accept", "decline"]


@router.api_route("/register", methods=READ)
async def register_page(request: Request) -> Response:
    """Ask for what an account takes."""
    return render_page(request, "register")


@router.post("/register", dependencies=[limit_by_email(Attempt.REGISTER, RegistrationForm)])
async def register(body: RegistrationForm, registration: RegistrationDep) -> Response:
    """Make an account; the next page is the same whoever has the address."""
    await registration.register(body)
    return redirect("/done/joined" if body.invitation else "/done/registered")


@router.api_route("/invitation", methods=READ)
async def invitation_page(request: Request, viewer: Viewer) -> Response:
    """Ask whether to join, or whether there is an account to join with."""
    return render_page(request, "invitation", user=viewer)


@router.post("/invitation", dependencies=[limit_by_client(Attempt.INVITATION)])
async def answer_invitation(
    form: Annotated[AnswerForm, Form()], viewer: Viewer, invitations: OwnInvitationManagerDep
) -> Response:
    """Join the group, or end the invitation."""
    if form.answer == "decline":
        await invitations.decline_token(form.token)
        return redirect("/done/declined")
    if viewer is None:
        return redirect("/sign-in", invitation=form.token)
    await invitations.accept_token(form.token, viewer)
    return redirect("/done/accepted")
