"""Access tokens: signed JWTs (RFC 9068). One key signs, every key of the settings verifies, ``kid`` names the key."""

import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jwt

from accounts.domain.sessions.keys import Key, key_of_pair, key_of_secret
from accounts.models import Scope
from accounts.settings import Settings
from accounts.settings_types import split_keys

AUDIENCE = "accounts"
TYPES = {"at+jwt", "application/at+jwt", "jwt"}  # RFC 9068, 4; tokens of earlier releases have the last one
CLOCK_SKEW = 30  # seconds by which another host that issues tokens may be ahead of this one (RFC 7519, 4.1.4)
CACHED_TOKENS = 4096  # verified tokens, about a kilobyte each
CLAIMS = ("exp", "iat", "iss", "aud", "sub", "sid", "jti")


@dataclass(frozen=True, slots=True)
class Claims:
    """The session, and its user, that an access token names. ``scopes`` says what the token may be used for."""

    user_id: uuid.UUID
    session_id: uuid.UUID
    scopes: frozenset[str] = frozenset([Scope.ACCOUNT])


class KeyRing:
    """Signs and verifies access tokens.

    Args:
        keys: the newest first.
        issuer: the URL of this service.
        seconds: the lifetime of a token.
        order: returns the keys with the one that signs now first.

    """

    def __init__(
        self,
        keys: Iterable[Key],
        issuer: str,
        seconds: int,
        order: Callable[[Sequence[Key]], Sequence[Key]] = lambda keys: keys,
    ) -> None:
        self._keys = {key.id: key for key in keys}
        self._newest_first = tuple(self._keys.values())
        self._order = order
        self.issuer = issuer
        self._lifetime = seconds
        # A client sends one token many times. Only decoding is cached; each request checks that the session is live.
        self._decoded = lru_cache(CACHED_TOKENS)(self._decode)

    def sign(
        self, user_id: uuid.UUID, session_id: uuid.UUID, scopes: Iterable[str] = (Scope.ACCOUNT,), **claims: Any
    ) -> str:
        """Create an access token for a session.

        Args:
            scopes: what the token may be used for.
            claims: ``client_id``, unless the client is this service itself, and any others.

        """
        now = int(time.time())
        common = {
            "iss": self.issuer,
            "aud": AUDIENCE,
            "sub": str(user_id),
            "client_id": AUDIENCE,
            "sid": str(session_id),
            "jti": uuid.uuid4().hex,
            "iat": now,
            "exp": now + self._lifetime,
            "scope": " ".join(scopes),
        }
        return self._order(self._newest_first)[0].encode(common | claims)

    def verify(self, token: str) -> Claims | None:
        """Verify an access token; return None if no key of the ring signed it, or it has expired."""
        try:
            claims, expires = self._decoded(token)
        except (jwt.PyJWTError, KeyError, ValueError):
            return None
        return claims if expires > time.time() else None

    def read(self, token: str) -> dict[str, Any] | None:
        """Verify an access token as ``verify`` does, and return all of its claims."""
        return self._verified_claims(token) if self.verify(token) else None

    def _decode(self, token: str) -> tuple[Claims, float]:
        claims = self._verified_claims(token)
        scopes = frozenset(claims.get("scope", Scope.ACCOUNT).split())
        return Claims(uuid.UUID(claims["sub"]), uuid.UUID(claims["sid"]), scopes), claims["exp"]

    def _verified_claims(self, token: str) -> dict[str, Any]:
        header = jwt.get_unverified_header(token)
        if str(header.get("typ", "JWT")).lower() not in TYPES:
            raise jwt.InvalidTokenError
        key = self._keys[header["kid"]]
        claims: dict[str, Any] = jwt.decode(
            token,
            key.public or key.private,
            [key.algorithm],
            {"require": list(CLAIMS)},
            audience=AUDIENCE,
            issuer=self.issuer,
            leeway=CLOCK_SKEW,
        )
        return claims

    def overview(self) -> Sequence[tuple[str, str, bool]]:
        """Return the id and the algorithm of each key, and whether it signs now; the newest key first."""
        signing = self._order(self._newest_first)[0]
        return [(key.id, key.algorithm, key is signing) for key in self._newest_first]

    def jwks(self) -> dict[str, Any]:
        """Return the public keys as a JSON Web Key Set (RFC 7517), without the symmetric ones."""
        return {"keys": [key.jwk() for key in self._newest_first if key.public is not None]}


def key_ring(settings: Settings) -> KeyRing:
    """Create the key ring of the settings: private keys before symmetric ones, each the newest first."""
    pairs = [key_of_pair(pem) for pem in settings.signing_keys]
    # Until the first key pair signs, the secret does that signs now.
    secrets = settings.secret_keys if pairs else split_keys(settings.secret_key.get_secret_value())
    keys = [*pairs, *map(key_of_secret, secrets)]
    return KeyRing(keys, settings.public_url, settings.access_token_seconds, settings.signing_order)
