"""Refresh tokens and cookies: opaque, of 256 random bits, stored as hashes.

A refresh token is used once and then has a successor, which is derived from it and not stored. So two tabs, or a client
that lost the answer, can be told the same successor; later, an old token must be a stolen one.
"""

import hashlib
import hmac
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class SessionToken:
    """A refresh token, or a cookie: the session's id, and 256 bits that only its holder knows."""

    session_id: uuid.UUID
    secret: bytes

    def __str__(self) -> str:
        return urlsafe_b64encode(self.session_id.bytes + self.secret).decode()

    @property
    def hash(self) -> bytes:
        """What is stored of it."""
        return hashlib.sha256(self.secret).digest()

    def successor(self, key: str) -> "SessionToken":
        """The token that takes this one's place; only the holder of ``key`` can tell it."""
        return SessionToken(self.session_id, hmac.digest(key.encode(), self.session_id.bytes + self.secret, "sha256"))


def parse_session_token(text: str) -> SessionToken | None:
    """Read a token; None if nobody made it."""
    try:
        raw = urlsafe_b64decode(text.encode("ascii"))
    except ValueError:
        return None
    return SessionToken(uuid.UUID(bytes=raw[:16]), raw[16:]) if len(raw) == 16 + SECRET_BYTES else None
