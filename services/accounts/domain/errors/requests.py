"""Refusals that any request may get, and those for errors of the database that no manager foresees."""

from collections.abc import Callable

from accounts.db.errors import is_conflict, is_invalid_value, is_missing_row
from accounts.domain.errors.base import Refusal


class BadCursor(Refusal):
    """The cursor does not come from a `Link` header of this list."""

    code = "BAD_CURSOR"


class Busy(Refusal):
    """The server is busy. Try again shortly."""

    code = "BUSY"


class TooManyAttempts(Refusal):
    """Too many attempts. `Retry-After` says when to try again.

    ``seconds`` is the time to wait. The exhausted limit is ``attempts`` in ``period`` seconds.
    """

    code = "TOO_MANY_ATTEMPTS"

    def __init__(self, seconds: int, attempts: int, period: int) -> None:
        super().__init__(f"Try again in {seconds} seconds.")
        self.seconds = seconds
        self.attempts = attempts
        self.period = period


class NotReady(Refusal):
    """The database is unavailable, does not match, or accepts no writes; `reason` says which."""

    code = "NOT_READY"


class CrossSite(Refusal):
    """The request comes from a page of another site."""

    code = "CROSS_SITE"


class Conflict(Refusal):
    """Other rows stand against the change, or the row was changed or deleted meanwhile."""

    code = "CONFLICT"


class InvalidValue(Refusal):
    """A value does not fit: it is too long, out of range, not one of those allowed, or cannot be stored."""

    code = "INVALID_VALUE"


class NotFound(Refusal):
    """The row does not exist."""

    code = "NOT_FOUND"


# Refusals for errors of the database that no manager foresees. Raise a refusal of your own where you can: it says more.
UNFORESEEN: dict[Callable[[BaseException], bool], type[Refusal]] = {
    is_conflict: Conflict,
    is_invalid_value: InvalidValue,
    is_missing_row: NotFound,
}
