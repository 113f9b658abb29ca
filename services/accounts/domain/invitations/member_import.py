"""Members in bulk: the rows of a file become members or invitations, all or none, by few statements for each batch."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from sqlalchemy import BigInteger, Boolean, String, TextClause, Uuid, bindparam, text
from sqlalchemy.dialects.postgresql import ARRAY

from accounts.db.session import Session
from accounts.domain.audit.log import Action, record, record_many
from accounts.domain.groups.access import lock_group, lock_user
from accounts.domain.groups.permissions import Permission
from accounts.domain.invitations.import_file import ImportFile
from accounts.domain.invitations.store import InvitationRequest, store_invitations
from accounts.models import User
from accounts.models.identity import COLLATION
from accounts.schemas.member_files import ImportRead

EMAILS = bindparam("emails", type_=ARRAY(String))
GROUP = bindparam("group_id", type_=BigInteger)
BELONG = text(f"""
    SELECT number FROM unnest(:emails) WITH ORDINALITY AS given (email, number)
    JOIN "user" ON lower("user".email) = lower(given.email COLLATE "{COLLATION}")
    JOIN membership ON membership.user_id = "user".id AND membership.group_id = :group_id
""").bindparams(EMAILS, GROUP)  # noqa: S608  # of a constant
# Users come before groups where both are locked, and the group is locked: those who are being deactivated or deleted
# are not waited for, but taken for unknown. The lock is the one that the foreign key takes.
ADD = text(f"""
    WITH known AS (
        SELECT number, role, "user".id FROM unnest(:emails, :roles) WITH ORDINALITY AS given (email, role, number)
        JOIN "user" ON lower("user".email) = lower(given.email COLLATE "{COLLATION}")
        WHERE is_active AND (:anybody OR EXISTS (
            SELECT FROM membership AS mine JOIN membership AS theirs USING (group_id)
            WHERE mine.user_id = :actor_id AND theirs.user_id = "user".id
        ))
        FOR KEY SHARE OF "user" SKIP LOCKED
    ), added AS (
        INSERT INTO membership (group_id, user_id, role) SELECT :group_id, id, role FROM known
        ON CONFLICT DO NOTHING
        RETURNING user_id
    )
    SELECT number, user_id FROM known JOIN added ON user_id = known.id
""").bindparams(  # noqa: S608  # of a constant
    EMAILS,
    GROUP,
    bindparam("roles", type_=ARRAY(String)),
    bindparam("anybody", type_=Boolean),
    bindparam("actor_id", type_=Uuid),
)


async def import_members(
    db: Session, group_id: int, actor: User, file: ImportFile, key: str, *, dry_run: bool
) -> ImportRead:
    """Make those in a file members, as far as the actor may add them, and invite the others.

    Who is a member or invited already stays as they are. ``key`` makes the invitations' tokens. A dry run does all of
    it, and takes it back.

    Raises:
        UserNotFound: the actor was deleted or deactivated meanwhile.
        GroupNotFound: there is none that the actor may see.
        GroupForbidden: the actor may not import.

    """
    bulk = _Import(db, group_id, actor, key)
    async with db.begin_nested() as savepoint:
        await bulk.take(file)
        if dry_run:
            await savepoint.rollback()
    return ImportRead(dry_run=dry_run, **bulk.counts)


class _Import:
    def __init__(self, db: Session, group_id: int, actor: User, key: str) -> None:
        self.db = db
        self.group_id = group_id
        self.actor = actor
        self.key = key
        self.counts: Counter[str] = Counter()

    async def take(self, file: ImportFile) -> None:
        await lock_user(self.db, self.actor)
        access = await lock_group(self.db, self.group_id, self.actor, Permission.IMPORT)
        for rows in file:
            others = await self._add(await self._without_members(rows), anybody=access.may(Permission.ADD_ANYONE))
            await self._invite(others)
        await record(self.db, Action.MEMBERS_IMPORTED, group_id=self.group_id, user_id=None, **self.counts)

    async def _without_members(self, rows: Sequence[InvitationRequest]) -> list[InvitationRequest]:
        members = {number for (number,) in await self._execute(BELONG, rows)}
        self.counts["already_members"] += len(members)
        return [row for number, row in enumerate(rows, 1) if number not in members]

    async def _add(self, rows: Sequence[InvitationRequest], *, anybody: bool) -> list[InvitationRequest]:
        roles = [row.role.value for row in rows]
        found = await self._execute(ADD, rows, roles=roles, anybody=anybody, actor_id=self.actor.id)
        added = dict(found)
        about = [(user_id, {"role": rows[number - 1].role}) for number, user_id in added.items()]
        await record_many(self.db, Action.MEMBERSHIP_CREATED, self.group_id, about)
        self.counts["added"] += len(added)
        return [row for number, row in enumerate(rows, 1) if number not in added]

    async def _invite(self, rows: Sequence[InvitationRequest]) -> None:
        stored = await store_invitations(self.db, self.key, self.group_id, self.actor.id, rows)
        about = [(None, {"role": invitation.role}) for invitation in stored]
        await record_many(self.db, Action.INVITATION_CREATED, self.group_id, about)
        self.counts["invited"] += len(stored)
        self.counts["already_invited"] += len(rows) - len(stored)

    async def _execute(self, statement: TextClause, rows: Sequence[InvitationRequest], **values: Any) -> Sequence[Any]:
        connection = await self.db.connection()
        values |= {"group_id": self.group_id, "emails": [row.email for row in rows]}
        return (await connection.execute(statement, values)).all()
