"""Pages that end a role in a group: leave the group, or hand it over to another member."""

import uuid
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from accounts.api.account_pages.forms import BLANK
from accounts.api.account_pages.paths import PATH
from accounts.api.account_pages.redirects import redirect
from accounts.api.account_pages.render import Failure, render_page, request_language
from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import GroupManagerDep, MemberManagerDep, SuccessionDep
from accounts.api.rate_limits import SenderLimitDep
from accounts.api.routes.groups.groups import GroupId
from accounts.domain import errors
from accounts.domain.groups.groups import GroupManager
from accounts.domain.groups.succession import SuccessionManager
from accounts.domain.people import require_recent_sign_in
from accounts.models import User
from accounts.schemas.fields import Username
from accounts.schemas.groups import GroupRead
from accounts.schemas.pagination import PageQuery
from accounts.translations import N_

router = APIRouter(prefix=PATH)
DONE = {
    "group-left": N_("You've left %(name)s."),
    "group-handed-over": N_("You've handed over %(name)s."),
}
NONE_CHOSEN = N_("Choose a member, or enter the email address of one.")
REFUSALS: dict[type[errors.Refusal], str] = {
    errors.MemberNotFound: N_("This isn't the email address of a member of the group."),
    errors.UserInactive: N_("This account is deactivated, and can't own a group."),
    errors.NotForServiceAccounts: N_("A program can't own a group."),
}


class TransferForm(BaseModel):
    """The next owner: a member of the list, or one by email address. Text that is no address belongs to no member."""

    member: Annotated[uuid.UUID | None, BLANK] = None
    member_email: Annotated[Username | None, BLANK] = None

    async def find(self, succession: SuccessionManager, group_id: int, actor: User) -> uuid.UUID:
        """Return the id of the next owner. The address counts if both fields are filled in.

        Raises:
            MemberNotFound: no member has the address, or the form is empty.

        """
        if self.member_email:
            return await succession.find_successor(group_id, self.member_email, actor)
        if self.member is None:
            raise errors.MemberNotFound
        return self.member

    def failure(self, request: Request, error: errors.Refusal) -> Failure:
        """Explain a refusal at the field that caused it."""
        text = REFUSALS[type(error)] if self.member_email or self.member else NONE_CHOSEN
        by_choice = self.member is not None and not self.member_email
        return Failure.translated(request_language(request), {"member" if by_choice else "member_email": text}, text)


async def _get_own_group(groups: GroupManager, group_id: int, user: User) -> GroupRead:
    """Return a group of which the user is a member.

    Raises:
        GroupNotFound: there is no such group, or the user is no member.

    """
    group = await groups.get(group_id, user)
    if group.my_role is None:
        raise errors.GroupNotFound
    return group


@router.get("/groups/{group_id:row}/leave")
async def leave_page(
    request: Request, group_id: GroupId, user: CurrentUser, groups: GroupManagerDep, succession: SuccessionDep
) -> Response:
    """Say what leaving a group means. The last owner is asked to hand it over first."""
    group = await _get_own_group(groups, group_id, user)
    is_last_owner = await succession.is_last_owner(group_id, user)
    return render_page(request, "leave-group", group=group, is_last_owner=is_last_owner)


@router.post("/groups/{group_id:row}/leave")
async def leave_group(
    group_id: GroupId, user: CurrentUser, groups: GroupManagerDep, members: MemberManagerDep
) -> Response:
    """Leave a group. For the last owner, the page says again what to do first."""
    group = await _get_own_group(groups, group_id, user)
    try:
        await members.remove(group_id, user.id, user)
    except errors.LastOwner:
        return redirect(f"/groups/{group_id}/leave")
    return redirect("/groups", done="group-left", done_name=group.name)


async def _transfer_page(
    request: Request,
    group: GroupRead,
    user: User,
    succession: SuccessionManager,
    query: PageQuery,
    failure: Failure | None = None,
) -> Response:
    successors = await succession.list_successors(group.id, user, query)
    status = HTTPStatus.UNPROCESSABLE_CONTENT if failure else HTTPStatus.OK
    return render_page(request, "transfer-group", status, failure=failure, group=group, successors=successors)


@router.get("/groups/{group_id:row}/transfer")
async def transfer_page(
    request: Request,
    group_id: GroupId,
    user: CurrentUser,
    groups: GroupManagerDep,
    succession: SuccessionDep,
    query: Annotated[PageQuery, Query()],
) -> Response:
    """Show the members who could become its owner. A recent sign-in is asked for first."""
    page = await _transfer_page(request, await groups.get(group_id, user), user, succession, query)
    await require_recent_sign_in(groups.db, user)
    return page


@router.post("/groups/{group_id:row}/transfer")
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

    The manager refuses before it writes, so the transaction, which is committed, has changed nothing then.
    """
    await check_sender(user)
    group = await groups.get(group_id, user)
    try:
        await members.transfer(group_id, await form.find(succession, group_id, user), user)
    except tuple(REFUSALS) as error:
        request.state.form = {"member_email": form.member_email or ""}
        return await _transfer_page(request, group, user, succession, PageQuery(), form.failure(request, error))
    return redirect(f"/groups/{group_id}", done="group-handed-over", done_name=group.name)
