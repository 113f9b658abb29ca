"""The second factor that a group can require: who would be locked out, or is, and the button that changes it."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel, Field
from starlette.responses import Response

from accounts.api.account_pages.group_views import view_group
from accounts.api.account_pages.paths import PATH
from accounts.api.account_pages.redirects import redirect
from accounts.api.account_pages.render import render_page
from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import DbDep, GroupManagerDep
from accounts.api.routes.groups.groups import GroupId
from accounts.domain.groups.assurance import COUNTED, get_assurance, list_users_locked_out
from accounts.domain.groups.permissions import Permission
from accounts.schemas.groups import GroupUpdate
from accounts.schemas.pagination import PageQuery

router = APIRouter(prefix=f"{PATH}/groups/{{group_id:row}}")


class AssuranceForm(BaseModel):
    """The assurance level that the group requires from now on."""

    required_aal: Annotated[int, Field(ge=1, le=2)]


@router.get("/second-factor")
async def second_factor_page(
    request: Request, group_id: GroupId, user: CurrentUser, db: DbDep, query: Annotated[PageQuery, Query()]
) -> Response:
    """Show the group's admins which members have no second factor, so that requiring one locks them out."""
    values = await view_group(db, group_id, user, Permission.SEE_ASSURANCE)
    assurance = await get_assurance(db, group_id, user, most=COUNTED + 1)
    users = await list_users_locked_out(db, group_id, query)
    return render_page(request, "group-second-factor", **values, assurance=assurance, counted=COUNTED, users=users)


@router.post("/second-factor")
async def require_second_factor(
    group_id: GroupId, form: Annotated[AssuranceForm, Form()], user: CurrentUser, groups: GroupManagerDep
) -> Response:
    """Require a second factor of the members, or no longer."""
    await groups.update(group_id, GroupUpdate(required_aal=form.required_aal), user)
    return redirect(f"/groups/{group_id}/second-factor", done="group-changed")
