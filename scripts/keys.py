"""Creates keys: secrets, and key pairs on the curve P-256. Needs only Python 3.9, and no openssl."""

from __future__ import annotations

import re
import secrets
from base64 import b64encode

PEM = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----", re.DOTALL)
# PKCS #8 (RFC 5958) in DER, but for the private key, which is a random number below the order of the curve (RFC 5915).
# The public key follows from it.
P256 = bytes.fromhex("3041020100301306072a8648ce3d020106082a8648ce3d030107042730250201010420")
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def secret() -> str:
    """Create a secret of 256 bits."""
    return secrets.token_hex(32)


def key_pair() -> str:
    """Create a key pair, in PEM on one line."""
    number = 1 + secrets.randbelow(ORDER - 1)
    key = b64encode(P256 + number.to_bytes(32, "big")).decode()
    return f"-----BEGIN PRIVATE KEY-----{key}-----END PRIVATE KEY-----"


def put_before(name: str, keys: str) -> str:
    """Return a new key before the first of ``keys``, which are those of the variable ``name``."""
    if name == "SIGNING_KEY":
        return " ".join([key_pair(), *PEM.findall(keys)[:1]])
    return f"{secret()},{keys.split(',', maxsplit=1)[0].strip()}"
