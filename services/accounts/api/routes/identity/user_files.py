"""Import users from a file, for superusers. There is no export over HTTP: password hashes leave by a command only."""

import re
from datetime import timedelta
from http import HTTPStatus
from io import BytesIO
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request

from accounts.api.authentication import CurrentSession, current_superuser
from accounts.api.dependencies import DbDep, passwords
from accounts.api.openapi import SUPERUSER, problems
from accounts.api.rate_limits import RATE_LIMITED, limit_by_account
from accounts.api.request_body import media_type, read_file, unsupported_media_type
from accounts.domain import errors
from accounts.domain.identity.reauthentication import Reauthentication
from accounts.domain.rate_limits.rules import Attempt
from accounts.domain.user_files.user_file import UserFile, json_lines
from accounts.domain.user_files.user_import import SUBJECT
from accounts.domain.user_files.user_import import import_users as import_file
from accounts.schemas.user_files import UserImportRead

router = APIRouter(prefix="/users", tags=["administration"], dependencies=[Depends(current_superuser)])

LARGE_BODIES = {re.compile("/users/import"): 16 * 1024 * 1024}
USERS_MAX = 50_000
JSON_LINES = ("application/jsonl", "application/x-ndjson")
IMPORTED = {
    "required": True,
    "content": {
        JSON_LINES[0]: {
            "schema": {"type": "string", "format": "binary"},
            "example": '{"email":"lancelot@example.com","is_verified":true,"groups":[{"id":1,"role":"admin"}]}\n',
        }
    },
}


@router.post(
    "/import",
    summary="Import users",
    dependencies=[limit_by_account(Attempt.IMPORT)],
    openapi_extra={"requestBody": IMPORTED},
    responses=problems(
        *SUPERUSER,
        errors.ReauthenticationRequired,
        errors.ImportInProgress,
        errors.Conflict,
        HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
        errors.ImportInvalid,
        errors.Busy,
        *RATE_LIMITED,
    ),
)
async def import_users(
    request: Request,
    current: CurrentSession,
    db: DbDep,
    *,
    dry_run: Annotated[bool, Query(description="Validate and count only; change nothing.")] = False,
    invite: Annotated[
        bool, Query(description="Send active users without a password a mail to choose one, in your language.")
    ] = False,
) -> UserImportRead:
    """Create users from JSON lines. Requires a superuser, and a recent sign-in.

    Each line is an object with `email`, and optionally `display_name`, `hashed_password`, `is_verified`, `is_active`,
    `created_at`, `id` and `groups`. A password hash is verified at the user's first sign-in, and replaced by Argon2id.
    Without one, the user resets the password. No mail is sent, but with `invite` to these users.

    Users who exist already are not changed. A group with a `name` that no group has is created, if it gets an owner.

    The import is all or nothing: a file with invalid lines is refused, and `errors` has the first 100 of them, with the
    line number in `loc`. The limits are 50,000 users and 16 MiB.
    """
    if media_type(request) not in JSON_LINES:
        raise unsupported_media_type(JSON_LINES[0])
    settings = request.state.settings
    recent = timedelta(seconds=settings.recent_seconds)
    caller = Reauthentication(db, passwords(request), recent, current)
    await caller.verify(None)
    await db.release_connection()
    content = await read_file(request)
    async with request.state.bulk.transaction(db.context, SUBJECT) as bulk_db:
        file = UserFile(json_lines(BytesIO(content)), USERS_MAX)
        key = settings.secret_keys[0] if invite else None
        result = await import_file(bulk_db, file, dry_run=dry_run, invite=key)
        caller.db = bulk_db
        await caller.verify_again()
    return result
