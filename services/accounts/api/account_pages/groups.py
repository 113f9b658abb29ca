"""The page of a group: the second factor that it can require of its members."""
"""The page of your groups."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from accounts.api.account_pages.render import PATH, redirect, render_page
from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import DbDep, GroupManagerDep
from accounts.api.routes.groups.groups import GroupId
from accounts.domain.groups.assurance import get_assurance, list_users_locked_out
from accounts.schemas.fields import GroupIdNumber
from accounts.schemas.groups import GroupUpdate
from accounts.schemas.pagination import PageQuery
from accounts.api.account_pages.navigation import NavItem
from accounts.api.account_pages.render import PATH, render_page
from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import GroupManagerDep
from accounts.models import Role
from accounts.schemas.groups import OwnGroupQuery
from accounts.translations import N_

router = APIRouter(prefix=PATH)


class AssuranceForm(BaseModel):
    """A group, and the assurance level that it requires from now on."""

    group: GroupIdNumber
    required_aal: Annotated[int, Field(ge=1, le=2)]


@router.get("/groups/{group_id}")
async def group_page(
    request: Request,
    group_id: GroupId,
    user: CurrentUser,
    groups: GroupManagerDep,
    db: DbDep,
    query: Annotated[PageQuery, Query()],
) -> Response:
    """Show the group's admins which members have no second factor, so that requiring one locks them out."""
    assurance = await get_assurance(db, group_id, user)
    users = await list_users_locked_out(db, group_id, query)
    return render_page(request, "group", group=await groups.get(group_id, user), assurance=assurance, users=users)


@router.post("/groups")
async def require_second_factor(
    form: Annotated[AssuranceForm, Form()], user: CurrentUser, groups: GroupManagerDep
) -> Response:
    """Require a second factor of the members, or no longer."""
    await groups.update(form.group, GroupUpdate(required_aal=form.required_aal), user)
    return redirect(f"/groups/{form.group}")
@router.get("/groups")
async def groups_page(
    request: Request, user: CurrentUser, groups: GroupManagerDep, query: Annotated[OwnGroupQuery, Query()]
) -> Response:
    """List the user's groups."""
    return render_page(request, "groups", groups=await groups.of_user(user, query), managers=MANAGERS)
