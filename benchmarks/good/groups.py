"""Groups, their members and the invitations to them."""

import uuid
from typing import Any

from fastapi import APIRouter, HTTPException
from sqlalchemy.orm import selectinload
from sqlmodel import col, func, or_, select, true, tuple_

from accounts.models import Membership, Role, User, UserGroup, Visibility
from accounts.schemas.groups import GroupRead, MemberRead, RoleInput
from benchmarks.good.database import Db
from benchmarks.good.users import CurrentUser, Limit, Viewer

router = APIRouter()
GROUP_COLUMNS: Any = [
    *(getattr(UserGroup, name) for name in GroupRead.model_fields if name != "my_role"),
    col(Membership.role).label("my_role"),
]


def groups_seen_by(viewer: User | None) -> Any:
    """Select groups with the viewer's role in each."""
    mine = (Membership.group_id == UserGroup.id) & (Membership.user_id == (viewer.id if viewer else None))
    return select(*GROUP_COLUMNS).select_from(UserGroup).outerjoin(Membership, mine)


def visible(viewer: User | None) -> Any:
    """Return the condition that the viewer may see a group."""
    public = col(UserGroup.visibility) == Visibility.PUBLIC
    if viewer is None:
        return public
    return true() if viewer.is_superuser else or_(public, col(Membership.user_id).is_not(None))


@router.get("/user-groups", response_model=list[GroupRead])
async def list_groups(db: Db, viewer: Viewer, after: str | None = None, limit: Limit = 50) -> Any:
    """List the groups that the caller may see, by name; ``after`` is the id and the name of the last one seen."""
    name = func.lower(UserGroup.name)
    statement = groups_seen_by(viewer).where(visible(viewer)).order_by(name, UserGroup.id).limit(limit)
    if after is not None:
        group_id, _, last = after.partition(" ")
        statement = statement.where(tuple_(name, UserGroup.id) > (last.lower(), int(group_id)))
    return (await db.exec(statement)).mappings().all()


@router.get("/users/me/groups", response_model=list[GroupRead])
async def list_my_groups(db: Db, user: CurrentUser, after: int = 0, limit: Limit = 50) -> Any:
    """List the caller's groups, the oldest first."""
    statement = (
        select(*GROUP_COLUMNS)
        .join(Membership, col(Membership.group_id) == UserGroup.id)
        .where(Membership.user_id == user.id, Membership.group_id > after)
        .order_by(Membership.group_id)
        .limit(limit)
    )
    return (await db.exec(statement)).mappings().all()


@router.get("/user-groups/{group_id}", response_model=GroupRead)
async def read_group(group_id: int, db: Db, viewer: Viewer) -> Any:
    """Return a group."""
    group = (await db.exec(groups_seen_by(viewer).where(UserGroup.id == group_id, visible(viewer)))).mappings().first()
    if group is None:
        raise HTTPException(404)
    return group


@router.get("/user-groups/{group_id}/users", response_model=list[MemberRead], response_model_exclude_none=True)
async def list_members(group_id: int, db: Db, viewer: Viewer, after: uuid.UUID | None = None, limit: Limit = 50) -> Any:
    """List a group's members. Emails are shown to members and superusers."""
    group = await read_group(group_id, db, viewer)
    columns: Any = [User.id, User.display_name, Membership.role, Membership.joined_at]
    if group["my_role"] or (viewer and viewer.is_superuser):
        columns.append(User.email)
    page = select(*columns).join(Membership).where(Membership.group_id == group_id)
    if after is not None:
        page = page.where(Membership.user_id > after)
    return (await db.exec(page.order_by(Membership.user_id).limit(limit))).mappings().all()


@router.patch("/user-groups/{group_id}/users/{user_id}", response_model_exclude_none=True)
async def update_member(group_id: int, user_id: uuid.UUID, body: RoleInput, db: Db, user: CurrentUser) -> MemberRead:
    """Change a member's role."""
    own = await require_admin(db, group_id, user)
    statement = select(Membership).where(Membership.group_id == group_id, Membership.user_id == user_id)
    member = (await db.exec(statement.options(selectinload(Membership.user)).with_for_update())).one_or_none()
    if member is None:
        raise HTTPException(404)
    if Role.OWNER in {member.role, body.role} and own is not Role.OWNER:
        raise HTTPException(403)
    if member.role is Role.OWNER and body.role is not Role.OWNER:
        await keep_an_owner(db, group_id)
    member.role = body.role
    await db.commit()
    shown = member.user
    return MemberRead(
        id=shown.id, display_name=shown.display_name, email=shown.email, role=member.role, joined_at=member.joined_at
    )


async def require_admin(db: Db, group_id: int, user: User) -> Role:
    """Return the role of an admin or owner."""
    role = (
        await db.exec(select(Membership.role).where(Membership.group_id == group_id, Membership.user_id == user.id))
    ).first()
    if role not in {Role.ADMIN, Role.OWNER}:
        raise HTTPException(403)
    return Role(role)


async def keep_an_owner(db: Db, group_id: int) -> None:
    """Refuse to leave a group without an owner."""
    owners = select(Membership).where(Membership.group_id == group_id, Membership.role == Role.OWNER)
    if len((await db.exec(owners.with_for_update())).all()) == 1:
        raise HTTPException(409)
