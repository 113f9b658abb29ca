"""Import of users from a file, all of it in one transaction.

Users who exist stay unchanged, so the same file can be imported twice. While a batch is stored, the next one is
validated in a thread. Groups that get members stay locked until the end. A dry run stores nothing.
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable
from typing import Any

import asyncpg

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain import errors
from accounts.domain.audit.log import Action, record
from accounts.domain.identity.first_passwords import enqueue_first_passwords
from accounts.domain.identity.stored_hashes import UNUSABLE
from accounts.domain.user_files.imported_groups import ImportedGroups
from accounts.domain.user_files.new_users import COLUMNS, TRUE, NewUser, copy_text
from accounts.domain.user_files.user_file import UserFile
from accounts.models import Purpose
from accounts.models.base import COLLATION
from accounts.schemas.user_files import UserImportRead

SUBJECT = "import of users"  # for BulkWork: one import at a time
BATCH = 5_000
INSERT_USERS = CompiledStatement(f"""
    INSERT INTO "user" ({", ".join(COLUMNS)}) SELECT {", ".join(COLUMNS[:-1])}, nullif(language, '') FROM unnest(
        CAST(:id AS uuid[]),
        CAST(:email AS text[]),
        CAST(:display_name AS text[]),
        CAST(:hashed_password AS text[]),
        CAST(CAST(:is_active AS text[]) AS boolean[]),
        CAST(CAST(:is_verified AS text[]) AS boolean[]),
        CAST(CAST(:created_at AS text[]) AS timestamptz[]),
        CAST(CAST(:is_superuser AS text[]) AS boolean[]),
        CAST(:language AS text[])
    ) AS given ({", ".join(COLUMNS)})
    ON CONFLICT DO NOTHING
    RETURNING CAST(id AS text)
""")  # noqa: S608  # only names of columns are interpolated
# A reservation that was made in the transaction that freed the email is seen only after the INSERT, which waits for it.
HAS_RESERVED = CompiledStatement(f"""
    SELECT EXISTS (SELECT FROM one_time_token WHERE purpose = '{Purpose.UNDO_EMAIL}' AND expires_at > now())
""")  # noqa: S608  # only a constant is interpolated
FIND_RESERVED = CompiledStatement(f"""
    SELECT CAST(given.id AS text) FROM unnest(CAST(:ids AS uuid[]), CAST(:emails AS text[])) AS given (id, email)
    JOIN one_time_token AS token ON lower(token.email) = lower(given.email COLLATE "{COLLATION}")
    WHERE token.purpose = '{Purpose.UNDO_EMAIL}' AND token.expires_at > now() AND token.user_id <> given.id
""")  # noqa: S608  # only constants are interpolated
DELETE_USERS = CompiledStatement('DELETE FROM "user" WHERE id = ANY(CAST(:ids AS uuid[]))')
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
    db: Session,
    file: UserFile,
    *,
    dry_run: bool,
    invite: str | None = None,
    progress: Callable[[int], object] = lambda _: None,
) -> UserImportRead:
    """Create the users of a file, and the groups that it names.

    Args:
        dry_run: count only.
        invite: the secret key of mailed tokens, if active users without a password get a mail to choose one.
        progress: is called with the number of users in each batch.

    Raises:
        ImportInvalid: a line is invalid, or a new group has no active owner in the file.
        Conflict: a user was deleted or changed concurrently; the import can be repeated.

    """
    groups = ImportedGroups(db, file.refuse, dry_run=dry_run)
    user_import = _UserImport(db, file, groups, dry_run=dry_run, invite=invite)
    await user_import.run(progress)
    return UserImportRead(dry_run=dry_run, **user_import.counts)


class _UserImport:
    def __init__(
        self, db: Session, file: UserFile, groups: ImportedGroups, *, dry_run: bool, invite: str | None
    ) -> None:
        self.db = db
        self.file = file
        self.groups = groups
        self.dry_run = dry_run
        self.invite = invite
        self.all_new = True  # as far as is known
        self.counts: Counter[str] = Counter()

    async def run(self, progress: Callable[[int], object]) -> None:
        batch, text = await asyncio.to_thread(self._read)
        while batch:
            reading = asyncio.create_task(asyncio.to_thread(self._read))
            try:
                await self._store(batch, text)
            finally:
                size, (batch, text) = len(batch), await reading
            progress(size)
        if self.file.is_valid:
            self.groups.require_owners()
        self.file.require_valid()
        self.counts.update(self.groups.counts)
        if self.counts["created"] and not self.dry_run:
            await record(self.db, Action.USERS_IMPORTED, user_id=None, **self.counts)
            await self.groups.record_members()

    def _read(self) -> tuple[list[NewUser], bytes]:
        batch = self.file.read(BATCH)
        return batch, copy_text(batch) if self.all_new and not self.dry_run else b""

    async def _store(self, batch: list[NewUser], text: bytes) -> None:
        if not self.file.is_valid:
            return  # nothing will be imported: only more faults are looked for
        created = await (self._find_new(batch) if self.dry_run else self._insert(batch, text))
        self.counts["created"] += len(created)
        without_password = [user for user in created if user.hashed_password == UNUSABLE]
        self.counts["without_password"] += len(without_password)
        await self.groups.join(created)
        if self.invite:
            await self._invite(self.invite, [user for user in without_password if user.is_active == TRUE])

    async def _invite(self, key: str, users: list[NewUser]) -> None:
        self.counts["invited"] += len(users)
        if users and not self.dry_run:
            await enqueue_first_passwords(self.db, key, [user.id for user in users], [user.email for user in users])

    async def _insert(self, batch: list[NewUser], text: bytes) -> list[NewUser]:
        if not (self.all_new and await self._copy(text)):
            self.all_new = False
            columns = dict(zip(NewUser._fields, zip(*batch, strict=True), strict=True))
            inserted = _ids(await INSERT_USERS.run(self.db, **columns))
            if await self._find_new([user for user in batch if user.id not in inserted]):
                raise errors.Conflict  # what stood against it is gone
            batch = [user for user in batch if user.id in inserted]
        return await self._without_reserved(batch)

    async def _copy(self, text: bytes) -> bool:
        """Copy users, which is the fastest; return False, and store none, if one conflicts with a stored user."""
        try:
            async with self.db.begin_nested():
                connection: Any = (await (await self.db.connection()).get_raw_connection()).driver_connection
                await connection.copy_to_table("user", source=_chunk(text), columns=COLUMNS)
        except asyncpg.UniqueViolationError:
            return False
        return True

    async def _without_reserved(self, created: list[NewUser]) -> list[NewUser]:
        [(has_reserved,)] = await HAS_RESERVED.run(self.db)
        if not has_reserved:
            return created
        values = {"ids": [user.id for user in created], "emails": [user.email for user in created]}
        reserved = _ids(await FIND_RESERVED.run(self.db, **values))
        new = [user for user in created if user.id not in reserved]
        await DELETE_USERS.run(self.db, ids=list(reserved))
        self.counts["reserved"] += len(reserved)
        return new

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


async def _chunk(text: bytes) -> AsyncIterator[bytes]:
    yield text


def _ids(rows: Iterable[Any]) -> set[str]:
    return {user_id for (user_id,) in rows}
