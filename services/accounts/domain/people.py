"""People and programs: what only people may do and have."""

from accounts.domain import errors
from accounts.models import User


def require_person(user: User) -> None:
    """Raise NotForServiceAccounts if a user is a service account."""
    if user.owner_group_id is not None:
        raise errors.NotForServiceAccounts
