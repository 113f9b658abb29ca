"""Page of the accounts at other providers with which the user signs in: connect and disconnect them."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel
from starlette.responses import Response

from accounts.api.account_pages.paths import CONNECTED_ACCOUNTS, PATH
from accounts.api.account_pages.redirects import redirect
from accounts.api.account_pages.render import render_page
from accounts.api.authentication import CurrentSession, CurrentUser
from accounts.api.dependencies import ExternalIdentityDep
from accounts.domain.external_sign_in.identities import ExternalIdentityManager
from accounts.models import User

router = APIRouter(prefix=PATH)


class DisconnectForm(BaseModel):
    """The connected account to disconnect."""

    identity: uuid.UUID


async def confirming_providers(request: Request, user: User, identities: ExternalIdentityManager) -> dict[str, str]:
    """Return the providers by which a user can confirm sensitive changes, with the names on buttons."""
    connected = {each.provider for each in await identities.list(user)}
    names = request.state.providers.confirming_names(second_factor=bool(user.second_factors))
    return {name: shown for name, shown in names.items() if name in connected}


@router.get(CONNECTED_ACCOUNTS)
async def connected_accounts_page(request: Request, user: CurrentUser, identities: ExternalIdentityDep) -> Response:
    """Show the connected accounts, and the providers of which an account can be connected."""
    connected = await identities.list(user)
    names = request.state.providers.names
    free = {name: shown for name, shown in names.items() if name not in {each.provider for each in connected}}
    return render_page(request, "connected-accounts", user=user, connected=connected, free=free)


@router.post(CONNECTED_ACCOUNTS)
async def disconnect(
    form: Annotated[DisconnectForm, Form()], user: CurrentUser, current: CurrentSession, identities: ExternalIdentityDep
) -> Response:
    """Disconnect an account."""
    await identities.disconnect(user, form.identity, current, None)
    return redirect(CONNECTED_ACCOUNTS)
