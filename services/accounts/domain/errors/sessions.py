"""Refusals of sessions and their tokens."""

from accounts.db.session import CommittedRefusal
from accounts.domain.errors.base import Refusal


class RefreshBadToken(Refusal):
    """The refresh token is unknown, or its session has ended."""

    code = "REFRESH_BAD_TOKEN"


class RefreshTokenReused(Refusal, CommittedRefusal):
    """The refresh token was used before and may be stolen. Its session was ended."""

    code = "REFRESH_TOKEN_REUSED"


class SessionNotFound(Refusal):
    """The user has no such session."""

    code = "SESSION_NOT_FOUND"
