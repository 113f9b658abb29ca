"""Sign-ins that wait for a second factor. They are no sessions: only the routes that finish them accept the token."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import ColumnElement, delete, func, insert, update
from sqlmodel import col, select

from accounts.db.session import Session
from accounts.db.statements import POPULATE_EXISTING
from accounts.domain import errors
from accounts.domain.opaque_tokens import create_token, hash_token
from accounts.domain.sessions.assurance import Assurance
from accounts.models import PendingSignIn, Scope, User

LIFETIME = timedelta(minutes=5)
ATTEMPTS_MAX = 5


async def store(db: Session, user: User, assurance: Assurance, scopes: Sequence[Scope]) -> str:
    """Store a pending sign-in of a locked user, and return its token."""
    token = create_token()
    values = {"token_hash": hash_token(token), "user_id": user.id, "scopes": [*scopes], "methods": [*assurance.methods]}
    await db.exec(insert(PendingSignIn).values(**values, expires_at=func.now() + LIFETIME))
    return token


async def keep_continuation(db: Session, token: str, return_to: str, invitation_hash: bytes | None) -> None:
    """Store what a pending sign-in continues with: where the browser is sent, and an invitation that is accepted."""
    pending = update(PendingSignIn).where(col(PendingSignIn.token_hash) == hash_token(token))
    await db.exec(pending.values(return_to=return_to, invitation_hash=invitation_hash))


async def find_user(db: Session, token: str, *, lock: bool = False) -> User:
    """Return the active user of a pending sign-in. With ``lock``, the user stays unchanged until the transaction ends.

    Raises:
        MfaBadToken: there is no such sign-in, or it has expired.

    """
    statement = select(User).join(PendingSignIn, col(PendingSignIn.user_id) == User.id)
    statement = statement.where(*_usable(token), col(User.is_active))
    if lock:
        statement = statement.with_for_update(of=User, key_share=True)
    user = (await db.exec(statement, execution_options=POPULATE_EXISTING)).one_or_none()
    if user is None:
        raise errors.MfaBadToken
    return user


async def count_attempt(db: Session, token: str) -> PendingSignIn:
    """Count an attempt to finish a pending sign-in, whose user is locked. The row stays locked as well.

    Raises:
        MfaBadToken: the sign-in was finished or has expired, or too many attempts failed.

    """
    counted = update(PendingSignIn).where(*_usable(token)).values(attempts=col(PendingSignIn.attempts) + 1)
    pending: PendingSignIn | None = (await db.exec(counted.returning(PendingSignIn))).scalar_one_or_none()
    if pending is None:
        raise errors.MfaBadToken
    return pending


async def end(db: Session, pending: PendingSignIn) -> None:
    """Delete a pending sign-in that was finished."""
    await db.exec(delete(PendingSignIn).where(col(PendingSignIn.token_hash) == pending.token_hash))


async def revoke_all(db: Session, user: User) -> None:
    """Delete all pending sign-ins of a user."""
    await db.exec(delete(PendingSignIn).where(col(PendingSignIn.user_id) == user.id))


def _usable(token: str) -> tuple[ColumnElement[bool], ...]:
    return (
        col(PendingSignIn.token_hash) == hash_token(token),
        col(PendingSignIn.expires_at) > func.now(),
        col(PendingSignIn.attempts) < ATTEMPTS_MAX,
    )
