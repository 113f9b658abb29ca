"""One-time tokens: made for one user, purpose and address; stored as hashes; used up by one atomic statement."""

import hashlib
import secrets
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, text
from sqlmodel import col, select

from accounts.database import Session
from accounts.models import OneTimeToken, Purpose, User
from accounts.models.user import COLLATION

NO_WAIT = select(func.set_config("synchronous_commit", "off", True))
# Text, because SQLAlchemy would compile an ON CONFLICT anew each time. The user is locked, so as not to be deleted
# before the token is there.
ISSUE = select(User).from_statement(
    text(f"""
        WITH needs AS (
            SELECT id, email FROM "user"
            WHERE lower(email) = lower(CAST(:email AS text) COLLATE "{COLLATION}")
                AND is_active AND NOT (is_verified AND CAST(:purpose AS text) = '{Purpose.VERIFY}')
            FOR KEY SHARE
        ), issued AS (
            INSERT INTO one_time_token (user_id, purpose, email, token_hash, expires_at)
            SELECT id, :purpose, email, :token_hash, now() + CAST(:lifetime AS interval) FROM needs
            ON CONFLICT (user_id, purpose) DO UPDATE
            SET email = excluded.email, token_hash = excluded.token_hash, expires_at = excluded.expires_at
            RETURNING user_id
        )
        SELECT "user".* FROM "user" JOIN issued ON issued.user_id = "user".id
    """)  # noqa: S608  # of constants
)
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
    values = {"email": email, "purpose": purpose, "token_hash": digest(token), "lifetime": LIFETIME[purpose]}
    await session.exec(NO_WAIT)
    user = await session.scalar(ISSUE, values)
    return (user, token) if user else None


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
