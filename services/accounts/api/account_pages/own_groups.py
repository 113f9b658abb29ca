"""Pages of the user's own groups: list and create them."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from accounts.api.account_pages.forms import LINES
from accounts.api.account_pages.navigation import NavItem
from accounts.api.account_pages.paths import PATH
from accounts.api.account_pages.redirects import redirect
from accounts.api.account_pages.render import render_page
from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import GroupManagerDep
from accounts.models import Visibility
from accounts.schemas.fields import Description, GroupName
from accounts.schemas.groups import GroupCreate, OwnGroupQuery
from accounts.translations import N_

router = APIRouter(prefix=PATH)
NAV = (NavItem("/groups", N_("Groups"), N_("The groups that you belong to.")),)
DONE = {
    "group-created": N_("You've created %(name)s, and own it."),
}


class GroupForm(BaseModel):
    """A new group."""

    name: GroupName
    description: Annotated[Description, LINES] = ""
    visibility: Visibility = Visibility.PRIVATE


@router.get("/groups")
async def groups_page(
    request: Request, user: CurrentUser, groups: GroupManagerDep, query: Annotated[OwnGroupQuery, Query()]
) -> Response:
    """List the user's groups."""
    return render_page(request, "groups", groups=await groups.of_user(user, query))


@router.get("/new-group")
async def new_group_page(request: Request, _: CurrentUser) -> Response:
    """Show the form that creates a group."""
    return render_page(request, "new-group")


@router.post("/new-group")
async def create_group(form: Annotated[GroupForm, Form()], user: CurrentUser, groups: GroupManagerDep) -> Response:
    """Create a group, which the user owns."""
    group = await groups.create(GroupCreate(**form.model_dump()), user)
    return redirect(f"/groups/{group.id}", done="group-created", done_name=group.name)
