"""Access tokens: signed JWTs (RFC 7519). The newest key signs, every key verifies, ``kid`` names the key."""

import hashlib
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import jwt
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from accounts.models import Scope
from accounts.settings import Settings

AUDIENCE = "accounts"
CLOCK_SKEW = 30  # seconds by which another host that issues tokens may be ahead of this one (RFC 7519, 4.1.4)
CACHED_TOKENS = 4096  # verified tokens, about half a kilobyte each
CLAIMS = ("exp", "iat", "iss", "aud", "sub", "sid", "jti")
# RFC 8037, RFC 7518. The key's type decides the algorithm, never the token's header.
ALGORITHMS = {"Ed25519PrivateKey": "EdDSA", "ECPrivateKey": "ES256", "RSAPrivateKey": "RS256"}


@dataclass(frozen=True, slots=True)
class Key:
    """A key with its id and its only algorithm. ``public`` is None for a symmetric key."""

    id: str
    algorithm: str
    private: Any
    public: Any = None


@dataclass(frozen=True, slots=True)
class Claims:
    """The session, and its user, that an access token names. ``scopes`` says what the token may be used for."""

    user_id: uuid.UUID
    session_id: uuid.UUID
    scopes: frozenset[str] = frozenset([Scope.ACCOUNT])


class KeyRing:
    """Signs and verifies access tokens."""

    def __init__(self, keys: Iterable[Key], issuer: str, seconds: int) -> None:
        self._keys = {key.id: key for key in keys}
        self._newest = next(iter(self._keys.values()))
        self._issuer = issuer
        self._lifetime = timedelta(seconds=seconds)
        # A client sends one token many times. Only decoding is cached; each request checks that the session is live.
        self._decoded = lru_cache(CACHED_TOKENS)(self._decode)

    def sign(self, user_id: uuid.UUID, session_id: uuid.UUID) -> str:
        """Create an access token for a session."""
        now = datetime.now(UTC)
        claims = {
            "iss": self._issuer,
            "aud": AUDIENCE,
            "sub": str(user_id),
            "sid": str(session_id),
            "jti": uuid.uuid4().hex,
            "iat": now,
            "exp": now + self._lifetime,
        }
        return jwt.encode(claims, self._newest.private, self._newest.algorithm, {"kid": self._newest.id})

    def verify(self, token: str) -> Claims | None:
        """Verify an access token; return None if no key of the ring signed it, or it has expired."""
        try:
            claims, expires = self._decoded(token)
        except (jwt.PyJWTError, KeyError, ValueError):
            return None
        return claims if expires > datetime.now(UTC).timestamp() else None

    def _decode(self, token: str) -> tuple[Claims, float]:
        key = self._keys[jwt.get_unverified_header(token)["kid"]]
        claims = jwt.decode(
            token,
            key.public or key.private,
            [key.algorithm],
            {"require": list(CLAIMS)},
            audience=AUDIENCE,
            issuer=self._issuer,
            leeway=CLOCK_SKEW,
        )
        scopes = frozenset(claims.get("scope", Scope.ACCOUNT).split())
        return Claims(uuid.UUID(claims["sub"]), uuid.UUID(claims["sid"]), scopes), claims["exp"]

    def jwks(self) -> dict[str, Any]:
        """Return the public keys as a JSON Web Key Set (RFC 7517), without the symmetric ones."""
        return {
            "keys": [
                jwt.get_algorithm_by_name(key.algorithm).to_jwk(key.public, as_dict=True)
                | {"kid": key.id, "alg": key.algorithm, "use": "sig"}
                for key in self._keys.values()
                if key.public is not None
            ]
        }


def key_ring(settings: Settings) -> KeyRing:
    """Create the key ring of the settings: private keys before symmetric ones, each the newest first."""
    keys = [_pair(pem) for pem in settings.signing_keys] + [_secret(secret) for secret in settings.secret_keys]
    return KeyRing(keys, settings.public_url, settings.access_token_seconds)


def _pair(pem: bytes) -> Key:
    private = load_pem_private_key(pem, password=None)
    public = private.public_key()
    encoded = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return Key(_id(encoded), ALGORITHMS[type(private).__name__], private, public)


def _secret(secret: str) -> Key:
    return Key(_id(secret.encode()), "HS256", secret)


def _id(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()[:16]
