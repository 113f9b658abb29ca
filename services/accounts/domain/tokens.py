"""One-time tokens: made for one user, purpose and address; stored as hashes; used up by one atomic statement."""

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col, select

from accounts.database import Session
from accounts.models import OneTimeToken, Purpose, User

LIFETIME = {Purpose.VERIFY: timedelta(hours=24), Purpose.RESET: timedelta(hours=1)}


def digest(token: str) -> bytes:
    """What is stored of a token. 256 random bits need neither salt nor a slow hash."""
    return hashlib.sha256(token.encode()).digest()


async def issue(session: Session, user: User, purpose: Purpose) -> str:
    """Make a token of 256 bits; the one that the user had for the same purpose is dead from now on."""
    token = secrets.token_urlsafe(32)
    values = {
        "email": user.email,
        "token_hash": digest(token),
        "expires_at": func.now() + LIFETIME[purpose],
    }
    statement = insert(OneTimeToken).values(user_id=user.id, purpose=purpose, **values)
    await session.exec(statement.on_conflict_do_update(index_elements=["user_id", "purpose"], set_=values))
    return token


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
