"""The page of one member, for the group's owners and admins: it changes the role, and removes the member."""

import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request
from starlette.responses import Response

from accounts.api.account_pages.forms import show_form_again
from accounts.api.account_pages.group_views import view_group
from accounts.api.account_pages.paths import PATH
from accounts.api.account_pages.redirects import redirect
from accounts.api.account_pages.render import render_page
from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import DbDep, MemberManagerDep
from accounts.api.rate_limits import SenderLimitDep
from accounts.api.routes.groups.groups import GroupId
from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.groups.members import MemberManager
from accounts.domain.groups.permissions import Permission
from accounts.models import Role, User
from accounts.models.identity import is_service_email
from accounts.schemas.groups import RoleInput
from accounts.translations import N_

router = APIRouter(prefix=f"{PATH}/groups/{{group_id:row}}/members/{{user_id:uuid}}")
DONE = {
    "role-changed": N_("The role was changed."),
    "member-removed": N_("The member was removed from the group."),
}


async def view_member(db: Session, group_id: int, user_id: uuid.UUID, user: User) -> dict[str, Any]:
    """Return the values of the page: the member, and the roles that the user may give them, if any.

    Raises:
        GroupNotFound: there is no such group, or the user may not see it.
        GroupForbidden: the user may not change roles.
        MemberNotFound: there is no such member.

    """
    values = await view_group(db, group_id, user, Permission.CHANGE_ROLES)
    member = await MemberManager(db).get(group_id, user_id, user)
    is_service, manages_owners = is_service_email(member.email or ""), "MANAGE_OWNERS" in values["may"]
    roles = [role for role in Role if role is not Role.OWNER or (manages_owners and not is_service)]
    can_change = member.role is not Role.OWNER or manages_owners
    return values | {
        "member": member,
        "member_name": member.display_name or member.email,
        "is_service": is_service,
        "is_self": user_id == user.id,
        "roles": roles if can_change else [],
    }


async def keep_member(request: Request, group_id: GroupId, user_id: uuid.UUID, user: CurrentUser, db: DbDep) -> None:
    """Show the page again if one of its forms is refused."""
    try:
        values = await view_member(db, group_id, user_id, user)
    except errors.Refusal:
        return  # the route's manager refuses, too, after the form has been validated
    show_form_again(request, "group-member", values)


@router.get("")
async def member_page(
    request: Request, group_id: GroupId, user_id: uuid.UUID, user: CurrentUser, db: DbDep
) -> Response:
    """Show a member, with the forms that the viewer may use."""
    return render_page(request, "group-member", **await view_member(db, group_id, user_id, user))


@router.post("", dependencies=[Depends(keep_member)])
async def change_role(
    group_id: GroupId,
    user_id: uuid.UUID,
    form: Annotated[RoleInput, Form()],
    user: CurrentUser,
    members: MemberManagerDep,
    check_sender: SenderLimitDep,
) -> Response:
    """Change the role of a member."""
    await check_sender(user)
    await members.change(group_id, user_id, form.role, user)
    return redirect(f"/groups/{group_id}", done="role-changed")


@router.post("/remove", dependencies=[Depends(keep_member)])
async def remove_member(
    request: Request, group_id: GroupId, user_id: uuid.UUID, user: CurrentUser, members: MemberManagerDep
) -> Response:
    """Remove a member. To leave, members have a page of their own."""
    request.state.next_page = f"/groups/{group_id}/members/{user_id}"  # after a confirmation
    await members.remove(group_id, user_id, user)
    page_path = "/groups" if user_id == user.id else f"/groups/{group_id}"  # which may be hidden from the user now
    return redirect(page_path, done="member-removed")
