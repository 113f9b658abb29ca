"""Whoever has a session may not be its user: before what a thief would do first, somebody has to prove it anew."""

from datetime import UTC, datetime, timedelta

from sqlmodel import col, select

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.models import User, UserSession


async def reauthenticate(
    db: Session,
    passwords: PasswordHasher,
    user: User,
    current: UserSession,
    password: str | None,
    recent: timedelta,
) -> None:
    """Check the password, where one is given; else that the session's sign-in is no older than ``recent``.

    Raises:
        BadCurrentPassword: the password is wrong.
        ReauthenticationRequired: there is none, and the sign-in was too long ago.
        Busy: too many passwords are waiting to be compared.

    """
    if password is not None:
        await db.release_connection()
        agrees, _ = await passwords.verify(password, user.hashed_password)
        if not agrees:
            raise errors.BadCurrentPassword
    elif datetime.now(UTC) - current.authenticated_at > recent:
        raise errors.ReauthenticationRequired(int(recent.total_seconds()))


async def lock_session(db: Session, user: User, current: UserSession, recent: timedelta) -> None:
    """Lock the user and the session until the transaction ends.

    Raises:
        ReauthenticationRequired: while passwords were hashed, somebody else changed the password or ended the session.

    """
    unchanged = select(User.id, UserSession.id).where(
        col(User.id) == user.id,
        col(User.hashed_password) == user.hashed_password,
        col(UserSession.id) == current.id,
        col(UserSession.user_id) == col(User.id),
    )
    if (await db.exec(unchanged.with_for_update())).first() is None:
        raise errors.ReauthenticationRequired(int(recent.total_seconds()))
