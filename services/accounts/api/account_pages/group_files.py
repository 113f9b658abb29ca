"""Pages that import a group's members from a CSV file, and export them."""

import re

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from accounts.api.account_pages.forms import missing_field, show_form_again
from accounts.api.account_pages.group_views import view_group
from accounts.api.account_pages.import_faults import describe_faults
from accounts.api.account_pages.messages import MESSAGES
from accounts.api.account_pages.paths import PATH
from accounts.api.account_pages.redirects import redirect
from accounts.api.account_pages.render import Failure, render_page, request_language
from accounts.api.authentication import CurrentUser
from accounts.api.dependencies import DbDep
from accounts.api.rate_limits import limit_by_account, limit_by_client
from accounts.api.routes.groups import member_files
from accounts.api.routes.groups.groups import GroupId
from accounts.api.routes.groups.member_files import ReadRowsDep, RunImportDep
from accounts.api.uploads import Upload, read_upload
from accounts.domain import errors
from accounts.domain.groups.permissions import Permission
from accounts.domain.invitations.import_file import FAULTY_ROWS_MAX, ROWS_MAX
from accounts.domain.member_imports.managing import LIST_LENGTH, MemberImportManager
from accounts.domain.rate_limits.rules import Attempt
from accounts.schemas.member_files import ExportFormat

router = APIRouter(prefix=f"{PATH}/groups/{{group_id:row}}")
TEMPLATE = "group-import"
LARGE_BODIES = {re.compile(rf"{PATH}/groups/[0-9]+/import"): member_files.FILE_BYTES}
UTF_8, WINDOWS = "utf-8", "windows-1252"


async def keep_group(request: Request, group_id: GroupId, user: CurrentUser, db: DbDep) -> None:
    """Set what the pages show, for those who may import."""
    values = await view_group(db, group_id, user, Permission.IMPORT)
    request.state.form = {}  # a file is not read twice
    values |= {
        "is_verified": user.is_verified,
        "adds": "ADD_MEMBERS" in values["may"],
        "rows_max": ROWS_MAX,
        "megabytes": member_files.FILE_BYTES // 1024**2,
        "charsets": (UTF_8, WINDOWS),
        "faults": (),
        "faults_max": FAULTY_ROWS_MAX,
        "checked": None,
        "imports": await MemberImportManager(db).list(group_id, user),
        "imports_max": LIST_LENGTH,
    }
    show_form_again(request, TEMPLATE, values)


FOR_IMPORTERS = [Depends(keep_group)]


@router.get("/import", dependencies=FOR_IMPORTERS)
async def import_page(request: Request) -> Response:
    """Show the form that takes a file, and explain its columns."""
    return render_page(request, TEMPLATE)


@router.post("/import", dependencies=[limit_by_account(Attempt.IMPORT), *FOR_IMPORTERS])
async def import_members(
    request: Request, group_id: GroupId, user: CurrentUser, db: DbDep, run_import: RunImportDep, read_rows: ReadRowsDep
) -> Response:
    """Check a file, or store it for the worker, which imports it. Only a button that says so imports."""
    await db.release_connection()
    upload = await _read_file(request)
    charset = WINDOWS if upload.fields.get("charset") == WINDOWS else UTF_8
    request.state.form = {"charset": charset}
    try:
        if upload.fields.get("step") != "import":
            checked = await run_import(group_id, upload.content, charset, dry_run=True)
            return render_page(request, TEMPLATE, checked=checked)
        async with read_rows(group_id, upload.content, charset) as (_, rows):
            to_import = rows
    except errors.ImportInvalid as error:
        return _faulty(request, error)
    import_id = await MemberImportManager(db).create(group_id, to_import, user)
    return redirect(f"/groups/{group_id}/imports/{import_id}")


async def _read_file(request: Request) -> Upload:
    upload = await read_upload(request, "file")
    if not upload.content:
        raise missing_field("file")
    return upload


def _faulty(request: Request, error: errors.ImportInvalid) -> Response:
    language = request_language(request)
    faults = describe_faults(language, error.faults)
    failure = Failure.translated(language, {}, MESSAGES["IMPORT_INVALID"])
    return render_page(request, TEMPLATE, 422, failure=failure, faults=faults)


@router.get("/import/example.csv", dependencies=FOR_IMPORTERS)
async def example_file() -> Response:
    """Download a file that shows the columns."""
    headers = {"Content-Disposition": 'attachment; filename="example.csv"', "Cache-Control": "no-store"}
    return Response(member_files.EXAMPLE, media_type=member_files.CSV, headers=headers)


@router.get("/members.csv", dependencies=[limit_by_client(Attempt.EXPORT)])
async def export_members(request: Request, group_id: GroupId, user: CurrentUser, db: DbDep) -> Response:
    """Download the members as the API exports them, as a file that Excel reads as UTF-8."""
    return await member_files.export_members(group_id, request, user, db, ExportFormat.CSV, bom=True)
