"""Users and their locks; and what only people may do and have, not programs."""

import uuid
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from typing import Self

from sqlalchemy import and_, bindparam, func, literal
from sqlmodel import col, select

from accounts.db.session import CallerLevel, LastProof, Session
from accounts.db.statements import POPULATE_EXISTING
from accounts.domain import errors
from accounts.models import User

# The caller is locked last. Only a service account is not: the deletion of a group locks its own by their ids.
LOCK_USER_AND_CALLER = (
    select(User)
    .where(col(User.id).in_([bindparam("user_id"), bindparam("caller_id")]))
    .order_by(and_(col(User.id) == bindparam("caller_id"), col(User.owner_group_id).is_(None)), col(User.id))
    .with_for_update(read=True, key_share=True)
)


@dataclass(frozen=True, slots=True)
class Caller:
    """What lists need to know of a signed-in user, and the level of the session."""

    id: uuid.UUID
    email: str
    is_verified: bool
    is_superuser: bool
    level: CallerLevel

    @classmethod
    def of(cls, db: Session, user: User) -> Self:
        """Return the caller of a transaction."""
        return cls(user.id, user.email, user.is_verified, user.is_superuser, db.caller_level)

    @property
    def has_superuser_rights(self) -> bool:
        """Whether the caller is a superuser, with a session of the level that their rights require."""
        return self.is_superuser and self.level.suffices_for_superusers


def require_person(user: User) -> None:
    """Raise NotForServiceAccounts if a user is a service account."""
    if user.owner_group_id is not None:
        raise errors.NotForServiceAccounts


def require_verified_email(actor: User) -> None:
    """Raise VerifiedEmailRequired unless the actor's email address is verified, and NotForServiceAccounts for programs.

    Any user can have many groups, each with service accounts: these would multiply the mails that a user may cause.
    """
    require_person(actor)
    if not actor.is_verified:
        raise errors.VerifiedEmailRequired


def has_superuser_rights(db: Session, user: User) -> bool:
    """Return whether the caller ``user`` is a superuser, with a session of the level that their rights require."""
    return user.is_superuser and db.caller_level.suffices_for_superusers


async def lock_user(db: Session, user: User, *, read: bool = False, or_inactive: bool = False) -> User:
    """Lock a user against being changed or deleted until the transaction ends, and read the row again.

    With ``read``, other transactions may lock the user likewise. With ``or_inactive``, the user may be inactive.

    Raises:
        UserNotFound: the user has been deleted or deactivated.

    """
    conditions = [col(User.id) == user.id] + ([] if or_inactive else [col(User.is_active)])
    statement = select(User).where(*conditions).with_for_update(read=read, key_share=True)
    locked = (await db.exec(statement, execution_options=POPULATE_EXISTING)).one_or_none()
    if locked is None:
        raise errors.UserNotFound
    return locked


async def lock_user_and_caller(db: Session, user_id: uuid.UUID, caller: User) -> tuple[User | None, User]:
    """Lock a user and the caller, who may be the same, against being deactivated or deleted until the transaction ends.

    Returns:
        Both, as they are now; None for a user who does not exist.

    Raises:
        UserNotFound: the caller has been deleted or deactivated.

    """
    ids = {"user_id": user_id, "caller_id": caller.id}
    rows = (await db.exec(LOCK_USER_AND_CALLER, params=ids, execution_options=POPULATE_EXISTING)).all()
    users = {user.id: user for user in rows}
    locked = users.get(caller.id)
    if locked is None or not locked.is_active:
        raise errors.UserNotFound
    return users.get(user_id), locked


async def require_recent_sign_in(db: Session, actor: User) -> None:
    """Raise ReauthenticationRequired unless a person proved lately who they are; see ``require_recent_proof``.

    Programs have a scope in place of that, and commands are trusted.
    """
    proof = db.context.last_proof if db.context else None
    if proof is not None:
        await require_recent_proof(db, actor, db.caller_level.level, proof)


async def require_recent_proof(db: Session, user: User, level: int, proof: LastProof) -> None:
    """Raise ReauthenticationRequired unless a proof is recent, and of level 2 if the user has a second factor.

    It is compared by the clock that stored its time. One in the future was stored before that clock was set back.
    """
    if level > 1 or not user.second_factors:
        age = func.clock_timestamp() - literal(proof.at)
        if await db.scalar(select(age.between(timedelta(0), proof.recent))):
            return
    raise errors.ReauthenticationRequired(int(proof.recent.total_seconds()), 2 if user.second_factors else 1)


async def list_inactive(db: Session, user_ids: Collection[uuid.UUID]) -> set[uuid.UUID]:
    """Return which of some users are deactivated."""
    statement = select(User.id).where(col(User.id).in_(user_ids), ~col(User.is_active))
    return {*(await db.exec(statement)).all()}
