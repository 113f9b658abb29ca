"""Export members as CSV or JSON, and import them from CSV."""

import re
from codecs import BOM_UTF8
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from http import HTTPStatus
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException, Query, Request

from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import DbDep
from accounts.api.downloads import CONTENT_DISPOSITION, Download, every_page, json_array
from accounts.api.openapi import problems
from accounts.api.rate_limits import RATE_LIMITED, SenderLimitDep, limit_by_account, limit_by_client, mails_allowed
from accounts.api.request_body import read_file
from accounts.api.routes.groups.groups import GROUP_ERRORS, GroupId
from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.groups import member_export
from accounts.domain.groups.access import get_access
from accounts.domain.groups.permissions import Permission
from accounts.domain.invitations import member_import
from accounts.domain.invitations.import_file import parse_import
from accounts.domain.invitations.import_text import CHARSETS
from accounts.domain.invitations.store import InvitationRequest
from accounts.domain.rate_limits.rules import Attempt
from accounts.schemas.csv_injection import escape_formula
from accounts.schemas.member_files import ExportFormat, ImportRead, MemberExport
from accounts.schemas.pagination import PageQuery

router = APIRouter(prefix="/user-groups/{group_id}/users", tags=["members"])

Rows = Sequence[InvitationRequest]
ReadRows = Callable[[int, bytes, str], AbstractAsyncContextManager[tuple[Session, Rows]]]
RunImport = Callable[..., Awaitable[ImportRead]]
CSV = "text/csv"
FILE_BYTES = 5 * 1024 * 1024
LARGE_BODIES = {re.compile(r"/user-groups/[0-9]+/users/import"): FILE_BYTES}
MEDIA_TYPES = {
    ExportFormat.CSV: f"{CSV}; charset=utf-8; header=present",
    ExportFormat.JSON: "application/json",
}  # RFC 4180
TO_QUOTE = re.compile(r'[",;\t\r\n]')
FILE = {"type": "string", "format": "binary"}
EXPORTED = {
    "schema": FILE,
    "example": "user_id,email,display_name,role,joined_at\r\n01a20428-5ef6-7690-b9eb-8ab9fad5b3d4,"
    "king.arthur@camelot.example.com,Arthur Pendragon,owner,2026-11-22T16:48:04.236966Z\r\n",
}
EXAMPLE = 'email,role,note\r\nlancelot@example.com,admin,\r\nbors@example.com,,"A seat, if you like"\r\n'
IMPORTED = {
    "required": True,
    "content": {
        CSV: {
            "schema": FILE,
            "example": EXAMPLE,
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
    *,
    bom: Annotated[
        bool, Query(description="Begin CSV with a byte order mark, by which Excel recognises UTF-8.")
    ] = False,
) -> Download:
    """Download all members, sorted by id. Requires the admin role.

    In CSV, an apostrophe is put before what spreadsheets would read as a formula: `=`, `+`, `-`, `@`, a full-width form
    of these, a tab or a line end, at the beginning of a cell, or after a semicolon, tab, line end or quote in it.
    Imports remove it. JSON is not changed.

    The connection is closed early if the file cannot be completed.
    """
    await get_access(db, group_id, user, Permission.EXPORT)
    rows = every_page(request.state.sessionmaker, partial(member_export.export_page, group_id=group_id), PageQuery())
    pieces = csv_table(rows, bom=bom) if format is ExportFormat.CSV else json_array(rows)
    return Download(pieces, MEDIA_TYPES[format], f"group-{group_id}-members.{format}")


async def csv_table(batches: AsyncIterator[Sequence[MemberExport]], *, bom: bool) -> AsyncIterator[bytes]:
    """Write CSV (RFC 4180) with a header line, one chunk for each page of rows."""
    yield (BOM_UTF8 if bom else b"") + _csv([MemberExport.model_fields])
    async for rows in batches:
        yield _csv(map(escape_formula, row.model_dump(mode="json").values()) for row in rows)


def _csv(rows: Iterable[Iterable[str]]) -> bytes:
    return "".join(f"{','.join(map(_quote, cells))}\r\n" for cells in rows).encode()


def _quote(cell: str) -> str:
    """Quote a cell that contains any delimiter: programs may split at several, unlike Python's ``csv.writer``."""
    return '"{}"'.format(cell.replace('"', '""')) if TO_QUOTE.search(cell) else cell


def _require_csv(request: Request) -> str:
    """Return the charset of the body."""
    media_type, _, parameters = request.headers.get("content-type", "").lower().partition(";")
    charset = re.search(r'(?:^|;)\s*charset="?([^";\s]*)', parameters)
    if media_type.strip() != CSV or (charset and charset[1] not in CHARSETS):
        raise HTTPException(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, headers={"Accept": CSV})  # RFC 9110, 15.5.16
    return charset[1] if charset else "utf-8"


async def get_read_rows(request: Request, user: CurrentUser, db: DbDep) -> ReadRows:
    """Return a function that reads a file for a group, and opens the transaction of bulk work that may import it."""

    @asynccontextmanager
    async def read(group_id: int, content: bytes, charset: str) -> AsyncIterator[tuple[Session, Rows]]:
        subjects = f"import by {user.id}", f"import into {group_id}"
        async with request.state.bulk.transaction(db.context, *subjects) as bulk_db:
            known = await member_import.count_known(bulk_db, group_id)
            yield bulk_db, await parse_import(content, charset, mails_allowed(request, bulk_db, user), known)

    return read


ReadRowsDep = Annotated[ReadRows, Depends(get_read_rows, scope="function")]


async def get_run_import(
    request: Request, user: CurrentUser, read_rows: ReadRowsDep, check_sender: SenderLimitDep
) -> RunImport:
    """Return a function that imports a file into a group, as bulk work. It does not need the request's transaction."""

    async def run(group_id: int, content: bytes, charset: str, *, dry_run: bool) -> ImportRead:
        key, count = request.state.settings.secret_keys[0], partial(check_sender, user, count=not dry_run)
        async with read_rows(group_id, content, charset) as (db, rows):
            return await member_import.import_members(db, group_id, user, rows, key, count, dry_run=dry_run)

    return run


RunImportDep = Annotated[RunImport, Depends(get_run_import, scope="function")]


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
    run_import: RunImportDep,
    *,
    dry_run: Annotated[bool, Query(description="Validate and count only; change and send nothing.")] = False,
) -> ImportRead:
    """Invite people from a CSV file. Requires the admin role and a verified email.

    The first line names the columns: `email`, and optionally `role` (`member` or `admin`) and `note` (for invitations).
    The other columns of an export are ignored. Commas, semicolons or tabs separate cells. The file is in UTF-8, in
    UTF-16 with a byte order mark, or in `charset=windows-1252` if its media type says so.

    Everyone is invited, with or without an account; superusers add active users directly. Members keep their role.

    The import is all or nothing: a file with invalid lines is refused, and `errors` has the first 100 of them, with the
    line number in `loc`. The limits are 50,000 rows and 5 MiB, and 1,000 invitations a day unless you are a superuser.
    One import at a time is possible for a user and for a group.
    """
    await get_access(db, group_id, user, Permission.IMPORT)
    await db.release_connection()
    charset = _require_csv(request)
    return await run_import(group_id, await read_file(request), charset, dry_run=dry_run)
