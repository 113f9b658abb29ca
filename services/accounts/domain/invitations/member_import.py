"""Import of members from a file, all rows in one transaction. Superusers add users; all others are invited.

Reading comes first: the rows are classified and the invitations counted before the first one is stored, so that a file
with too many costs little. The transaction takes seconds. Until it adds members, which it does last, it locks the group
only against being deleted, so other changes of the group do not wait for it. A dry run locks nothing.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from itertools import batched

from sqlmodel import col, select

from accounts.db.session import Session
from accounts.db.statements import POPULATE_EXISTING, CompiledStatement
from accounts.domain import errors
from accounts.domain.audit.log import Action, record, record_many
from accounts.domain.groups.access import GroupAccess, get_access
from accounts.domain.groups.permissions import Permission
from accounts.domain.invitations.store import InvitationRequest, store_invitations
from accounts.domain.people import require_verified_email
from accounts.models import User, UserGroup
from accounts.models.base import COLLATION
from accounts.schemas.member_files import ImportRead

BATCH_ROWS = 500
CountInvitations = Callable[[int], Awaitable[None]]
Progress = Callable[[int], Awaitable[None]]
# For each row whether there is an active user, a member, and an open invitation. A subquery, because PostgreSQL has no
# statistics of the invitations that this transaction stores: it would begin a join with all of them.
SELECT_KNOWN = CompiledStatement(f"""
    SELECT coalesce("user".is_active, false), membership.user_id IS NOT NULL, EXISTS (
        SELECT FROM invitation
        WHERE invitation.group_id = :group_id AND lower(invitation.email) = lower(given.email COLLATE "{COLLATION}")
            AND invitation.expires_at > now()
    )
    FROM unnest(CAST(:emails AS text[])) WITH ORDINALITY AS given (email, number)
    LEFT JOIN "user" ON lower("user".email) = lower(given.email COLLATE "{COLLATION}")
    LEFT JOIN membership ON membership.user_id = "user".id AND membership.group_id = :group_id
    ORDER BY number
""")  # noqa: S608  # only a constant is interpolated
COUNT_KNOWN = CompiledStatement("""
    SELECT (SELECT count(*) FROM invitation WHERE group_id = :group_id)
        + coalesce((SELECT member_count FROM user_group WHERE id = :group_id), 0)
""")
# The group is locked already, and users are locked before groups. So users who are being deactivated or deleted are
# skipped, as if they did not exist, rather than waited for. The lock is the one that the foreign key takes.
INSERT_MEMBERS = CompiledStatement(f"""
    WITH known AS (
        SELECT number, role, "user".id
        FROM unnest(CAST(:emails AS text[]), CAST(:roles AS text[])) WITH ORDINALITY AS given (email, role, number)
        JOIN "user" ON lower("user".email) = lower(given.email COLLATE "{COLLATION}")
        WHERE is_active
        FOR KEY SHARE OF "user" SKIP LOCKED
    ), added AS (
        INSERT INTO membership (group_id, user_id, role) SELECT CAST(:group_id AS bigint), id, role FROM known
        ON CONFLICT DO NOTHING
        RETURNING user_id
    )
    SELECT number, user_id FROM known JOIN added ON user_id = known.id
