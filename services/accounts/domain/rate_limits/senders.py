"""The mail that a user causes others to get: invitations and changes of roles. That of superusers is not limited."""

from collections.abc import Callable

from accounts.db.session import Session
from accounts.domain.people import has_superuser_rights
from accounts.domain.rate_limits.rules import MAILS_PER_ACCOUNT
from accounts.models import User
from accounts.settings import LimitGroup


def mails_allowed(db: Session, user: User, scale: Callable[[LimitGroup], float]) -> int | None:
    """Return how many mails the caller ``user`` may cause others to get in a day, or None for any number."""
    limit = MAILS_PER_ACCOUNT.scaled(scale(LimitGroup.MAIL))
    return None if has_superuser_rights(db, user) else limit.attempts
