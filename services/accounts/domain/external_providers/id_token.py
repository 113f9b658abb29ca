"""Verification of an ID token (OpenID Connect Core 1.0, 3.1.3.7), with the keys of a JWK Set (RFC 7517)."""

import hmac
import time
from dataclasses import dataclass
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.types import Options

# What providers sign with by default (RS256), and what they recommend (PS256, ES256, EdDSA). Each with its type of key
# and curve. HMAC is none of them: its key would be the client secret.
ALGORITHMS = {
    "RS256": ("RSA", None),
    "PS256": ("RSA", None),
    "ES256": ("EC", "P-256"),
    "EdDSA": ("OKP", "Ed25519"),
}
LEEWAY = 60  # seconds between the clocks
SUBJECT_LENGTH = 255
RSA_BITS = 2048
MODULUS_LENGTH = 1400  # characters, for 8192 bits; a million bits would take a third of a second
PUBLIC = ("kty", "crv", "n", "e", "x", "y")
OPTIONS: Options = {"require": ["iss", "sub", "aud", "exp", "iat", "nonce"]}

Claims = dict[str, Any]


class InvalidToken(Exception):  # noqa: N818  # named as in RFC 6750
    """The token does not prove who the user is. The text says why, and has nothing of the token."""


class UnknownKey(InvalidToken):
    """No key of the set has signed the token. There may be a newer set."""


@dataclass(frozen=True, slots=True)
class Expected:
    """What the token has to be for: an issuer, a client, and a sign-in. ``max_age`` is in seconds."""

    issuer: str
    client_id: str
    nonce: str
    max_age: int | None


def verify_id_token(token: str, keys: list[Any], expected: Expected) -> Claims:
    """Return the claims of a token.

    Raises:
        UnknownKey: the key is not in ``keys``.
        InvalidToken: in all other cases in which the token is not valid.

    """
    try:
        header = jwt.get_unverified_header(token)
        algorithm = header.get("alg")
        if not isinstance(algorithm, str) or algorithm not in ALGORITHMS:
            raise InvalidToken("the algorithm of the ID token is not accepted")
        key = _key(keys, header.get("kid"), algorithm)
        claims: Claims = jwt.decode(
            token, key, [algorithm], OPTIONS, audience=expected.client_id, issuer=expected.issuer, leeway=LEEWAY
        )
        _check(claims, expected)
    except (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
        raise InvalidToken(f"the ID token is invalid ({type(error).__name__})") from None
    return claims


def _check(claims: Claims, expected: Expected) -> None:
    """Check what PyJWT does not: types, and the claims of OpenID Connect."""
    if not all(_is_time(claims[name]) for name in ("exp", "iat")):
        raise InvalidToken("a time in the ID token is no number")
    if not is_subject(claims["sub"]):
        raise InvalidToken("the ID token has no usable subject")
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else expected.client_id) != expected.client_id:
        raise InvalidToken("the ID token is for another client")
    nonce = str(claims["nonce"]).encode(errors="replace")
    if not hmac.compare_digest(nonce, expected.nonce.encode()):
        raise InvalidToken("the ID token is for another sign-in")
    if expected.max_age is not None:
        _check_age(claims.get("auth_time"), expected.max_age)


def _check_age(auth_time: Any, max_age: int) -> None:
    if not _is_time(auth_time):
        raise InvalidToken("the ID token does not say when the user signed in")
    if not -LEEWAY <= time.time() - auth_time <= max_age + LEEWAY:
        raise InvalidToken("the user has not signed in again")


def _is_time(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_subject(value: Any) -> bool:
    """Return whether a value identifies a user: text of at most 255 characters, none of them invisible."""
    return isinstance(value, str) and 0 < len(value) <= SUBJECT_LENGTH and value.isprintable()


def _key(keys: list[Any], kid: Any, algorithm: str) -> jwt.PyJWK:
    """Return the one key that can have signed: that with the ``kid``, or the only one if the token names none."""
    found = [key for key in keys if isinstance(key, dict) and _fits(key, algorithm)]
    if kid is not None:
        found = [key for key in found if key.get("kid") == kid]
    if len(found) != 1:
        raise UnknownKey("the key of the ID token is unknown")
    return _load(found[0], algorithm)


def _load(key: dict[str, Any], algorithm: str) -> jwt.PyJWK:
    """Load a key, if a signature by it proves something and is verified fast."""
    if len(str(key.get("n"))) > MODULUS_LENGTH:
        raise InvalidToken("the key of the ID token is too long")
    loaded = jwt.PyJWK({name: key[name] for name in PUBLIC if name in key}, algorithm)
    if isinstance(loaded.key, RSAPublicKey) and loaded.key.key_size < RSA_BITS:
        raise InvalidToken("the key of the ID token is too short")
    return loaded


def _fits(key: dict[str, Any], algorithm: str) -> bool:
    """Return whether a key may verify signatures of an algorithm."""
    operations = key.get("key_ops", ["verify"])
    return (
        (key.get("kty"), key.get("crv")) == ALGORITHMS[algorithm]
        and key.get("use", "sig") == "sig"
        and key.get("alg", algorithm) == algorithm
        and isinstance(operations, list)
        and "verify" in operations
    )
