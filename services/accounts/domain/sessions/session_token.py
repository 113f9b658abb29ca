"""Session tokens: the opaque value of a refresh token or a cookie. Only its hash is stored.

The successor of a refresh token is derived from it with a secret key, so it can be returned again without being stored.
"""

import hashlib
import hmac
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass

SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class SessionToken:
    """A refresh token or a cookie: the session's id and 256 random bits."""

    session_id: uuid.UUID
    secret: bytes

    def __str__(self) -> str:
        return urlsafe_b64encode(self.session_id.bytes + self.secret).decode()

    @property
    def hash(self) -> bytes:
        """The SHA-256 of the secret, which is what the database stores."""
        return hashlib.sha256(self.secret).digest()

    def successor(self, key: str) -> "SessionToken":
        """Derive the token that replaces this one, which cannot be computed without ``key``."""
        return SessionToken(self.session_id, hmac.digest(key.encode(), self.session_id.bytes + self.secret, "sha256"))


def parse_session_token(text: str) -> SessionToken | None:
    """Parse a token; return None if it is malformed."""
    try:
        raw = urlsafe_b64decode(text.encode("ascii"))
    except ValueError:
        return None
    return SessionToken(uuid.UUID(bytes=raw[:16]), raw[16:]) if len(raw) == 16 + SECRET_BYTES else None
