"""Pages of passkeys: sign in with one, and list, add, rename and remove one's own."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel
from starlette.responses import Response

from accounts.api.account_pages.paths import PATH, NextPage
from accounts.api.account_pages.redirects import redirect, redirect_signed_in
from accounts.api.account_pages.render import render_page, request_language
from accounts.api.authentication import CurrentSession, CurrentUser
from accounts.api.dependencies import PasskeyManagerDep, PasskeySignInDep
from accounts.api.rate_limits import limit_by_client
from accounts.api.started_sessions import StartCookieDep
from accounts.domain import errors
from accounts.domain.passkeys.options import accepted_credentials
from accounts.domain.passkeys.relying_party import is_available, relying_party
from accounts.domain.rate_limits.rules import Attempt
from accounts.models import Factor
from accounts.schemas.fields import OpaqueToken
from accounts.schemas.passkeys import PasskeyJson, PasskeyName
from accounts.user_agent import describe_user_agent

router = APIRouter(prefix=PATH)


class SignInForm(BaseModel):
    """A proof of a passkey, and the invitation or the page to continue with."""

    passkey: PasskeyJson = None
    invitation: OpaqueToken | None = None
    next: NextPage = ""


class AddForm(BaseModel):
    """A new passkey and its name."""

    name: PasskeyName
    passkey: PasskeyJson = None


class ChangeForm(BaseModel):
    """The passkey to rename, or to remove."""

    passkey_id: uuid.UUID
    name: PasskeyName | None = None


@router.post("/sign-in/passkey", dependencies=[limit_by_client(Attempt.PASSKEY)])
async def sign_in_with_passkey(
    form: Annotated[SignInForm, Form()], sign_in: PasskeySignInDep, start: StartCookieDep
) -> Response:
    """Sign in with a passkey, and continue with the invitation or the page that was asked for."""
    signed_in = await start(*await sign_in.authenticate(form.passkey or {}))
    return redirect_signed_in(signed_in, form.invitation, form.next)


@router.get("/passkeys")
async def passkeys_page(request: Request, user: CurrentUser, passkeys: PasskeyManagerDep) -> Response:
    """Show the user's passkeys."""
    listed, settings = await passkeys.list(user), request.state.settings
    device = describe_user_agent(request.headers.get("user-agent", ""), request_language(request).gettext)
    accepted = accepted_credentials(relying_party(settings), user, listed) if is_available(settings) else None
    lacks_codes = bool(listed) and Factor.RECOVERY_CODE not in user.second_factors
    return render_page(request, "passkeys", passkeys=listed, device=device, accepted=accepted, lacks_codes=lacks_codes)


@router.post("/passkeys")
async def add_passkey(
    form: Annotated[AddForm, Form()], user: CurrentUser, current: CurrentSession, passkeys: PasskeyManagerDep
) -> Response:
    """Add a passkey. Without one the script got no options: say why."""
    if form.passkey is None:
        await passkeys.begin(user, current)
        raise errors.BadPasskey
    await passkeys.add(user, current, form.name, form.passkey)
    return redirect("/passkeys")


@router.post("/rename-passkey")
async def rename_passkey(
    form: Annotated[ChangeForm, Form()], user: CurrentUser, passkeys: PasskeyManagerDep
) -> Response:
    """Rename a passkey."""
    if form.name:
        await passkeys.rename(user, form.passkey_id, form.name)
    return redirect("/passkeys")


@router.get("/remove-passkey")
async def remove_passkey_page() -> Response:
    """Lead to the passkeys: a confirmation leads back here."""
    return redirect("/passkeys")


@router.post("/remove-passkey")
async def remove_passkey(
    form: Annotated[ChangeForm, Form()], user: CurrentUser, current: CurrentSession, passkeys: PasskeyManagerDep
) -> Response:
    """Remove a passkey, and end the other sessions."""
    await passkeys.remove(user, form.passkey_id, current)
    return redirect("/passkeys")
