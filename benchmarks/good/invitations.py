"""The lists of invitations: those of a group, and those to the user."""

from typing import Any

from fastapi import APIRouter
from sqlmodel import col, func, or_, select

from accounts.models import Invitation, User, UserGroup
from accounts.schemas.invitations import InvitationRead, OwnInvitationRead
from benchmarks.good.database import Db
from benchmarks.good.groups import require_admin
from benchmarks.good.users import CurrentUser, Limit

router = APIRouter()
INVITER_NAME: Any = col(User.display_name).label("inviter_name")
OPEN = col(Invitation.expires_at) > func.now()
COMMON = ("id", "role", "note", "created_at", "expires_at")


def columns(*names: str) -> Any:
    """Return columns of invitations."""
    return [getattr(Invitation, name) for name in names]


@router.get("/user-groups/{group_id}/invitations", response_model=list[InvitationRead])
async def list_invitations(
    group_id: int, db: Db, user: CurrentUser, after: int = 0, limit: Limit = 50
) -> list[dict[str, Any]]:
    """List the open invitations of a group."""
    await require_admin(db, group_id, user)
    inviter: Any = (col(User.id).label("inviter_id"), INVITER_NAME)
    statement = (
        select(*columns(*COMMON, "email", "user_id"), *inviter)
        .outerjoin(User, col(User.id) == Invitation.inviter_id)
        .where(Invitation.group_id == group_id, Invitation.id > after, OPEN)
        .order_by(Invitation.id)
        .limit(limit)
    )
    return [
        {**row, "inviter": row["inviter_id"] and {"id": row["inviter_id"], "display_name": row["inviter_name"]}}
        for row in (await db.exec(statement)).mappings()
    ]


@router.get("/users/me/invitations", response_model=list[OwnInvitationRead])
async def list_my_invitations(db: Db, user: CurrentUser, after: int = 0, limit: Limit = 50) -> list[dict[str, Any]]:
    """List the open invitations to the caller."""
    to_caller = or_(Invitation.user_id == user.id, func.lower(Invitation.email) == user.email.lower())
    shown: Any = [col(UserGroup.id).label("group_id"), col(UserGroup.name).label("group_name"), INVITER_NAME]
    statement = (
        select(*columns(*COMMON), *shown)
        .join(UserGroup, col(UserGroup.id) == Invitation.group_id)
        .outerjoin(User, col(User.id) == Invitation.inviter_id)
        .where(to_caller, Invitation.id > after, OPEN)
        .order_by(Invitation.id)
        .limit(limit)
    )
    return [
        {**row, "group": {"id": row["group_id"], "name": row["group_name"]}}
        for row in (await db.exec(statement)).mappings()
    ]
