"""The mail that a user causes others to get: invitations and changes of roles. That of superusers is not limited."""

from collections.abc import Callable

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.people import has_superuser_rights
from accounts.domain.rate_limits.rules import MAILS_PER_ACCOUNT
from accounts.models import User
from accounts.settings import LimitGroup


def mails_allowed(db: Session, user: User, scale: Callable[[LimitGroup], float]) -> int | None:
    """Return how many mails the caller ``user`` may cause others to get in a day, or None for any number."""
    limit = MAILS_PER_ACCOUNT.scaled(scale(LimitGroup.MAIL))
    return None if has_superuser_rights(db, user) else limit.attempts


def must_count(db: Session, user: User, mails: int, scale: Callable[[LimitGroup], float]) -> bool:
    """Return whether mails that the caller ``user`` causes others to get count against a limit.

    Raises:
        TooManyInvitations: they are more than are allowed in a day.

    """
    allowed = mails_allowed(db, user, scale)
    if allowed is None or mails == 0:
        return False
    if mails > allowed:
        raise errors.TooManyInvitations(allowed)
    return True
