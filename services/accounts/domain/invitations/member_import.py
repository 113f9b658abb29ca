"""Import of members from a file: each row becomes a membership or an invitation, all of them in one transaction."""

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import batched
from typing import Any

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain.audit.log import Action, record, record_many
from accounts.domain.groups.access import lock_group, lock_user
from accounts.domain.groups.permissions import Permission
from accounts.domain.invitations.store import InvitationRequest, store_invitations
from accounts.models import User
from accounts.models.base import COLLATION
from accounts.schemas.member_files import ImportRead

BATCH_ROWS = 500
SELECT_MEMBERS = CompiledStatement(f"""
    SELECT number FROM unnest(CAST(:emails AS text[])) WITH ORDINALITY AS given (email, number)
    JOIN "user" ON lower("user".email) = lower(given.email COLLATE "{COLLATION}")
    JOIN membership ON membership.user_id = "user".id AND membership.group_id = :group_id
""")  # noqa: S608  # only a constant is interpolated
# The group is locked already, and users are locked before groups. So users who are being deactivated or deleted are
# skipped, as if they did not exist, rather than waited for. The lock is the one that the foreign key takes.
INSERT_MEMBERS = CompiledStatement(f"""
    WITH known AS (
        SELECT number, role, "user".id
        FROM unnest(CAST(:emails AS text[]), CAST(:roles AS text[])) WITH ORDINALITY AS given (email, role, number)
        JOIN "user" ON lower("user".email) = lower(given.email COLLATE "{COLLATION}")
        WHERE is_active AND (CAST(:add_anyone AS boolean) OR EXISTS (
            SELECT FROM membership AS actors JOIN membership AS others USING (group_id)
            WHERE actors.user_id = CAST(:actor_id AS uuid) AND others.user_id = "user".id
        ))
        FOR KEY SHARE OF "user" SKIP LOCKED
    ), added AS (
        INSERT INTO membership (group_id, user_id, role) SELECT CAST(:group_id AS bigint), id, role FROM known
        ON CONFLICT DO NOTHING
        RETURNING user_id
    )
    SELECT number, user_id FROM known JOIN added ON user_id = known.id
""")  # noqa: S608  # only a constant is interpolated


async def import_members(
    db: Session, group_id: int, actor: User, rows: Iterable[InvitationRequest], key: str, *, dry_run: bool
) -> ImportRead:
    """Add the users whom the actor may add, and invite everyone else. Members and open invitations do not change.

    Args:
        key: derives the invitations' tokens.
        dry_run: count only; every change is rolled back.

    Raises:
        UserNotFound: the actor was deleted or deactivated meanwhile.
        GroupNotFound: the group does not exist, or the actor may not see it.
        GroupForbidden: the actor may not import.

    """
    member_import = _MemberImport(db, group_id, actor, key)
    async with db.begin_nested() as savepoint:
        await member_import.run(rows)
        if dry_run:
            await savepoint.rollback()
    return ImportRead(dry_run=dry_run, **member_import.counts)


class _MemberImport:
    def __init__(self, db: Session, group_id: int, actor: User, key: str) -> None:
        self.db = db
        self.group_id = group_id
        self.actor = actor
        self.key = key
        self.counts: Counter[str] = Counter()

    async def run(self, rows: Iterable[InvitationRequest]) -> None:
        await lock_user(self.db, self.actor)
        access = await lock_group(self.db, self.group_id, self.actor, Permission.IMPORT)
        for batch in batched(rows, BATCH_ROWS, strict=False):
            not_members = await self._skip_members(batch)
            unknown = await self._add(not_members, add_anyone=access.may(Permission.ADD_ANYONE))
            await self._invite(unknown)
        await record(self.db, Action.MEMBERS_IMPORTED, group_id=self.group_id, user_id=None, **self.counts)

    async def _skip_members(self, rows: Sequence[InvitationRequest]) -> list[InvitationRequest]:
        members = {number for (number,) in await self._execute(SELECT_MEMBERS, rows)}
        self.counts["already_members"] += len(members)
        return [row for number, row in enumerate(rows, 1) if number not in members]

    async def _add(self, rows: Sequence[InvitationRequest], *, add_anyone: bool) -> list[InvitationRequest]:
        roles = [row.role.value for row in rows]
        values = {"roles": roles, "add_anyone": add_anyone, "actor_id": self.actor.id}
        user_ids = dict(await self._execute(INSERT_MEMBERS, rows, **values))
        events = [(user_id, {"role": rows[number - 1].role}) for number, user_id in user_ids.items()]
        await record_many(self.db, Action.MEMBERSHIP_CREATED, self.group_id, events)
        self.counts["added"] += len(user_ids)
        return [row for number, row in enumerate(rows, 1) if number not in user_ids]

    async def _invite(self, rows: Sequence[InvitationRequest]) -> None:
        stored = await store_invitations(self.db, self.key, self.group_id, self.actor.id, rows)
        events = [(None, {"role": invitation.role}) for invitation in stored]
        await record_many(self.db, Action.INVITATION_CREATED, self.group_id, events)
        self.counts["invited"] += len(stored)
        self.counts["already_invited"] += len(rows) - len(stored)

    async def _execute(
        self, statement: CompiledStatement, rows: Sequence[InvitationRequest], **values: Any
    ) -> list[Any]:
        return await statement.run(self.db, group_id=self.group_id, emails=[row.email for row in rows], **values)
