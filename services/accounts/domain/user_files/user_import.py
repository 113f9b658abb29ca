"""Import of users from a file, all of it in one transaction.

Users who exist stay unchanged, so the same file can be imported twice. While a batch is stored, the next one is
validated in a thread. Groups that get members stay locked until the end. A dry run stores nothing.
"""

import asyncio
import uuid
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Any

from sqlalchemy import Row

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain import errors
from accounts.domain.audit.log import Action, record
from accounts.domain.identity.stored_hashes import UNUSABLE
from accounts.domain.user_files.imported_groups import ImportedGroups
from accounts.domain.user_files.user_file import NewUser, UserFile
from accounts.models import Purpose
from accounts.models.base import COLLATION
from accounts.schemas.user_files import UserImportRead

SUBJECT = "import of users"  # for BulkWork: one import at a time
BATCH = 5_000
INSERT_USERS = CompiledStatement("""
    INSERT INTO "user"
        (id, email, display_name, hashed_password, is_active, is_superuser, is_verified, created_at)
    SELECT id, email, display_name, hashed_password, is_active, false, is_verified, coalesce(created_at, now())
    FROM unnest(
        CAST(:ids AS uuid[]),
        CAST(:emails AS text[]),
        CAST(:display_names AS text[]),
        CAST(:hashes AS text[]),
        CAST(:active AS boolean[]),
        CAST(:verified AS boolean[]),
        CAST(:created AS timestamptz[])
    ) AS given (id, email, display_name, hashed_password, is_active, is_verified, created_at)
    ON CONFLICT DO NOTHING
    RETURNING id
""")
# A reservation that was made in the transaction that freed the address is seen only after the INSERT, which waits for
# that. There are few reservations, and their addresses are looked up in the index on emails.
DELETE_RESERVED = CompiledStatement(f"""
    DELETE FROM "user" USING one_time_token AS token
    WHERE token.purpose = '{Purpose.UNDO_EMAIL}' AND token.expires_at > now() AND token.user_id <> "user".id
        AND lower("user".email) = lower(token.email) AND "user".id = ANY(CAST(:ids AS uuid[]))
    RETURNING "user".id
""")  # noqa: S608  # only a constant is interpolated
# For each row whether a user has the email, whether it is reserved, and whether a user with another email has the id.
FIND_KNOWN = CompiledStatement(f"""
    SELECT
        EXISTS (SELECT FROM "user" WHERE lower("user".email) = lower(given.email COLLATE "{COLLATION}")),
        EXISTS (
            SELECT FROM one_time_token AS token
            WHERE token.purpose = '{Purpose.UNDO_EMAIL}' AND token.expires_at > now() AND token.user_id <> given.id
                AND lower(token.email) = lower(given.email COLLATE "{COLLATION}")
        ),
        EXISTS (SELECT FROM "user" WHERE "user".id = given.id)
    FROM unnest(CAST(:ids AS uuid[]), CAST(:emails AS text[])) WITH ORDINALITY AS given (id, email, number)
    ORDER BY number
""")  # noqa: S608  # only constants are interpolated


async def import_users(
    db: Session, file: UserFile, *, dry_run: bool, progress: Callable[[int], object] = lambda _: None
) -> UserImportRead:
    """Create the users of a file, and the groups that it names.

    Args:
        dry_run: count only.
        progress: is called with the number of users in each batch.

    Raises:
        ImportInvalid: a line is invalid, or a new group has no active owner in the file.
        Conflict: a user was deleted or changed concurrently; the import can be repeated.

    """
    user_import = _UserImport(db, file, ImportedGroups(db, file, dry_run=dry_run), dry_run=dry_run)
    await user_import.run(progress)
    return UserImportRead(dry_run=dry_run, **user_import.counts)


class _UserImport:
    def __init__(self, db: Session, file: UserFile, groups: ImportedGroups, *, dry_run: bool) -> None:
        self.db = db
        self.file = file
        self.groups = groups
        self.dry_run = dry_run
        self.counts: Counter[str] = Counter()

    async def run(self, progress: Callable[[int], object]) -> None:
        batch = await asyncio.to_thread(self.file.read, BATCH)
        while batch:
            reading = asyncio.create_task(asyncio.to_thread(self.file.read, BATCH))
            try:
                await self._store(batch)
            finally:
                size, batch = len(batch), await reading
            progress(size)
        self.groups.require_owners()
        self.file.require_valid()
        self.counts.update(self.groups.counts)
        if self.counts["created"] and not self.dry_run:
            await record(self.db, Action.USERS_IMPORTED, user_id=None, **self.counts)
            await self.groups.record_members()

    async def _store(self, batch: list[NewUser]) -> None:
        if not self.file.is_valid:
            return  # nothing will be imported: only more faults are looked for
        created = await (self._find_new(batch) if self.dry_run else self._insert(batch))
        self.counts["created"] += len(created)
        self.counts["without_password"] += sum(user.hashed_password == UNUSABLE for user in created)
        await self.groups.join(created)

    async def _insert(self, batch: list[NewUser]) -> list[NewUser]:
        lines, ids, emails, display_names, hashes, active, verified, created, _ = zip(*batch, strict=True)
        values = {"display_names": display_names, "hashes": hashes, "active": active, "verified": verified}
        inserted = _ids(await INSERT_USERS.run(self.db, ids=ids, emails=emails, created=created, **values))
        if len(inserted) < len(lines) and await self._find_new([user for user in batch if user.id not in inserted]):
            raise errors.Conflict  # what stood against it is gone
        reserved = _ids(await DELETE_RESERVED.run(self.db, ids=list(inserted)))
        self.counts["reserved"] += len(reserved)
        return [user for user in batch if user.id in inserted - reserved]

    async def _find_new(self, batch: list[NewUser]) -> list[NewUser]:
        """Return the users who can be created, and count or refuse the others."""
        new = []
        values = {"ids": [user.id for user in batch], "emails": [user.email for user in batch]}
        for user, (exists, is_reserved, has_id) in zip(batch, await FIND_KNOWN.run(self.db, **values), strict=True):
            if exists:
                self.counts["already_exist"] += 1
            elif has_id:
                self.file.refuse(user.line, ("id", "taken", "A user with another email has this id"))
            elif is_reserved:
                self.counts["reserved"] += 1
            else:
                new.append(user)
        return new


def _ids(rows: Iterable[Row[Any]]) -> set[uuid.UUID]:
    return {user_id for (user_id,) in rows}
