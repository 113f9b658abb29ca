"""Export members as CSV or JSON, and import them from CSV."""

import csv
import re
from collections.abc import AsyncIterator, Iterable, Sequence
from functools import partial
from http import HTTPStatus
from io import StringIO
from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from starlette.requests import ClientDisconnect

from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import DbDep
from accounts.api.downloads import CONTENT_DISPOSITION, Download, every_page, json_array
from accounts.api.openapi import problems
from accounts.api.rate_limits import RATE_LIMITED, SenderLimitDep, limit_by_account, limit_by_client, mails_allowed
from accounts.api.routes.groups.groups import GROUP_ERRORS, GroupId
from accounts.domain import errors
from accounts.domain.groups import member_export
from accounts.domain.groups.access import get_access
from accounts.domain.groups.permissions import Permission
from accounts.domain.invitations import member_import
from accounts.domain.invitations.import_file import parse_import
from accounts.domain.rate_limits.rules import Attempt
from accounts.schemas.csv_injection import escape_formula
from accounts.schemas.member_files import ExportFormat, ImportRead, MemberExport
from accounts.schemas.pagination import PageQuery

router = APIRouter(prefix="/user-groups/{group_id}/users", tags=["members"])

CSV = "text/csv"
LARGE_BODIES = {re.compile(r"/user-groups/[0-9]+/users/import"): 5 * 1024 * 1024}
MEDIA_TYPES = {
    ExportFormat.CSV: f"{CSV}; charset=utf-8; header=present",
    ExportFormat.JSON: "application/json",
}  # RFC 4180
FILE = {"type": "string", "format": "binary"}
EXPORTED = {
    "schema": FILE,
    "example": "user_id,email,display_name,role,joined_at\r\n01a20428-5ef6-7690-b9eb-8ab9fad5b3d4,"
    "king.arthur@camelot.example.com,Arthur Pendragon,owner,2026-11-22T16:48:04.236966Z\r\n",
}
IMPORTED = {
    "required": True,
    "content": {
        CSV: {
            "schema": FILE,
            "example": 'email,role,note\r\nlancelot@example.com,admin,\r\nbors@example.com,,"A seat, if you like"\r\n',
        }
    },
}


@router.get(
    "/export",
    summary="Export a group's members",
    dependencies=[limit_by_client(Attempt.EXPORT)],
    status_code=HTTPStatus.OK,  # FastAPI does not know it for a Download
    response_class=Download,
    # CSV is the default and comes first: generated clients read the first media type.
    responses=problems(*GROUP_ERRORS, *RATE_LIMITED)
    | {HTTPStatus.OK: CONTENT_DISPOSITION[200] | {"model": list[MemberExport], "content": {CSV: EXPORTED}}},
)
async def export_members(
    group_id: GroupId,
    request: Request,
    user: CurrentUser,
    db: DbDep,
    format: Annotated[
        ExportFormat, Query(description="`csv` has a header line and CR LF line ends; `json` is an array.")
    ] = ExportFormat.CSV,
) -> Download:
    """Download all members, sorted by id. Requires the admin role.

    In CSV, an apostrophe is put before names and emails that spreadsheets would read as formulas: those that begin with
    `=`, `+`, `-`, `@`, a full-width form of these, a tab or a line end. Imports remove it. JSON is not changed.

    The connection is closed early if the file cannot be completed.
    """
    await get_access(db, group_id, user, Permission.EXPORT)
    rows = every_page(request.state.sessionmaker, partial(member_export.export_page, group_id=group_id), PageQuery())
    pieces = csv_table(rows) if format is ExportFormat.CSV else json_array(rows)
    return Download(pieces, MEDIA_TYPES[format], f"group-{group_id}-members.{format}")


async def csv_table(batches: AsyncIterator[Sequence[MemberExport]]) -> AsyncIterator[bytes]:
    """Write CSV (RFC 4180) with a header line, one chunk for each page of rows."""
    yield _csv([MemberExport.model_fields])
    async for rows in batches:
        yield _csv(map(escape_formula, row.model_dump(mode="json").values()) for row in rows)


def _csv(rows: Iterable[Iterable[str]]) -> bytes:
    text = StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def _require_csv(request: Request) -> None:
    media_type, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    charset = re.search(r'(?:^|;)\s*charset="?([^";\s]*)', parameters)
    if media_type.strip() != CSV or (charset and charset[1] not in {"utf-8", "utf8", "us-ascii"}):
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, headers={"Accept": CSV})  # RFC 9110, 15.5.16


@router.post(
    "/import",
    summary="Import members",
    dependencies=[limit_by_account(Attempt.IMPORT)],
    openapi_extra={"requestBody": IMPORTED},
    responses=problems(
        *GROUP_ERRORS,
        errors.VerifiedEmailRequired,
        errors.UserNotFound,
        errors.ImportInProgress,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        errors.ImportInvalid,
        errors.TooManyInvitations,
        errors.Busy,
        *RATE_LIMITED,
    ),
)
async def import_members(
    group_id: GroupId,
    request: Request,
    user: CurrentUser,
    db: DbDep,
    check_sender: SenderLimitDep,
    *,
    dry_run: Annotated[bool, Query(description="Validate and count only; change and send nothing.")] = False,
) -> ImportRead:
    """Invite people from a CSV file. Requires the admin role and a verified email.

    The first line names the columns: `email`, and optionally `role` (`member` or `admin`) and `note` (for invitations).
    The other columns of an export are ignored. Everyone is invited, with or without an account; superusers add active
    users directly. Members keep their role.

    The import is all or nothing: a file with invalid lines is refused, and `errors` has the first 100 of them, with the
    line number in `loc`. The limits are 50,000 rows and 5 MiB, and 1,000 invitations a day unless you are a superuser.
    One import at a time is possible for a user and for a group.
    """
    await get_access(db, group_id, user, Permission.IMPORT)
    await db.release_connection()
    _require_csv(request)
    try:
        content = await request.body()
    except ClientDisconnect:
        raise HTTPException(HTTPStatus.BAD_REQUEST) from None  # the client is gone
    key, count = request.state.settings.secret_keys[0], partial(check_sender, user, count=not dry_run)
    subjects = f"import by {user.id}", f"import into {group_id}"
    async with request.state.bulk.transaction(db.context, *subjects) as bulk_db:
        known = await member_import.count_known(bulk_db, group_id)
        rows = await parse_import(content, mails_allowed(request, user), known)
        return await member_import.import_members(bulk_db, group_id, user, rows, key, count, dry_run=dry_run)
