"""Pages of a group's invitations, for those who may invite: state of delivery, invite, resend and revoke."""

from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Form, Query, Request
from starlette.responses import Response

from accounts.api.account_pages.forms import show_form_again
from accounts.api.account_pages.paths import PATH
from accounts.api.account_pages.redirects import redirect
from accounts.api.account_pages.render import render_page, request_language
from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import DbDep, GroupManagerDep, InvitationManagerDep
from accounts.api.http_methods import SAFE_METHODS
from accounts.api.rate_limits import InvitationLimitDep, SenderLimitDep
from accounts.api.routes.groups.groups import GroupId
from accounts.api.routes.invitations.sending import InvitationId
from accounts.domain import errors
from accounts.domain.invitations import invitation_list
from accounts.domain.invitations.delivery import get_deliveries
from accounts.domain.people import Caller, has_superuser_rights
from accounts.models import Role
from accounts.schemas.invitations import InvitationCreate, InvitationRead
from accounts.schemas.pagination import PageQuery, read_page
from accounts.translations import N_

router = APIRouter(prefix=f"{PATH}/groups/{{group_id:row}}/invitations")
DONE = {
    "invitation-sent": N_("The invitation is on its way. The list says what has become of its email."),
    "invitation-resent": N_("The invitation is sent again, with a new link."),
    "invitation-revoked": N_("The invitation was revoked. Its link no longer works."),
}
DAYS = (1, 3, 7, 14, 30)
TEMPLATE = "group-invitations"


async def keep_list(
    request: Request,
    group_id: GroupId,
    user: CurrentUser,
    groups: GroupManagerDep,
    db: DbDep,
    query: Annotated[PageQuery, Query()],
) -> None:
    """Set what the page shows, also if its form is refused.

    A form is validated first, as the API does: what else is wrong is left to the route.
    """
    try:
        listed = await invitation_list.list_of_group(db, Caller.of(db, user), group_id, query)
    except errors.Refusal:
        if request.method in SAFE_METHODS:
            raise
        return
    page, group = read_page(InvitationRead, listed), await groups.get(group_id, user)
    values = {
        "group": group,
        "is_verified": user.is_verified,
        "page": page,
        "deliveries": await get_deliveries(db, group_id, page.rows),
        "manages_owners": group.my_role is Role.OWNER or has_superuser_rights(db, user),
        "days": {days: request_language(request).from_now(timedelta(days)) for days in DAYS},
    }
    show_form_again(request, TEMPLATE, values)


@router.get("", dependencies=[Depends(keep_list)])
async def invitations_page(request: Request) -> Response:
    """List the open invitations, the oldest first, with the form that sends another one."""
    return render_page(request, TEMPLATE)


@router.post("", dependencies=[Depends(keep_list)])
async def invite(
    group_id: GroupId,
    form: Annotated[InvitationCreate, Form()],
    user: CurrentUser,
    invitations: InvitationManagerDep,
    check_limit: InvitationLimitDep,
    check_sender: SenderLimitDep,
) -> Response:
    """Invite an email address."""
    await check_sender(user)
    await check_limit()
    await invitations.create(group_id, form, user)
    return redirect(f"/groups/{group_id}/invitations", done="invitation-sent")


@router.post("/{invitation_id:row}/resend")
async def resend(
    group_id: GroupId,
    invitation_id: InvitationId,
    user: CurrentUser,
    invitations: InvitationManagerDep,
    check_limit: InvitationLimitDep,
    check_sender: SenderLimitDep,
) -> Response:
    """Send an invitation again, with a new link."""
    await check_sender(user)
    await check_limit()
    await invitations.resend(group_id, invitation_id, user)
    return redirect(f"/groups/{group_id}/invitations", done="invitation-resent")


@router.post("/{invitation_id:row}/revoke")
async def revoke(
    group_id: GroupId, invitation_id: InvitationId, user: CurrentUser, invitations: InvitationManagerDep
) -> Response:
    """Revoke an invitation."""
    await invitations.revoke(group_id, invitation_id, user)
    return redirect(f"/groups/{group_id}/invitations", done="invitation-revoked")
