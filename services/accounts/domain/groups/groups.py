"""Groups: create, get, list, update and delete."""

from sqlalchemy.exc import IntegrityError

from accounts.db.errors import violated
from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.audit.log import Action, record, record_many
from accounts.domain.groups import group_list
from accounts.domain.groups.access import get_group, lock_group, to_group_read
from accounts.domain.groups.membership import add_member
from accounts.domain.groups.owned_accounts import lock_for_deletion
from accounts.domain.groups.permissions import Permission
from accounts.domain.people import Caller, lock_user, require_person, require_recent_sign_in
from accounts.models import Role, User, UserGroup
from accounts.models.groups import NAME_INDEX
from accounts.schemas.groups import GroupCreate, GroupQuery, GroupRead, GroupUpdate, OwnGroupQuery
from accounts.schemas.pagination import Page, read_page

RECORDED = {"visibility", "required_aal"}  # of changes, the audit log has these values: names may be personal


class GroupManager:
    """Operations on groups. Methods run in the caller's transaction."""

    def __init__(self, db: Session) -> None:
        self.db = db

    async def create(self, group_create: GroupCreate, owner: User, group_id: int | None = None) -> GroupRead:
        """Create a group with its first owner.

        Args:
            group_id: an id that the identity column will not generate, for sample data; by default it generates one.

        Raises:
            GroupNameTaken: another public group has the name, or gets it concurrently.
            UserNotFound: the owner has been deleted or deactivated.
            NotForServiceAccounts: the owner would be a service account.

        """
        require_person(await lock_user(self.db, owner))
        group = UserGroup(**group_create.model_dump())
        if group_id is not None:
            group.id = group_id
        self.db.add(group)
        await self._flush()
        await record(self.db, Action.GROUP_CREATED, group_id=group.id)
        await add_member(self.db, group.id, owner.id, Role.OWNER)
        await self.db.refresh(group, ["member_count"])
        return to_group_read(group, Role.OWNER)

    async def get(self, group_id: int, viewer: User | None) -> GroupRead:
        """Get a group.

        Raises:
            GroupNotFound: there is no such group, or the viewer may not see it.

        """
        return await get_group(self.db, group_id, viewer)

    async def update(self, group_id: int, group_update: GroupUpdate, actor: User) -> GroupRead:
        """Change the fields that are set in ``group_update``.

        Raises:
            GroupNotFound: there is no such group, or the actor may not see it.
            GroupForbidden: the actor lacks the permission.
            AssuranceRequired: the session's level is lower than the group requires, or would.
            GroupNameTaken: another public group has the name.

        """
        access = await lock_group(self.db, group_id, actor, Permission.UPDATE)
        values = group_update.model_dump(exclude_unset=True)
        changed = {name: value for name, value in values.items() if getattr(access.group, name) != value}
        if "visibility" in changed:
            access.require(Permission.SET_VISIBILITY)
        if "required_aal" in changed:
            access.require(Permission.REQUIRE_ASSURANCE)
            self._require_level(changed["required_aal"])
        for name, value in changed.items():
            setattr(access.group, name, value)
        await self._flush()
        if changed:
            detail = {name: value for name, value in changed.items() if name in RECORDED}
            await record(self.db, Action.GROUP_CHANGED, group_id=group_id, changed=sorted(changed), **detail)
        return to_group_read(access.group, access.role)

    async def delete(self, group_id: int, actor: User) -> None:
        """Delete a group with its memberships, invitations and service accounts.

        Raises:
            GroupNotFound: there is no such group, or the actor may not see it.
            GroupForbidden: the actor lacks the permission.
            ReauthenticationRequired: the actor's sign-in is not recent.

        """
        access, accounts = await lock_for_deletion(self.db, group_id, actor, Permission.DELETE)
        await require_recent_sign_in(self.db, actor)
        await record_many(self.db, Action.SERVICE_ACCOUNT_DELETED, group_id, [(user.id, {}) for user in accounts])
        await record(self.db, Action.GROUP_DELETED, group_id=group_id)
        await self.db.delete(access.group)
        await self.db.flush()

    async def list(self, viewer: User | None, query: GroupQuery) -> Page[GroupRead]:
        """List the groups that the viewer may see, by name.

        Raises:
            BadCursor: the cursor does not belong to this list.

        """
        caller = Caller.of(self.db, viewer) if viewer else None
        return read_page(GroupRead, await group_list.list_groups(self.db, caller, query))

    async def of_user(self, user: User, query: OwnGroupQuery) -> Page[GroupRead]:
        """List the groups of which a user is a member, by id.

        Raises:
            BadCursor: the cursor does not belong to this list.

        """
        return read_page(GroupRead, await group_list.list_groups_of(self.db, user.id, query))

    def _require_level(self, required_aal: int) -> None:
        """Raise AssuranceRequired for callers who would lock themselves out."""
        if self.db.caller_level.level < required_aal:
            raise errors.AssuranceRequired

    async def _flush(self) -> None:
        try:
            await self.db.flush()
        except IntegrityError as error:
            if violated(error) == NAME_INDEX.name:
                raise errors.GroupNameTaken from error
            raise
