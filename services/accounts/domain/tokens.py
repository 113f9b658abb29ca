"""One-time tokens: made for one user, purpose and address; stored as hashes; used up by one atomic statement."""

import hashlib
import secrets
import uuid
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, literal
from sqlalchemy import select as columns
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.dml import ReturningInsert
from sqlmodel import col, select

from accounts.database import Session
from accounts.models import OneTimeToken, Purpose, User
from accounts.models.user import folded

NO_WAIT = select(func.set_config("synchronous_commit", "off", True))
NEEDS: dict[Purpose, tuple[ColumnElement[bool], ...]] = {
    Purpose.VERIFY: (col(User.is_active).is_(True), col(User.is_verified).is_(False)),
    Purpose.RESET: (col(User.is_active).is_(True),),
}
LIFETIME = {Purpose.VERIFY: timedelta(hours=24), Purpose.RESET: timedelta(hours=1)}


def digest(token: str) -> bytes:
    """What is stored of a token. 256 random bits need neither salt nor a slow hash."""
    return hashlib.sha256(token.encode()).digest()


async def issue(session: Session, email: str, purpose: Purpose) -> tuple[User, str] | None:
    """Make a token of 256 bits for the user with an address, unless there is none who needs one for the purpose.

    The token that the user had for the same purpose is dead from now on. Whoever asks cannot tell by the time whether
    there is such a user: it is one statement in any case, and the commit does not wait for the disk, which a
    transaction that wrote nothing would not do either. What a crash loses can be asked for again.
    """
    token = secrets.token_urlsafe(32)
    await session.exec(NO_WAIT)
    issued = _issuing(email, purpose, digest(token)).cte("issued")
    user = (await session.exec(select(User).join(issued, issued.c.user_id == User.id))).one_or_none()
    return (user, token) if user else None


def _issuing(email: str, purpose: Purpose, token_hash: bytes) -> ReturningInsert[tuple[uuid.UUID]]:
    needs = select(User.id, User.email).where(func.lower(User.email) == folded(email), *NEEDS[purpose])
    # Locked, so that the user can't be deleted before the token is there.
    user = needs.with_for_update(read=True, key_share=True).cte("needs")
    row = columns(user.c.id, literal(purpose), user.c.email, literal(token_hash), func.now() + LIFETIME[purpose])
    key, values = ("user_id", "purpose"), ("email", "token_hash", "expires_at")
    statement = insert(OneTimeToken).from_select((*key, *values), row)
    replaced = {name: statement.excluded[name] for name in values}
    return statement.on_conflict_do_update(index_elements=key, set_=replaced).returning(col(OneTimeToken.user_id))


async def holder(session: Session, token: str, purpose: Purpose) -> User | None:
    """Find the active user whom a usable token stands for, and leave it usable."""
    statement = select(User).join(OneTimeToken, col(OneTimeToken.user_id) == User.id).where(*_usable(token, purpose))
    return (await session.exec(statement)).one_or_none()


async def use(session: Session, token: str, purpose: Purpose) -> User | None:
    """Use a token up and return its user. Of several callers at once, one gets the user and the others None."""
    user = await holder(session, token, purpose)
    statement = delete(OneTimeToken).where(col(OneTimeToken.token_hash) == digest(token))
    used = (await session.exec(statement.returning(col(OneTimeToken.user_id)))).all() if user else ()
    return user if used else None


async def revoke(session: Session, user: User) -> None:
    """Kill all tokens of a user, because the password or the address that they rest on has changed."""
    await session.exec(delete(OneTimeToken).where(col(OneTimeToken.user_id) == user.id))


def _usable(token: str, purpose: Purpose) -> tuple[ColumnElement[bool], ...]:
    return (
        col(OneTimeToken.token_hash) == digest(token),
        col(OneTimeToken.purpose) == purpose,
        col(OneTimeToken.expires_at) > func.now(),
        col(OneTimeToken.email) == User.email,
        col(User.is_active).is_(True),
    )
