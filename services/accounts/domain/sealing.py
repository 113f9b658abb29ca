"""Sealing: secrets that have to be read again are stored encrypted, under a key that is derived from SECRET_KEY.

A sealed value begins with the id of its key, so that a rotation of the keys finds the values to seal again.
"""

import os
import uuid
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

KEY_ID_BYTES, NONCE_BYTES = 8, 12


class CannotUnseal(Exception):  # noqa: N818  # says what is wrong
    """No key of the ring has sealed the value, or the value was changed."""


def key_id(key: str) -> bytes:
    """Return the id of a key, which says nothing about the key."""
    return _derive(key, "key id", KEY_ID_BYTES)


def seal(key: str, purpose: str, user_id: uuid.UUID, secret: bytes) -> bytes:
    """Encrypt a secret of a user (AES-256-GCM). It can be opened for the same purpose and user only."""
    nonce = os.urandom(NONCE_BYTES)
    return key_id(key) + nonce + AESGCM(_derive(key, purpose)).encrypt(nonce, secret, user_id.bytes)


def unseal(keys: Sequence[str], purpose: str, user_id: uuid.UUID, sealed: bytes) -> bytes:
    """Decrypt a secret that was sealed by one of ``keys``.

    Raises:
        CannotUnseal: the key is none of them, or the value was sealed for another purpose or user.

    """
    used, value = sealed[:KEY_ID_BYTES], sealed[KEY_ID_BYTES:]
    key = next((key for key in keys if key_id(key) == used), None)
    if key is None or len(value) < NONCE_BYTES:
        raise CannotUnseal
    try:
        return AESGCM(_derive(key, purpose)).decrypt(value[:NONCE_BYTES], value[NONCE_BYTES:], user_id.bytes)
    except InvalidTag as error:
        raise CannotUnseal from error


def _derive(key: str, purpose: str, length: int = 32) -> bytes:
    """Derive a key (RFC 5869): none of them reveals another one, or the secret that it is derived from."""
    return HKDF(SHA256(), length, salt=None, info=f"sealing {purpose}".encode()).derive(key.encode())
