"""The settings of one group: name, description and visibility; and its deletion."""

from typing import Annotated

from fastapi import APIRouter, Form, Request
from pydantic import BaseModel
from starlette.responses import Response

from accounts.api.account_pages.forms import LINES
from accounts.api.account_pages.group_views import keep_group, view_group
from accounts.api.account_pages.paths import PATH
from accounts.api.account_pages.redirects import redirect
from accounts.api.account_pages.render import render_page
from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import DbDep, GroupManagerDep
from accounts.api.routes.groups.groups import GroupId
from accounts.domain.groups.permissions import Permission
from accounts.domain.people import require_recent_sign_in
from accounts.models import Visibility
from accounts.schemas.fields import Description, GroupName
from accounts.schemas.groups import GroupUpdate
from accounts.translations import N_

router = APIRouter(prefix=f"{PATH}/groups/{{group_id:row}}")
DONE = {
    "group-changed": N_("The settings of the group were changed."),
    "group-deleted": N_("The group was deleted."),
}


class SettingsForm(BaseModel):
    """The settings that everyone with the form may change, and the one that only owners see in it."""

    name: GroupName
    description: Annotated[Description, LINES] = ""
    visibility: Visibility | None = None


@router.get("/settings")
async def settings_page(request: Request, group_id: GroupId, user: CurrentUser, db: DbDep) -> Response:
    """Show the settings."""
    values = await view_group(db, group_id, user, Permission.UPDATE)
    request.state.form = values["group"].model_dump(include=set(SettingsForm.model_fields))
    return render_page(request, "group-settings", **values)


@router.post("/settings", dependencies=[keep_group("group-settings", Permission.UPDATE)])
async def change_settings(
    group_id: GroupId, form: Annotated[SettingsForm, Form()], user: CurrentUser, groups: GroupManagerDep
) -> Response:
    """Change the settings."""
    await groups.update(group_id, GroupUpdate(**form.model_dump(exclude_none=True)), user)
    return redirect(f"/groups/{group_id}/settings", done="group-changed")


@router.get("/delete")
async def deletion_page(request: Request, group_id: GroupId, user: CurrentUser, db: DbDep) -> Response:
    """Show what the deletion of the group takes away. A recent sign-in is asked for first."""
    values = await view_group(db, group_id, user, Permission.DELETE)
    await require_recent_sign_in(db, user)
    return render_page(request, "group-delete", **values)


@router.post("/delete")
async def delete_group(group_id: GroupId, user: CurrentUser, groups: GroupManagerDep) -> Response:
    """Delete the group."""
    await groups.delete(group_id, user)
    return redirect("/groups", done="group-deleted")
