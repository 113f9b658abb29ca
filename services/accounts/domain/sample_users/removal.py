"""Removal of the sample and volume users who have the published password, by few statements: there may be millions.

- Users at a sample or volume address are deleted, even the last superuser. So are the groups that had no other members.
- Service accounts count as no members here, since they cannot own a group: those of a deleted group go with it.
- Other groups stay. Where no active owner is left, the admin, or else the member, who joined first becomes the owner.
- Accounts at other addresses are used by people. They keep everything but the password and the sessions.
"""

from dataclasses import dataclass

from sqlmodel import col, select

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain import errors
from accounts.domain.access_keys.store import AccessKeyStore
from accounts.domain.audit.log import Action, record
from accounts.domain.bulk import NO_TIMEOUTS
from accounts.domain.identity import one_time_tokens
from accounts.domain.identity.stored_hashes import UNUSABLE
from accounts.domain.identity.user_adapter import UserAdapter
from accounts.domain.last_owner import GROUPS_SHOWN
from accounts.domain.mail import outbox
from accounts.domain.sample_users.published_password import EMAILS, FIRST_VOLUME_ID, LAST_VOLUME_ID, find_hashes
from accounts.domain.sessions.sessions import SessionManager
from accounts.models import MailKind, Membership, Role, User, UserGroup
from accounts.settings import Settings

STAGE = (
    CompiledStatement("CREATE TEMP TABLE sample_user (id uuid PRIMARY KEY) ON COMMIT DROP"),
    CompiledStatement("CREATE TEMP TABLE sample_group (id bigint PRIMARY KEY) ON COMMIT DROP"),
    CompiledStatement("""
        INSERT INTO sample_user SELECT id FROM "user" WHERE hashed_password = ANY(CAST(:hashes AS text[])) AND (
            lower(email) = ANY(CAST(:emails AS text[]))
            OR id BETWEEN :first_id AND :last_id AND lower(email) LIKE '%@batch-%.example.com'
        ) ORDER BY id FOR UPDATE
    """),
    CompiledStatement("""
        INSERT INTO sample_group SELECT id FROM user_group
        WHERE id IN (SELECT group_id FROM membership JOIN sample_user ON sample_user.id = user_id)
        ORDER BY id FOR UPDATE
    """),
    CompiledStatement("ANALYZE sample_user, sample_group"),
)
# Groups that lose all active owners, with the others of their members. Groups without other members are not among them.
ABANDONED = """
    WITH rest AS (
        SELECT membership.*, is_active FROM membership
        JOIN sample_group ON sample_group.id = group_id JOIN "user" ON "user".id = user_id
        WHERE owner_group_id IS NULL AND NOT EXISTS (SELECT FROM sample_user WHERE sample_user.id = user_id)
    ), abandoned AS (SELECT * FROM rest WHERE NOT EXISTS (
        SELECT FROM rest AS other WHERE other.group_id = rest.group_id AND other.role = 'owner' AND other.is_active
    ))
"""
# By role: an admin comes before a member.
HEIRS = CompiledStatement(f"""
    {ABANDONED} SELECT DISTINCT ON (group_id) group_id, user_id FROM abandoned WHERE is_active
    ORDER BY group_id, role, joined_at, user_id
""")  # noqa: S608  # only a constant is interpolated
OWNERLESS = CompiledStatement(f"{ABANDONED} SELECT DISTINCT group_id FROM abandoned LIMIT :limit")  # noqa: S608  # as above
KEEP_SHARED_GROUPS = CompiledStatement("""
    DELETE FROM sample_group WHERE EXISTS (
        SELECT FROM membership JOIN "user" ON "user".id = user_id
        WHERE group_id = sample_group.id AND owner_group_id IS NULL
        AND NOT EXISTS (SELECT FROM sample_user WHERE sample_user.id = user_id)
    )
""")
# Memberships first, and at once: a trigger counts the members of each group that a statement removes some from.
DELETE = tuple(
    CompiledStatement(f"WITH gone AS (DELETE FROM {rows} RETURNING 1) SELECT count(*) FROM gone")  # noqa: S608  # as above
    for rows in (
        "membership USING sample_user WHERE sample_user.id = user_id",
        "user_group USING sample_group WHERE sample_group.id = user_group.id",
        '"user" USING sample_user WHERE sample_user.id = "user".id',
    )
)


@dataclass(frozen=True, slots=True)
class Removal:
    """How many users and groups were deleted, groups got a new owner, and other accounts lost their password."""

    users: int
    groups: int
    new_owners: int
    locked_out: int
    superuser_left: bool


async def remove_sample_users(db: Session, settings: Settings) -> Removal:
    """Remove the published password from the database. Runs as the schema's owner, who may create temporary tables.

    Raises:
        LastOwner: with groups in which all others are inactive. Nothing is changed then.

    """
    hashes = await find_hashes(db)
    await db.exec(NO_TIMEOUTS)
    for statement in STAGE:
        await statement.run(db, hashes=hashes, emails=EMAILS, first_id=FIRST_VOLUME_ID, last_id=LAST_VOLUME_ID)
    new_owners = await _appoint_owners(db)
    await KEEP_SHARED_GROUPS.run(db)
    _, groups, deleted = [(await statement.run(db))[0][0] for statement in DELETE]
    locked_out = await _lock_out(db, settings, hashes)
    if deleted:
        await record(db, Action.SAMPLE_USERS_DELETED, users=deleted, groups=groups)
    superuser = await db.exec(select(User.id).where(User.is_superuser, User.is_active).limit(1))
    return Removal(deleted, groups, new_owners, locked_out, superuser_left=superuser.first() is not None)


async def _appoint_owners(db: Session) -> int:
    heirs = await HEIRS.run(db)
    for group_id, user_id in heirs:
        membership = await db.get_one(Membership, (group_id, user_id))
        group, user = await db.get_one(UserGroup, group_id), await db.get_one(User, user_id)
        detail = {"role": Role.OWNER, "was": membership.role}
        membership.role = Role.OWNER
        await db.flush()
        await record(db, Action.MEMBERSHIP_CHANGED, user_id=user_id, group_id=group_id, **detail)
        of_group = {"group_id": group_id, "group_name": group.name, "by_user": False}
        await outbox.enqueue_notice(db, MailKind.ROLE_CHANGED, user, **of_group, **detail)
    if ownerless := [group_id for (group_id,) in await OWNERLESS.run(db, limit=GROUPS_SHOWN)]:
        groups = select(UserGroup).where(col(UserGroup.id).in_(ownerless)).order_by(UserGroup.name)
        raise errors.LastOwner((await db.exec(groups)).all())
    return len(heirs)


async def _lock_out(db: Session, settings: Settings, hashes: list[str]) -> int:
    others = (await db.exec(select(User).where(col(User.hashed_password).in_(hashes)))).all()
    for user in others:
        await UserAdapter(db).update(user, {"hashed_password": UNUSABLE})
        await one_time_tokens.revoke_tokens(db, user)
        await SessionManager(db, settings).revoke_all(user)
        await AccessKeyStore(db).revoke_all(user)
        await outbox.enqueue_notice(db, MailKind.PASSWORD_CHANGED, user)
    return len(others)