""")  # noqa: S608  # only a constant is interpolated


async def no_progress(_: int) -> None:
    """Show the progress to no one."""


async def import_members(
    db: Session,
    group_id: int,
    actor: User,
    rows: Iterable[InvitationRequest],
    key: str,
    count_invitations: CountInvitations,
    *,
    dry_run: bool,
    progress: Progress = no_progress,
) -> ImportRead:
    """Invite everyone in a file, or add them if the actor may. Members and open invitations do not change.

    Args:
        key: derives the invitations' tokens.
        count_invitations: is called with their number before anything is stored, and may refuse it.
        dry_run: count only.
        progress: is called after each batch, with the number of rows that are done. What it raises ends the import.

    Raises:
        UserNotFound: the actor was deleted or deactivated meanwhile.
        GroupNotFound: the group does not exist, or the actor may not see it.
        GroupForbidden: the actor may not import, or no longer when all rows are stored.
        VerifiedEmailRequired: the actor's email address is not verified.
        NotForServiceAccounts: the actor is a service account.

    """
    member_import = _MemberImport(db, group_id, actor, key, progress)
    await member_import.run(rows, count_invitations, dry_run=dry_run)
    return ImportRead(dry_run=dry_run, **member_import.counts)


async def count_known(db: Session, group_id: int) -> int:
    """Return the most rows of a file that can be members or invited already."""
    [(known,)] = await COUNT_KNOWN.run(db, group_id=group_id)
    return int(known)


@dataclass(frozen=True, slots=True)
class _NewRows:
    """Rows that are neither members nor invited yet: to add, and to invite."""

    add: list[InvitationRequest]
    invite: list[InvitationRequest]


class _MemberImport:
    def __init__(self, db: Session, group_id: int, actor: User, key: str, progress: Progress) -> None:
        self.db = db
        self.group_id = group_id
        self.actor = actor
        self.key = key
        self.progress = progress
        self.counts: Counter[str] = Counter()

    async def run(self, rows: Iterable[InvitationRequest], count: CountInvitations, *, dry_run: bool) -> None:
        access = await self._require_permission()
        new = await self._skip_known(rows, may_add=access.may(Permission.ADD_MEMBERS))
        await count(len(new.invite))
        if dry_run:
            self.counts.update(added=len(new.add), invited=len(new.invite))
            return
        await self._prevent_deletion()
        await self._invite(new.invite)
        await self._add(new.add)
        access = await self._require_permission()
        if new.add:
            access.require(Permission.ADD_MEMBERS)
        await record(self.db, Action.MEMBERS_IMPORTED, group_id=self.group_id, user_id=None, **self.counts)

    async def _prevent_deletion(self) -> None:
        """Lock the actor and the group as the foreign keys of the rows will."""
        for column, row_id, missing in (
            (col(User.id), self.actor.id, errors.UserNotFound),
            (col(UserGroup.id), self.group_id, errors.GroupNotFound),
        ):
            statement = select(column).where(column == row_id).with_for_update(read=True, key_share=True)
            if (await self.db.exec(statement)).one_or_none() is None:
                raise missing

    async def _require_permission(self) -> GroupAccess:
        """Check what the actor may do now: it may change until the last row is stored."""
        statement = select(User).where(col(User.id) == self.actor.id, col(User.is_active))
        actor = (await self.db.exec(statement, execution_options=POPULATE_EXISTING)).one_or_none()
        if actor is None:
            raise errors.UserNotFound
        access = await get_access(self.db, self.group_id, actor, Permission.IMPORT)
        require_verified_email(actor)
        return access

    async def _skip_known(self, rows: Iterable[InvitationRequest], *, may_add: bool) -> _NewRows:
        new = _NewRows([], [])
        for batch in batched(rows, BATCH_ROWS, strict=False):
            known = await SELECT_KNOWN.run(self.db, group_id=self.group_id, emails=[row.email for row in batch])
            for row, (is_active, is_member, is_invited) in zip(batch, known, strict=True):
                if is_member:
                    self.counts["already_members"] += 1
                elif is_active and may_add:
                    new.add.append(row)
                elif is_invited:
                    self.counts["already_invited"] += 1
                else:
                    new.invite.append(row)
            await self.progress(self.counts.total())
        return new

    async def _invite(self, rows: Iterable[InvitationRequest]) -> None:
        for batch in batched(rows, BATCH_ROWS, strict=False):
            stored = await store_invitations(self.db, self.key, self.group_id, self.actor.id, batch)
            events = [(None, {"role": invitation.role}) for invitation in stored]
            await record_many(self.db, Action.INVITATION_CREATED, self.group_id, events)
            self.counts["invited"] += len(stored)
            self.counts["already_invited"] += len(batch) - len(stored)
            await self.progress(self.counts.total())

    async def _add(self, rows: Iterable[InvitationRequest]) -> None:
        """Add users. The first one locks the group.

        Rows that are not added, of users who became members meanwhile or are being deleted, are classified again.
        """
        for batch in batched(rows, BATCH_ROWS, strict=False):
            values = {"emails": [row.email for row in batch], "roles": [row.role.value for row in batch]}
            added = await INSERT_MEMBERS.run(self.db, group_id=self.group_id, **values)
            events = [(user_id, {"role": batch[number - 1].role}) for number, user_id in added]
            await record_many(self.db, Action.MEMBERSHIP_CREATED, self.group_id, events)
            self.counts["added"] += len(added)
            numbers = {number for number, _ in added}
            rest = [row for number, row in enumerate(batch, 1) if number not in numbers]
            await self._invite((await self._skip_known(rest, may_add=False)).invite)
            await self.progress(self.counts.total())
