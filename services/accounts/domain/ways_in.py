"""Ways in: what a user can sign in with. The last one cannot be removed."""

import uuid
from datetime import timedelta

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain import errors
from accounts.models import User

# A password, or a row of one of the tables. The user is locked, so none of them goes meanwhile.
HAS_OTHER = CompiledStatement("""
    SELECT id FROM "user" WHERE id = :user_id AND (
        hashed_password <> '!'
        OR EXISTS (SELECT FROM passkey WHERE user_id = :user_id AND id <> :without)
        OR EXISTS (SELECT FROM external_identity WHERE user_id = :user_id AND id <> :without)
    )
""")
DELETE_IDENTITIES = CompiledStatement("""
    DELETE FROM external_identity
    WHERE user_id = :user_id AND (created_at > now() - CAST(:age AS interval)) IS NOT FALSE
""")


async def require_other_way_in(db: Session, user: User, without: uuid.UUID) -> None:
    """Check that a locked user can sign in without one of the ways in.

    Args:
        db: the caller's transaction.
        user: the user.
        without: the id of the row to remove.

    Raises:
        LastWayIn: the user has no other one.

    """
    if not await HAS_OTHER.run(db, user_id=user.id, without=without):
        raise errors.LastWayIn


async def delete_identities(db: Session, user: User, newer_than: timedelta | None = None) -> None:
    """Disconnect a user from the accounts at other providers, or only from the newer ones."""
    await DELETE_IDENTITIES.run(db, user_id=user.id, age=newer_than)
