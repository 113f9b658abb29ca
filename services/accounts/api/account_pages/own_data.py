"""Pages to download what is stored about the user, and to delete the account."""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Form, Request
from pydantic import BaseModel
from starlette.responses import Response

from accounts.api.account_pages.forms import kept_values
from accounts.api.account_pages.navigation import NavItem
from accounts.api.account_pages.paths import PATH
from accounts.api.account_pages.redirects import redirect_to_result
from accounts.api.account_pages.render import render_page
from accounts.api.authentication import CurrentSession, CurrentUser, cookie
from accounts.api.dependencies import FactorManagerDep, UserManagerDep
from accounts.api.downloads import Download
from accounts.api.rate_limits import limit_by_client
from accounts.api.routes.personal_data import personal_data_file
from accounts.domain.rate_limits.rules import Attempt
from accounts.models import User
from accounts.translations import N_

router = APIRouter(prefix=PATH)
NAV = (NavItem("/data", N_("Your data"), N_("Download what is stored about you, or delete your account.")),)


class DeletionForm(BaseModel):
    """What the button sends: an empty request deletes nothing."""

    confirm: Literal["true"]


@router.get("/data")
async def data_page(request: Request, _: CurrentUser) -> Response:
    """Show what a user can do with the stored data."""
    return render_page(request, "data")


@router.get("/data/download", dependencies=[limit_by_client(Attempt.EXPORT)])
async def download_data(request: Request, user: CurrentUser) -> Download:
    """Download everything that is stored about the user."""
    return personal_data_file(request, user)


async def get_leaving_user(request: Request, user: CurrentUser, users: UserManagerDep) -> User:
    """Return the user, and set what prevents the deletion."""
    obstacles = await users.deletion_obstacles(user)
    kept_values(request).update(
        address=user.email,
        has_obstacles=obstacles.exist,
        groups=[(group.id, group.name) for group in obstacles.groups],
        undo_until=obstacles.undo_until,
        is_last_superuser=obstacles.is_last_superuser,
    )
    return user


LeavingUser = Annotated[User, Depends(get_leaving_user)]


@router.get("/delete-account")
async def delete_account_page(
    request: Request, _: LeavingUser, current: CurrentSession, factors: FactorManagerDep
) -> Response:
    """Show what prevents the deletion, or else what it does. For that, users confirm who they are first."""
    if not kept_values(request)["has_obstacles"]:
        await factors.require_recent(current)
    return render_page(request, "delete-account")


@router.post("/delete-account")
async def delete_account(
    _: Annotated[DeletionForm, Form()], user: LeavingUser, current: CurrentSession, users: UserManagerDep
) -> Response:
    """Delete the account, and sign the browser out."""
    await users.delete(user, current)
    return redirect_to_result("account-deleted", await cookie.transport.get_logout_response())
