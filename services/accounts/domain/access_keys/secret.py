"""The text of an access key, which is shown once: ``acc_pat_<id><secret><checksum>``.

The prefix and the checksum let secret scanners recognise a leaked key. The id finds the row, the secret proves it.
"""

import hashlib
import hmac
import re
import secrets
import uuid
import zlib
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from enum import StrEnum
from typing import Self

SECRET_BYTES = 32
PREFIX = "acc_"
KEY = re.compile(r"(acc_(?:pat|svc)_)([A-Za-z0-9_-]{22})([A-Za-z0-9_-]{43})([0-9a-f]{8})", re.ASCII)


class KeyKind(StrEnum):
    """The kind of an access key, which is the prefix of its text."""

    PERSONAL = "acc_pat_"
    SERVICE = "acc_svc_"


@dataclass(frozen=True, slots=True)
class KeySecret:
    """An access key as its owner has it: the id of its row, and 256 random bits."""

    kind: KeyKind
    id: uuid.UUID
    secret: bytes

    @classmethod
    def create(cls, kind: KeyKind, key_id: uuid.UUID) -> Self:
        """Create the secret of a new key."""
        return cls(kind, key_id, secrets.token_bytes(SECRET_BYTES))

    @property
    def hash(self) -> bytes:
        """The SHA-256 of the secret, which is what the database stores."""
        return hashlib.sha256(self.secret).digest()

    def matches(self, stored: bytes) -> bool:
        """Compare with a stored hash, in constant time."""
        return hmac.compare_digest(self.hash, stored)

    def __str__(self) -> str:
        text = self.kind + _encode(self.id.bytes) + _encode(self.secret)
        return text + _checksum(text)

    def __repr__(self) -> str:
        return f"KeySecret({self.kind}, {self.id})"  # never the secret: it would get into logs


def parse_key(text: str) -> KeySecret | None:
    """Parse the text of a key; return None if it is malformed or mistyped."""
    found = KEY.fullmatch(text)
    if not found or _checksum(text[:-8]) != found[4]:
        return None
    kind, key_id, secret = KeyKind(found[1]), uuid.UUID(bytes=_decode(found[2])), _decode(found[3])
    parsed = KeySecret(kind, key_id, secret)
    return parsed if str(parsed) == text else None  # the last character of a part has bits that decoding ignores


def is_key(text: str) -> bool:
    """Return whether text begins like an access key, as no other token does."""
    return text.startswith(PREFIX)


def _checksum(text: str) -> str:
    return f"{zlib.crc32(text.encode()):08x}"


def _encode(value: bytes) -> str:
    return urlsafe_b64encode(value).decode().rstrip("=")


def _decode(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))
