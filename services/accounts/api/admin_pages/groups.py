"""Administration of groups: search, one group with its people, a new owner, and deletion."""

from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from accounts.api.account_pages.filters import NOTHING, Filters
from accounts.api.account_pages.forms import BLANK
from accounts.api.account_pages.group_views import read_members
from accounts.api.account_pages.navigation import NavItem
from accounts.api.account_pages.paths import ADMIN
from accounts.api.account_pages.redirects import redirect
from accounts.api.account_pages.render import Failure, render_page, request_language
from accounts.api.admin_pages.access import CurrentSuperuser
from accounts.api.admin_pages.queries import SearchText, list_url
from accounts.api.dependencies import GroupManagerDep, InvitationManagerDep, MemberManagerDep, UserManagerDep
from accounts.api.routes.groups.groups import GroupId
from accounts.domain import errors
from accounts.domain.people import list_inactive, require_recent_sign_in
from accounts.models import Role, Visibility
from accounts.schemas.fields import NFC, GroupName, Prefix
from accounts.schemas.groups import GroupQuery, GroupRead, MemberQuery
from accounts.schemas.pagination import PageQuery
from accounts.translations import N_

LIST = f"{ADMIN}/groups"
router = APIRouter(prefix=LIST)
NAV = (NavItem("/groups", N_("Groups"), N_("Find a group, see who owns it, and hand it to another user.")),)
DONE = {
    "group-owner-added": N_("The user is now an owner of the group."),
}
WRONG_NAME = N_("This isn't the name of the group.")
# Why a user cannot become an owner.
REFUSALS: dict[type[errors.Refusal], str] = {
    errors.UserNotFound: N_("No active user has this email address."),
    errors.UserInactive: N_("This user is deactivated, and can't own a group."),
    errors.NotForServiceAccounts: N_("A service account can't own a group."),
}


class GroupSearch(Filters):
    """The beginning of the name, and the visibility."""

    q: Annotated[Prefix | None, NFC, BLANK] = None
    visibility: Annotated[Visibility | None, BLANK] = None


class OwnerForm(BaseModel):
    """The email address of the user who becomes an owner."""

    email: SearchText


class NameForm(BaseModel):
    """The name of the group, which confirms that it is this one."""

    name: GroupName


@router.get("")
async def groups_page(
    request: Request, user: CurrentSuperuser, groups: GroupManagerDep, query: Annotated[GroupSearch, Query()]
) -> Response:
    """List groups by name."""
    search = GroupQuery(name=query.q, visibility=query.visibility, limit=query.limit, cursor=query.cursor)
    page = NOTHING if query.faults else await groups.list(user, search)
    return render_page(
        request,
        "admin/groups",
        query.status,
        failure=query.failure(request),
        groups=page,
        query=query,
        url=list_url(LIST, query),
        list_url=LIST,
    )


@router.get("/{group_id:row}")
async def group_page(
    request: Request,
    group_id: GroupId,
    user: CurrentSuperuser,
    groups: GroupManagerDep,
    invitations: InvitationManagerDep,
    query: Annotated[PageQuery, Query()],
) -> Response:
    """Show a group's settings, its owners and admins, and its members page by page."""
    read = partial(read_members, request, groups.db, group_id)
    group, open_invitations = await groups.get(group_id, user), await invitations.count_open(group_id, user)
    owners, admins = await read(MemberQuery(role=Role.OWNER)), await read(MemberQuery(role=Role.ADMIN))
    members = await read(MemberQuery(limit=query.limit, cursor=query.cursor))
    shown = {each.id for page in (owners, admins, members) for each in page.rows}
    return render_page(
        request,
        "admin/group",
        group=group,
        invitations=open_invitations,
        owners=owners,
        admins=admins,
        members=members,
        inactive=await list_inactive(groups.db, shown),
    )


@router.get("/{group_id:row}/owner")
async def owner_page(request: Request, group_id: GroupId, user: CurrentSuperuser, groups: GroupManagerDep) -> Response:
    """Ask for the user who becomes an owner, once the superuser has signed in recently."""
    group = await groups.get(group_id, user)
    await require_recent_sign_in(groups.db, user)
    return render_page(request, "admin/group-owner", group=group)


@router.post("/{group_id:row}/owner")
async def add_owner(
    request: Request,
    group_id: GroupId,
    form: Annotated[OwnerForm, Form()],
    user: CurrentSuperuser,
    groups: GroupManagerDep,
    members: MemberManagerDep,
    users: UserManagerDep,
) -> Response:
    """Let a user own the group, as a member or a new one."""
    group = await groups.get(group_id, user)
    try:
        owner = await users.get_by_email(form.email)
        await members.put(group_id, owner.id, Role.OWNER, user)
    except tuple(REFUSALS) as error:
        return _refused(request, "admin/group-owner", group, "email", form.email, REFUSALS[type(error)])
    return redirect(f"{LIST}/{group_id}", done="group-owner-added")


@router.get("/{group_id:row}/delete")
async def delete_page(request: Request, group_id: GroupId, user: CurrentSuperuser, groups: GroupManagerDep) -> Response:
    """Say what a deletion deletes, and ask for the name, once the superuser has signed in recently."""
    group = await groups.get(group_id, user)
    await require_recent_sign_in(groups.db, user)
    return render_page(request, "admin/group-delete", group=group)


@router.post("/{group_id:row}/delete")
async def delete_group(
    request: Request,
    group_id: GroupId,
    form: Annotated[NameForm, Form()],
    user: CurrentSuperuser,
    groups: GroupManagerDep,
) -> Response:
    """Delete the group, if its name was given."""
    group = await groups.get(group_id, user)
    if form.name != group.name.strip():
        return _refused(request, "admin/group-delete", group, "name", form.name, WRONG_NAME)
    await groups.delete(group_id, user)
    return redirect(LIST, done="group-deleted")


def _refused(request: Request, page: str, group: GroupRead, field: str, sent: str, fault: str) -> Response:
    request.state.form = {field: sent}
    failure = Failure.translated(request_language(request), {field: fault})
    return render_page(request, page, HTTPStatus.BAD_REQUEST, group=group, failure=failure)
