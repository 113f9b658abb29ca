"""The published password of sample and volume data, and the accounts that still have it.

They are found without reading all users: superusers, who could do the most harm, whatever their email address; sample
users by email address; volume users by id: ids begin with a time, and these have one from before this project existed.
"""

import uuid
from typing import Any

from sqlalchemy import union
from sqlmodel import col, func, select

from accounts.db.session import Session
from accounts.domain.identity.password_hashing import is_password
from accounts.models import User

PASSWORD = "correct-horse-battery"  # noqa: S105  # in the documentation
EMAILS = tuple(f"{name}@example.com" for name in ("arthur", "guinevere", "merlin", "lancelot", "galahad", "mordred"))
VOLUME_USERS_MAX = 10_000_000
VOLUME_CREATED = 1_735_689_600_000  # 2025-01-01 in Unix milliseconds; one user in each millisecond
FIRST_VOLUME_ID = uuid.UUID(int=VOLUME_CREATED << 80)
LAST_VOLUME_ID = uuid.UUID(int=(VOLUME_CREATED + VOLUME_USERS_MAX) << 80)
# Verifying a hash takes 40 ms, so there are limits: the oldest superusers, and the hashes of the first volume users,
# which all users of a batch share.
SUPERUSERS_SEEN, VOLUME_USERS_SEEN, VOLUME_HASHES_SEEN = 100, 1_000, 20

_HASH = col(User.hashed_password)
_SUPERUSERS = select(_HASH).where(User.is_superuser).order_by(col(User.id)).limit(SUPERUSERS_SEEN)
_SAMPLE_USERS = select(_HASH).where(func.lower(User.email).in_(EMAILS))
_IS_VOLUME_USER = col(User.id).between(FIRST_VOLUME_ID, LAST_VOLUME_ID)
_FIRST_VOLUME_USERS = select(_HASH).where(_IS_VOLUME_USER).order_by(col(User.id)).limit(VOLUME_USERS_SEEN).subquery()
_VOLUME_HASHES = select(_FIRST_VOLUME_USERS.c.hashed_password).distinct().limit(VOLUME_HASHES_SEEN)
CANDIDATES: Any = union(*(select(part.subquery()) for part in (_SUPERUSERS, _SAMPLE_USERS, _VOLUME_HASHES)))


async def find_hashes(db: Session) -> list[str]:
    """Return the stored hashes of the published password, at the beginning of a transaction."""
    candidates = (await db.exec(CANDIDATES)).scalars().all()
    await db.release_connection()
    return [hashed for hashed in candidates if is_password(PASSWORD, hashed)]
