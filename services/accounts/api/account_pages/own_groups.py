"""Pages of the user's own groups: list and create them, leave one, and hand one over."""

import uuid
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel, BeforeValidator
from starlette.responses import Response

from accounts.api.account_pages.done_names import with_name
from accounts.api.account_pages.navigation import NavItem
from accounts.api.account_pages.render import PATH, Failure, redirect, render_page, request_language
from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import GroupManagerDep, MemberManagerDep, SuccessionDep
from accounts.api.rate_limits import SenderLimitDep
from accounts.api.routes.groups.groups import GroupId
from accounts.domain import errors
from accounts.domain.groups.groups import GroupManager
from accounts.models import User, Visibility
from accounts.schemas.fields import Description, GroupName, Username
from accounts.schemas.groups import GroupCreate, GroupRead, OwnGroupQuery
from accounts.schemas.pagination import PageQuery
from accounts.translations import N_

router = APIRouter(prefix=PATH)
NAV = (NavItem("/groups", N_("Groups"), N_("The groups that you belong to.")),)
# Browsers send every field of a form, and lines of text with CRLF (HTML, 4.10.21.7).
EMPTY_IS_NONE = BeforeValidator(lambda value: value or None)
LINES = BeforeValidator(lambda text: text.replace("\r\n", "\n"))
NO_SUCCESSOR = N_("Choose a member, or enter the email address of one.")
REFUSED_SUCCESSORS: dict[type[errors.Refusal], str] = {
    errors.MemberNotFound: N_("This isn't the email address of a member of the group."),
    errors.UserInactive: N_("This account is deactivated, and can't own a group."),
    errors.NotForServiceAccounts: N_("A program can't own a group."),
}


class GroupForm(BaseModel):
    """A new group."""

    name: GroupName
    description: Annotated[Description, LINES] = ""
    visibility: Visibility = Visibility.PRIVATE


class TransferForm(BaseModel):
    """The next owner: a member of the list, or one by email address. Text that is no address belongs to no member."""

    member: Annotated[uuid.UUID | None, EMPTY_IS_NONE] = None
    member_email: Annotated[Username | None, EMPTY_IS_NONE] = None


async def _get_own_group(groups: GroupManager, group_id: int, user: User) -> GroupRead:
    """Return a group of which the user is a member.

    Raises:
        GroupNotFound: there is no such group, or the user is no member.

    """
    group = await groups.get(group_id, user)
    if group.my_role is None:
        raise errors.GroupNotFound
    return group


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
    return with_name(redirect(f"/groups/{group.id}", done="group-created"), group.name)


@router.get("/groups/{group_id:int}/leave")
async def leave_page(
    request: Request, group_id: GroupId, user: CurrentUser, groups: GroupManagerDep, succession: SuccessionDep
) -> Response:
    """Say what leaving a group means. The last owner is asked to hand it over first."""
    group = await _get_own_group(groups, group_id, user)
    is_last_owner = await succession.is_last_owner(group_id, user)
    return render_page(request, "leave-group", group=group, is_last_owner=is_last_owner)


@router.post("/groups/{group_id:int}/leave")
async def leave_group(
    group_id: GroupId, user: CurrentUser, groups: GroupManagerDep, members: MemberManagerDep
) -> Response:
    """Leave a group. For the last owner, the page says again what to do first."""
    group = await _get_own_group(groups, group_id, user)
    try:
        await members.remove(group_id, user.id, user)
    except errors.LastOwner:
        return redirect(f"/groups/{group_id}/leave")
    return with_name(redirect("/groups", done="group-left"), group.name)


@router.get("/groups/{group_id:int}/transfer")
async def transfer_page(
    request: Request,
    group_id: GroupId,
    user: CurrentUser,
    groups: GroupManagerDep,
    succession: SuccessionDep,
    query: Annotated[PageQuery, Query()],
) -> Response:
    """Show the members to whom the group can be handed over."""
    successors = await succession.list_successors(group_id, user, query)
    return render_page(request, "transfer-group", group=await groups.get(group_id, user), successors=successors)


@router.post("/groups/{group_id:int}/transfer")
async def transfer_group(
    request: Request,
    group_id: GroupId,
    form: Annotated[TransferForm, Form()],
    user: CurrentUser,
    groups: GroupManagerDep,
    members: MemberManagerDep,
    succession: SuccessionDep,
    check_sender: SenderLimitDep,
) -> Response:
    """Hand the group over to a member, or show the form again if it names none who can own it.

    All of these refusals come before the manager writes, so the transaction that ends well has changed nothing.
    """
    await check_sender(user)
    field = "member_email" if form.member_email or not form.member else "member"
    try:
        if form.member_email:
            form.member = await succession.find_successor(group_id, form.member_email, user)
        if form.member:
            await members.transfer(group_id, form.member, user)
            group = await groups.get(group_id, user)
            return with_name(redirect(f"/groups/{group_id}", done="group-handed-over"), group.name)
        message = NO_SUCCESSOR
    except tuple(REFUSED_SUCCESSORS) as error:
        message = REFUSED_SUCCESSORS[type(error)]
    message = request_language(request).gettext(message)
    request.state.form = {"member_email": form.member_email or ""}
    return render_page(
        request,
        "transfer-group",
        HTTPStatus.UNPROCESSABLE_CONTENT,
        failure=Failure(message, {field: message}),
        group=await groups.get(group_id, user),
        successors=await succession.list_successors(group_id, user, PageQuery()),
    )
