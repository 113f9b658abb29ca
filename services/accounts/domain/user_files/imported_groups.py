"""The groups of imported users: found by id or name, or created; each new one needs an active owner in the file."""

from collections import Counter
from collections.abc import Callable, Iterable

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain.audit.log import Action
from accounts.domain.user_files.new_users import TRUE, NewUser
from accounts.models import Role, Visibility
from accounts.models.base import COLLATION
from accounts.schemas.user_files import GroupLine

# The lock, which foreign keys take as well, prevents only the deletion of the groups. A group that requires a higher
# assurance level than the caller's session has is as good as missing: its members are not changed from there.
LOCK_GROUPS = CompiledStatement("""
    SELECT id FROM user_group WHERE id = ANY(CAST(:ids AS bigint[])) AND required_aal <= :level
    ORDER BY id FOR KEY SHARE
""")
FIND_NAMES = CompiledStatement(f"""
    SELECT given.name, count(user_group.id), min(user_group.id)
    FROM unnest(CAST(:names AS text[])) AS given (name)
    LEFT JOIN user_group ON user_group.visibility IN ('{Visibility.PUBLIC}', '{Visibility.PRIVATE}')
        AND lower(user_group.name) = lower(given.name COLLATE "{COLLATION}")
    GROUP BY given.name
""")  # noqa: S608  # only constants are interpolated
CREATE_GROUPS = CompiledStatement(f"""
    WITH created AS (
        INSERT INTO user_group (name, visibility) SELECT name, '{Visibility.PRIVATE}'
        FROM unnest(CAST(:names AS text[])) AS given (name)
        RETURNING id, name
    ), recorded AS (
        INSERT INTO audit_event (action, actor_id, group_id, address, detail)
        SELECT '{Action.GROUP_CREATED}', CAST(:actor_id AS uuid), id, :address, '{{}}' FROM created
    )
    SELECT name, id FROM created
""")  # noqa: S608  # only constants are interpolated
INSERT_MEMBERSHIPS = CompiledStatement("""
    INSERT INTO membership (group_id, user_id, role)
    SELECT * FROM unnest(CAST(:group_ids AS bigint[]), CAST(:user_ids AS uuid[]), CAST(:roles AS text[]))
""")
RECORD_MEMBERS = CompiledStatement(f"""
    INSERT INTO audit_event (action, actor_id, group_id, address, detail)
    SELECT '{Action.MEMBERS_IMPORTED}', CAST(:actor_id AS uuid), group_id, :address, jsonb_build_object('added', added)
    FROM unnest(CAST(:group_ids AS bigint[]), CAST(:added AS integer[])) AS given (group_id, added)
""")  # noqa: S608  # only a constant is interpolated


class ImportedGroups:
    """Resolves the groups of a file, and adds the created users. Names are compared without letter case."""

    def __init__(self, db: Session, refuse: Callable[..., None], *, dry_run: bool) -> None:
        """``refuse`` takes a line, and column, type and message of its fault."""
        self.db = db
        self._refuse_line = refuse
        self.dry_run = dry_run
        self._known: dict[int | str, int | None] = {}  # by id, and by name in lower case; None if it is not usable
        self._without_owner: dict[int, int] = {}  # by new group, the line that names it first
        self._added: Counter[int] = Counter()
        self._created = 0

    @property
    def counts(self) -> dict[str, int]:
        """The numbers of groups and memberships that were created."""
        return {"groups_created": self._created, "memberships_created": self._added.total()}

    async def join(self, users: Iterable[NewUser]) -> None:
        """Add users to their groups. A group that does not exist, or one of several with a name, is a fault."""
        users = [user for user in users if user.groups]
        if not users:
            return
        await self._look_up(users)
        memberships: dict[tuple[int, str], Role] = {}
        for user in users:
            for group in user.groups:
                group_id = self._known[_key(group)]
                if group_id is None:
                    self._refuse(user.line, group)
                    continue
                memberships.setdefault((group_id, user.id), group.role)
                if group.role is Role.OWNER and user.is_active == TRUE:
                    self._without_owner.pop(group_id, None)
        await self._add(memberships)

    def _refuse(self, line: int, group: GroupLine) -> None:
        if group.id:
            self._refuse_line(line, ("groups", "group", "A group does not exist"))
        else:
            self._refuse_line(line, ("groups", "ambiguous", "Several groups have the name: use the id"))

    async def _look_up(self, users: list[NewUser]) -> None:
        wanted = [(group, user) for user in users for group in user.groups if _key(group) not in self._known]
        names = {_key(group): (group.name, user.line) for group, user in reversed(wanted) if group.name}
        found: dict[int | str, int | None] = {group.id: group.id for group, _ in wanted if group.id}
        missing = []
        for name, number, group_id in await FIND_NAMES.run(self.db, names=[name for name, _ in names.values()]):
            found[name.lower()] = group_id if number == 1 else None
            if number == 0:
                missing.append(name)
        ids, level = list(filter(None, found.values())), self.db.caller_level.level
        locked = {group_id for (group_id,) in await LOCK_GROUPS.run(self.db, ids=ids, level=level)}
        self._known |= {key: group_id if group_id in locked else None for key, group_id in found.items()}
        if missing:
            await self._create(missing, {key: line for key, (_, line) in names.items()})

    async def _create(self, names: list[str], lines: dict[int | str, int]) -> None:
        context = {"actor_id": self.db.actor_id, "address": self.db.client_ip}
        if self.dry_run:
            created = [(name, -self._created - number) for number, name in enumerate(names, start=1)]
        else:
            created = [(name, group_id) for name, group_id in await CREATE_GROUPS.run(self.db, names=names, **context)]
        self._created += len(created)
        for name, group_id in created:
            self._known[name.lower()] = group_id
            self._without_owner[group_id] = lines[name.lower()]

    async def _add(self, memberships: dict[tuple[int, str], Role]) -> None:
        self._added.update(group_id for group_id, _ in memberships)
        if memberships and not self.dry_run:
            rows = sorted((group_id, user_id, role) for (group_id, user_id), role in memberships.items())
            group_ids, user_ids, roles = zip(*rows, strict=True)
            await INSERT_MEMBERSHIPS.run(self.db, group_ids=group_ids, user_ids=user_ids, roles=roles)

    def require_owners(self) -> None:
        """Refuse the lines that name a new group without an active owner: the last-owner rule."""
        for line in self._without_owner.values():
            self._refuse_line(line, ("groups", "no_owner", "A new group has no active owner among the new users"))

    async def record_members(self) -> None:
        """Add an audit event for each group that got members."""
        context = {"actor_id": self.db.actor_id, "address": self.db.client_ip}
        groups = {"group_ids": list(self._added), "added": list(self._added.values())}
        await RECORD_MEMBERS.run(self.db, **groups, **context)


def _key(group: GroupLine) -> int | str:
    return group.id or (group.name or "").lower()
