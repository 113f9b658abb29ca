"""Session tokens: the opaque value of a refresh token or a cookie. Only its hash is stored.

The successor of a refresh token is derived from it with a secret key, so it can be returned again without being stored.
The cookie that replaces another one is derived from the stored hash: all requests that carry the old one get the same.
A token carries an authentication code of the same key, so a used token can be told from an invented one.
"""

import hashlib
import hmac
import secrets
import uuid
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

NONCE_BYTES = 16
SECRET_BYTES = 2 * NONCE_BYTES
RENEWED = b"renewed"


@dataclass(frozen=True, slots=True)
class SessionToken:
    """A refresh token or a cookie: the session's id, and a secret of 128 unpredictable bits and their code."""

    session_id: uuid.UUID
    secret: bytes

    @classmethod
    def create(cls, session_id: uuid.UUID, key: str, nonce: bytes | None = None) -> Self:
        """Create a token with an authentication code by ``key``; its ``nonce`` of 16 bytes is random by default."""
        nonce = nonce or secrets.token_bytes(NONCE_BYTES)
        return cls(session_id, nonce + _code(key, session_id, nonce))

    def __str__(self) -> str:
        return urlsafe_b64encode(self.session_id.bytes + self.secret).decode()

    @property
    def hash(self) -> bytes:
        """The SHA-256 of the secret, which is what the database stores."""
        return hashlib.sha256(self.secret).digest()

    def successor(self, key: str) -> "SessionToken":
        """Derive the token that replaces this one, which cannot be computed without ``key``."""
        return SessionToken.create(self.session_id, key, _code(key, self.session_id, self.secret))

    @classmethod
    def renewed(cls, session_id: uuid.UUID, used_hash: bytes, key: str) -> Self:
        """Derive the cookie that replaces the one with ``used_hash``: the same one in concurrent requests."""
        return cls.create(session_id, key, _code(key, session_id, RENEWED + used_hash))

    def is_issued(self, keys: Iterable[str]) -> bool:
        """Return whether this service issued the token for its session, now or earlier, with one of ``keys``."""
        nonce, code = self.secret[:NONCE_BYTES], self.secret[NONCE_BYTES:]
        return any(hmac.compare_digest(code, _code(key, self.session_id, nonce)) for key in keys)


def _code(key: str, session_id: uuid.UUID, message: bytes) -> bytes:
    # A nonce, a secret and a marked hash differ in length, so the code of one is never the code of another.
    return hmac.digest(key.encode(), session_id.bytes + message, "sha256")[:NONCE_BYTES]


def parse_session_token(text: str) -> SessionToken | None:
    """Parse a token; return None if it is malformed."""
    try:
        raw = urlsafe_b64decode(text.encode("ascii"))
    except ValueError:
        return None
    return SessionToken(uuid.UUID(bytes=raw[:16]), raw[16:]) if len(raw) == 16 + SECRET_BYTES else None
