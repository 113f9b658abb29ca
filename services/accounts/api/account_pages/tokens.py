"""Pages of personal access tokens: list, create and revoke the user's keys for programs."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from accounts.api.account_pages.forms import kept_values
from accounts.api.account_pages.navigation import NavItem
from accounts.api.account_pages.paths import PATH
from accounts.api.account_pages.redirects import redirect
from accounts.api.account_pages.render import render_page, request_language
from accounts.api.authentication import CurrentSession, CurrentUser
from accounts.api.dependencies import DbDep, FactorManagerDep, PersonalTokenManagerDep
from accounts.domain.identity.personal_tokens import SUPERUSER_SCOPES
from accounts.domain.people import has_superuser_rights
from accounts.models import Scope
from accounts.schemas.access_keys import MAX_DAYS, PersonalAccessTokenCreate, ProgramScopes
from accounts.schemas.fields import KeyName
from accounts.translations import N_

router = APIRouter(prefix=PATH)
NAV = (NavItem("/tokens", N_("Access tokens"), N_("Keys for your programs.")),)
DONE = {
    "token-revoked": N_("You've revoked the access token %(name)s."),
}
SCOPES = {
    Scope.PROFILE_READ: N_("Read your profile and your account's activity"),
    Scope.GROUPS_READ: N_("Read your groups"),
    Scope.GROUPS_WRITE: N_("Create, change and delete groups"),
    Scope.MEMBERS_READ: N_("Read the members and invitations of your groups, and your own invitations"),
    Scope.MEMBERS_WRITE: N_("Change members, send invitations and answer yours, and leave groups"),
    Scope.USERS_READ: N_("Read all users and the audit log"),
    Scope.INTROSPECT: N_("Check access tokens that other programs present"),
}
LIFETIMES = {
    7: N_("7 days"),
    30: N_("30 days"),
    90: N_("90 days"),
    180: N_("180 days"),
    MAX_DAYS: N_("1 year"),
}


class TokenForm(BaseModel):
    """A new token."""

    name: KeyName
    scopes: ProgramScopes
    expires_in_days: Annotated[int, Field(ge=1, le=MAX_DAYS)]


class RevokeForm(BaseModel):
    """The token to revoke."""

    token_id: uuid.UUID


async def keep_choices(request: Request, user: CurrentUser, db: DbDep) -> None:
    """Set the scopes and lifetimes that the form offers, and the scopes that it was sent with."""
    hidden = frozenset() if has_superuser_rights(db, user) else SUPERUSER_SCOPES
    offered = {name: text for name, text in SCOPES.items() if name not in hidden}
    gettext = request_language(request).gettext
    kept_values(request).update(
        scopes=offered,
        lifetimes=[(days, gettext(text)) for days, text in LIFETIMES.items()],
        chosen=(await request.form()).getlist("scopes"),
    )


@router.get("/tokens")
async def tokens_page(request: Request, user: CurrentUser, tokens: PersonalTokenManagerDep) -> Response:
    """List the user's tokens. There are fifty at most."""
    return render_page(request, "tokens", tokens=await tokens.keys.list(user), scopes=SCOPES)


@router.post("/tokens")
async def revoke_token(
    form: Annotated[RevokeForm, Form()], user: CurrentUser, tokens: PersonalTokenManagerDep
) -> Response:
    """Revoke a token."""
    name = await tokens.keys.revoke(user, form.token_id)
    return redirect("/tokens", done="token-revoked", done_name=name)


@router.get("/new-token", dependencies=[Depends(keep_choices)])
async def new_token_page(request: Request, current: CurrentSession, factors: FactorManagerDep) -> Response:
    """Show the form that creates a token. A recent sign-in is asked for first, so that no filled-in form is lost."""
    await factors.require_recent(current)
    return render_page(request, "new-token")


@router.post("/new-token", dependencies=[Depends(keep_choices)])
async def create_token(
    request: Request,
    form: Annotated[TokenForm, Form()],
    user: CurrentUser,
    current: CurrentSession,
    tokens: PersonalTokenManagerDep,
) -> Response:
    """Create a token. It is shown in this response only, which nothing stores."""
    key, secret = await tokens.create(user, PersonalAccessTokenCreate(**form.model_dump()), current)
    return render_page(request, "token-created", key=key, secret=str(secret))
