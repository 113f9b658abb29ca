"""Groups and their members: what each caller may see, and the queries that find it."""

import uuid

from sqlalchemy import ColumnElement, func, true
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.exc import IntegrityError
from sqlmodel import col, or_, select

from accounts.database import Session, violated
from accounts.domain import errors
from accounts.domain.audit import Action, record
from accounts.domain.pages import page_of
from accounts.models import Membership, Role, User, UserGroup, Visibility
from accounts.models.group import NAME_INDEX
from accounts.schemas.group import GroupCreate, MemberRead
from accounts.schemas.page import Page, PageQuery


class GroupManager:
    """Rules about groups. Every method runs in the session's transaction, which somebody else ends."""

    def __init__(self, session: Session) -> None:
        self.session = session

    async def create(self, group_create: GroupCreate, group_id: int | None = None) -> UserGroup:
        """Make a group; ``group_id`` is for an id that the identity will not hand out.

        Raises:
            GroupNameTaken: also when two callers race for one name.

        """
        group = UserGroup(**group_create.model_dump())
        if group_id is not None:
            group.id = group_id
        self.session.add(group)
        try:
            await self.session.flush()
        except IntegrityError as error:
            if violated(error) == NAME_INDEX.name:
                raise errors.GroupNameTaken from error
            raise
        await record(self.session, Action.GROUP_CREATED, group_id=group.id)
        return group

    async def add_member(self, group: UserGroup, user: User, role: Role) -> bool:
        """Make a user a member; leave a membership that exists as it is, and return False."""
        values = {"group_id": group.id, "user_id": user.id, "role": role}
        statement = insert(Membership).values(values).on_conflict_do_nothing().returning(col(Membership.user_id))
        added = (await self.session.exec(statement)).first() is not None
        if added:
            await record(self.session, Action.MEMBERSHIP_CREATED, user_id=user.id, group_id=group.id, role=role)
        return added

    async def get(self, group_id: int, viewer: User | None) -> UserGroup:
        """Find a group.

        Raises:
            GroupNotFound: there is none that the viewer may see.

        """
        group, _ = await self._seen(group_id, viewer)
        return group

    async def list(self, viewer: User | None, query: PageQuery) -> Page[UserGroup]:
        """List the groups that the viewer may see, by name.

        Raises:
            BadCursor: the cursor is none of this list's.

        """
        name = func.lower(UserGroup.name)
        statement = select(UserGroup).where(_visible(viewer)).order_by(name)
        return await page_of(
            self.session, statement, query, key=name, parse=func.lower, key_of=lambda group: group.name
        )

    async def members(self, group_id: int, viewer: User | None, query: PageQuery) -> Page[MemberRead]:
        """List a group's members, by id; addresses are for fellow members and superusers.

        Raises:
            GroupNotFound: there is none that the viewer may see.
            BadCursor: the cursor is none of this list's.

        """
        _, fellow = await self._seen(group_id, viewer)
        statement = (
            select(Membership, User)
            .join(User, col(User.id) == Membership.user_id)
            .where(col(Membership.group_id) == group_id)
            .order_by(col(Membership.user_id))
        )
        page = await page_of(
            self.session,
            statement,
            query,
            key=col(Membership.user_id),
            parse=uuid.UUID,
            key_of=lambda row: str(row[1].id),
        )
        return Page([_member(membership, user, fellow=fellow) for membership, user in page.rows], page.next)

    async def _seen(self, group_id: int, viewer: User | None) -> tuple[UserGroup, bool]:
        """Find a group, and whether the viewer belongs to it or is a superuser."""
        statement = (
            select(UserGroup, Membership.role)
            .outerjoin(
                Membership,
                (col(Membership.group_id) == UserGroup.id) & (col(Membership.user_id) == (viewer and viewer.id)),
            )
            .where(UserGroup.id == group_id)
        )
        group, role = (await self.session.exec(statement)).one_or_none() or (None, None)
        fellow = role is not None or (viewer is not None and viewer.is_superuser)
        if group is None or not (fellow or group.visibility is Visibility.PUBLIC):
            raise errors.GroupNotFound
        return group, fellow


def _visible(viewer: User | None) -> ColumnElement[bool]:
    public = col(UserGroup.visibility) == Visibility.PUBLIC
    if viewer is None:
        return public
    if viewer.is_superuser:
        return true()
    mine = select(Membership.group_id).where(col(Membership.user_id) == viewer.id)
    return or_(public, col(UserGroup.id).in_(mine))


def _member(membership: Membership, user: User, *, fellow: bool) -> MemberRead:
    return MemberRead(
        id=user.id,
        display_name=user.display_name,
        email=user.email if fellow else None,
        role=Role(membership.role),
        joined_at=membership.joined_at,
    )
