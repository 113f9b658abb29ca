"""Step-up authentication (OWASP ASVS 5.0, 7.5).

Changing credentials or deleting the account requires the current password or a recent sign-in.
"""

from datetime import timedelta

from sqlalchemy import func, literal
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
    """Verify the password if one is given, else that the session's sign-in is no older than ``recent``.

    Raises:
        BadCurrentPassword: the password is wrong.
        ReauthenticationRequired: no password is given, and the sign-in is too old.
        Busy: the queue of passwords to verify is full.

    """
    if password is not None:
        await db.release_connection()
        correct, _ = await passwords.verify(password, user.hashed_password)
        if not correct:
            raise errors.BadCurrentPassword
    elif not await _is_recent(db, current, recent):
        raise errors.ReauthenticationRequired(int(recent.total_seconds()))


async def _is_recent(db: Session, current: UserSession, recent: timedelta) -> bool:
    # By the clock that stored the time. A sign-in in the future was stored before that clock was set back.
    age = func.clock_timestamp() - literal(current.authenticated_at)
    return bool(await db.scalar(select(age.between(timedelta(0), recent))))


async def lock_session(db: Session, user: User, current: UserSession, recent: timedelta) -> None:
    """Lock the user and the session until the transaction ends.

    Raises:
        ReauthenticationRequired: while no connection was held, the password was changed or the session ended.

    """
    unchanged = select(User.id, UserSession.id).where(
        col(User.id) == user.id,
        col(User.hashed_password) == user.hashed_password,
        col(UserSession.id) == current.id,
        col(UserSession.user_id) == col(User.id),
    )
    if (await db.exec(unchanged.with_for_update())).first() is None:
        raise errors.ReauthenticationRequired(int(recent.total_seconds()))
