"""Verifies the proof of a second factor, of whatever kind."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.audit.log import Action, record
from accounts.models import Method, User
from accounts.schemas.second_factors import FactorCodes
from accounts.settings import Settings

Verify = Callable[[Session, Settings, User, Any], Awaitable[tuple[Method, ...]]]


async def verify_factor(
    db: Session, settings: Settings, user: User, answer: FactorCodes, verifiers: Mapping[str, Verify]
) -> tuple[Method, ...]:
    """Verify a proof of a locked user's second factor, and return the methods that it proves.

    Args:
        verifiers: by member of ``answer``: each returns the methods that were proven, or raises BadSecondFactor.

    Raises:
        BadSecondFactor: the proof is wrong or was used before, or the user has no such factor. The failure is recorded.

    """
    [name] = [name for name in verifiers if getattr(answer, name, None) is not None]
    try:
        return await verifiers[name](db, settings, user, getattr(answer, name))
    except errors.BadSecondFactor:
        await record(db, Action.SECOND_FACTOR_REFUSED, user_id=user.id, factor=name)
        raise
