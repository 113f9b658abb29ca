"""The tokens that mails carry. A token is derived from the id of its mail and a secret key; only its hash is stored.

So a mail that is sent again after a failure carries the same token.
"""

import hashlib
import hmac
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence


def derive_token(key: str, mail_id: uuid.UUID) -> str:
    """Derive the token of a mail: 256 bits that cannot be computed without ``key``."""
    return urlsafe_b64encode(hmac.digest(key.encode(), b"mail " + mail_id.bytes, "sha256")).rstrip(b"=").decode()


def hash_token(token: str) -> bytes:
    """Return the hash that is stored of a token. 256 random bits need neither a salt nor a slow hash."""
    return hashlib.sha256(token.encode()).digest()


def candidate_tokens(keys: Sequence[str], mail_id: uuid.UUID) -> dict[bytes, str]:
    """Return the possible tokens of a mail by hash: the key may have been rotated since the mail was enqueued."""
    return {hash_token(token): token for token in (derive_token(key, mail_id) for key in keys)}
