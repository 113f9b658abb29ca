"""Opaque tokens: 256 random bits for a client, of which the database has the hash."""

import hashlib
import secrets

TOKEN_BYTES = 32


def create_token() -> str:
    """Create a random token, in characters for URLs and cookies."""
    return secrets.token_urlsafe(TOKEN_BYTES)


def hash_token(token: str) -> bytes:
    """Return the hash that is stored of a token. 256 random bits need neither a salt nor a slow hash."""
    return hashlib.sha256(token.encode()).digest()
