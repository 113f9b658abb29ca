"""The page of one import into a group: its progress and its result, which can be left and come back to."""

from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, HTTPException, Path, Request
from starlette.responses import Response

from accounts.api.account_pages.group_views import view_group
from accounts.api.account_pages.paths import PATH
from accounts.api.account_pages.redirects import redirect
from accounts.api.account_pages.render import render_page
from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import DbDep
from accounts.api.routes.groups.groups import GroupId
from accounts.domain.groups.permissions import Permission
from accounts.domain.member_imports.managing import MemberImportManager, MemberImportRead
from accounts.translations import N_

router = APIRouter(prefix=f"{PATH}/groups/{{group_id}}/imports/{{import_id}}")
ImportId = Annotated[int, Path(ge=1, le=2**63 - 1)]
# Why an import was refused, and what to do. Another admin than the one who imported may read it.
REASONS = {
    "GROUP_FORBIDDEN": N_(
        "The person who imported the file may no longer import members into this group. An admin can import it again."
    ),
    "GROUP_NOT_FOUND": N_("The person who imported the file has left the group. An admin can import it again."),
    "ASSURANCE_REQUIRED": N_("The group now requires a second factor. Sign in with yours, and import the file again."),
    "USER_NOT_FOUND": N_("The account of the person who imported the file was deactivated."),
    "VERIFIED_EMAIL_REQUIRED": N_(
        "The email address of the person who imported the file is no longer confirmed. Confirm it, and import the file "
        "again."
    ),
    "TOO_MANY_INVITATIONS": N_(
        "The file invites more people than one person may invite in a day. Split it, and import one part each day."
    ),
    "TOO_MANY_ATTEMPTS": N_(
        "With this file, the person who imported it would invite more people than one person may invite in a day. "
        "Import it again later, or split it."
    ),
}
UNFORESEEN = N_(
    "Something went wrong on our side. Please contact the people who run this service, and import the file again."
)


@router.get("")
async def progress_page(
    request: Request, group_id: GroupId, import_id: ImportId, user: CurrentUser, db: DbDep
) -> Response:
    """Show how far an import is, or what it did."""
    values = await view_group(db, group_id, user, Permission.IMPORT)
    each = await MemberImportManager(db).find(group_id, import_id, user)
    if each is None:
        raise HTTPException(HTTPStatus.NOT_FOUND)
    adds = "ADD_MEMBERS" in values["may"]
    return render_page(request, "group-import-progress", **values, each=each, reason=_reason(each), adds=adds)


@router.post("/cancel")
async def cancel(group_id: GroupId, import_id: ImportId, user: CurrentUser, db: DbDep) -> Response:
    """Cancel an import. The page says whether it had ended before."""
    await MemberImportManager(db).cancel(group_id, import_id, user)
    return redirect(f"/groups/{group_id}/imports/{import_id}")


def _reason(each: MemberImportRead) -> str:
    return REASONS.get(each.error, UNFORESEEN) if each.error else ""
