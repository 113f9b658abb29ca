"""Who owns a group next: whether an owner may leave, and the members who could become its owner."""

import uuid
from typing import Any

from sqlalchemy import bindparam, exists, select
from sqlmodel import col, func

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.groups.access import GroupAccess, get_access
from accounts.domain.groups.permissions import Permission
from accounts.domain.keyset import Keyset
from accounts.domain.last_owner import has_other_owner
from accounts.models import Membership, Role, User
from accounts.models.base import folded
from accounts.schemas.pagination import Page, PageQuery

IS_MEMBER = (col(Membership.group_id) == bindparam("group_id"), col(Membership.user_id) == User.id)
CAN_OWN = (col(User.is_active), col(User.owner_group_id).is_(None))  # active, and a person
BY_ID = Keyset((col(Membership.user_id),), text=lambda row: str(row.id), parse=lambda text: (uuid.UUID(text),))


class SuccessionManager:
    """Questions about the owners of a group. ``MemberManager`` transfers, and removes members."""

    def __init__(self, db: Session) -> None:
        self.db = db

    async def is_last_owner(self, group_id: int, user: User) -> bool:
        """Return whether a user is the only active owner of a group, and cannot leave it."""
        own = (col(Membership.group_id) == group_id, col(Membership.user_id) == user.id)
        is_owner = exists().where(*own, col(Membership.role) == Role.OWNER)
        return bool(await self.db.scalar(select(is_owner & ~has_other_owner(group_id, user.id))))

    async def list_successors(self, group_id: int, actor: User, query: PageQuery) -> Page[Any]:
        """List the members who could become owners, without the actor: id, name, email address and role.

        Raises:
            GroupNotFound: there is no such group, or the actor may not see it.
            GroupForbidden: the actor may not transfer the group.
            AssuranceRequired: the actor may in sessions of level 2 only.
            BadCursor: the cursor does not belong to this list.

        """
        await self._require_transfer(group_id, actor)
        columns: tuple[Any, ...] = User.id, User.display_name, User.email, Membership.role
        statement = select(*columns).where(*IS_MEMBER, *CAN_OWN, col(User.id) != actor.id)
        return await BY_ID.page(self.db, statement.params(group_id=group_id), query)

    async def find_successor(self, group_id: int, email: str, actor: User) -> uuid.UUID:
        """Return the id of the member with an email address, which those who may transfer the group can see.

        Raises:
            MemberNotFound: no member has this address.
            GroupNotFound: there is no such group, or the actor may not see it.
            GroupForbidden: the actor may not transfer the group.
            AssuranceRequired: the actor may in sessions of level 2 only.

        """
        await self._require_transfer(group_id, actor)
        statement = select(col(User.id)).where(*IS_MEMBER, func.lower(User.email) == folded(email))
        user_id: uuid.UUID | None = await self.db.scalar(statement.params(group_id=group_id))
        if user_id is None:
            raise errors.MemberNotFound
        return user_id

    async def _require_transfer(self, group_id: int, actor: User) -> GroupAccess:
        return await get_access(self.db, group_id, actor, Permission.TRANSFER)
