"""Password hashes of other systems: PBKDF2, scrypt, and Django's bcrypt of a SHA-256.

They come with an import, are verified by ``ForeignHasher``, and are replaced by Argon2id at the user's next sign-in.
"""

import hashlib
import hmac
import re
from base64 import b64decode
from collections.abc import Callable
from typing import NamedTuple, Never, override

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CTR
from pwdlib.hashers.base import HasherProtocol, ensure_bytes, ensure_str
from pwdlib.hashers.bcrypt import BcryptHasher

# The highest costs. Verifying takes up to a second of a core, and 64 MiB: twice what these systems take by default.
PBKDF2_ITERATIONS = 3_000_000
SCRYPT_BYTES, SCRYPT_WORK = 64 * 1024 * 1024, 1 << 20
SCRYPT_BLOCKS = 16  # of work for PBKDF2, which scrypt begins and ends with: it is most of the work if n is small
BCRYPT_ROUNDS = 13
DIGEST_BYTES = range(16, 65)  # a shorter one can be guessed, a longer one costs more
AES_KEY_BYTES, NO_NONCE = 32, bytes(16)


class ForeignHash(NamedTuple):
    """A hash that was read. ``verify`` takes a password in UTF-8, and may only be called if ``affordable``."""

    affordable: bool
    verify: Callable[[bytes], bool]


def _decode(text: str) -> bytes:
    """Decode base64 in any of its alphabets, with or without padding."""
    text = text.rstrip("=").translate(str.maketrans(".-_", "++/"))
    return b64decode(text + "=" * (-len(text) % 4), validate=True)


def _verifier(digest: bytes, derive: Callable[[bytes], bytes]) -> Callable[[bytes], bool]:
    if len(digest) not in DIGEST_BYTES:
        raise ValueError("too short or too long")
    return lambda password: hmac.compare_digest(derive(password), digest)


def _pbkdf2(name: str, iterations: str, salt: bytes, digest: bytes) -> ForeignHash:
    blocks = -(-len(digest) // hashlib.new(name, usedforsecurity=False).digest_size)
    return ForeignHash(
        int(iterations) * blocks <= PBKDF2_ITERATIONS,
        _verifier(digest, lambda key: hashlib.pbkdf2_hmac(name, key, salt, int(iterations), len(digest))),
    )


def _scrypt(n: int, r: int, p: int, salt: bytes, length: int) -> tuple[bool, Callable[[bytes], bytes]]:
    if n < 2 or n & (n - 1) or n.bit_length() > 16 * r:  # noqa: PLR2004
        raise ValueError("not a power of two below 2^(128 * r / 8)")  # RFC 7914, 6
    affordable = 128 * n * r <= SCRYPT_BYTES and max(n, SCRYPT_BLOCKS) * r * p <= SCRYPT_WORK
    return affordable, lambda key: hashlib.scrypt(key, salt=salt, n=n, r=r, p=p, maxmem=2 * SCRYPT_BYTES, dklen=length)


def _plain_scrypt(n: int, r: str, p: str, salt: bytes, digest: bytes) -> ForeignHash:
    affordable, derive = _scrypt(n, int(r), int(p), salt, len(digest))
    return ForeignHash(affordable, _verifier(digest, derive))


def _firebase(n: str, r: str, separator: str, signer_key: str, salt: str, digest: str) -> ForeignHash:
    """Read a hash of Firebase's scrypt, which encrypts the project's signer key with the derived key."""
    plain = _decode(signer_key)
    affordable, derive = _scrypt(1 << int(n), int(r), 1, _decode(salt) + _decode(separator), AES_KEY_BYTES)

    def encrypt(key: bytes) -> bytes:
        return Cipher(AES256(derive(key)), CTR(NO_NONCE)).encryptor().update(plain)

    return ForeignHash(affordable, _verifier(_decode(digest), encrypt))


def _bcrypt_of_sha256(hashed: str, rounds: str) -> ForeignHash:
    return ForeignHash(
        int(rounds) <= BCRYPT_ROUNDS,
        lambda key: BcryptHasher().verify(hashlib.sha256(key).hexdigest(), hashed),
    )


_B64, _HEX, _COUNT, _SMALL = r"([A-Za-z0-9+/._=-]+)", r"([0-9a-f]+)", r"([1-9]\d{0,8})", r"([1-9]\d{0,3})"
_SALT = r"([^$\x00-\x1f\x7f]+)"  # PostgreSQL refuses NUL
# The 22nd character of the salt has bits that must be zero.
BCRYPT = r"\$2[aby]\$(0[4-9]|[12]\d|3[01])\$[A-Za-z0-9./]{21}[.Oeu][A-Za-z0-9./]{31}"
READERS: tuple[tuple[re.Pattern[str], Callable[..., ForeignHash]], ...] = tuple(
    (re.compile(pattern, re.ASCII), reader)
    for pattern, reader in (
        # Django
        (rf"pbkdf2_(sha1|sha256)\${_COUNT}\${_SALT}\${_B64}", lambda h, i, s, d: _pbkdf2(h, i, s.encode(), _decode(d))),
        (
            rf"scrypt\${_COUNT}\${_SALT}\${_SMALL}\${_SMALL}\${_B64}",
            lambda n, s, r, p, d: _plain_scrypt(int(n), r, p, s.encode(), _decode(d)),
        ),
        (rf"bcrypt_sha256\$({BCRYPT})", _bcrypt_of_sha256),
        # Werkzeug, which Flask uses
        (
            rf"pbkdf2:(sha1|sha256|sha512):{_COUNT}\${_SALT}\${_HEX}",
            lambda h, i, s, d: _pbkdf2(h, i, s.encode(), bytes.fromhex(d)),
        ),
        (
            rf"scrypt:{_COUNT}:{_SMALL}:{_SMALL}\${_SALT}\${_HEX}",
            lambda n, r, p, s, d: _plain_scrypt(int(n), r, p, s.encode(), bytes.fromhex(d)),
        ),
        # passlib, and the PHC string format
        (
            rf"\$pbkdf2-(sha1|sha256|sha512)\$(?:i=)?{_COUNT}(?:,l=\d\d)?\${_B64}\${_B64}",
            lambda h, i, s, d: _pbkdf2(h, i, _decode(s), _decode(d)),
        ),
        (rf"\$pbkdf2\${_COUNT}\${_B64}\${_B64}", lambda i, s, d: _pbkdf2("sha1", i, _decode(s), _decode(d))),
        (
            rf"\$scrypt\$ln=(\d\d?),r={_SMALL},p={_SMALL}\${_B64}\${_B64}",
            lambda n, r, p, s, d: _plain_scrypt(1 << int(n), r, p, _decode(s), _decode(d)),
        ),
        # Firebase, in the form that Supabase stores
        (rf"\$fbscrypt\$v=1,n=(\d\d?),r={_SMALL},p=1,ss={_B64},sk={_B64}\${_B64}\${_B64}", _firebase),
    )
)


def read_foreign_hash(hashed: str) -> ForeignHash | None:
    """Read a hash, or return None if it is none of these, or malformed."""
    for pattern, reader in READERS:
        if match := pattern.fullmatch(hashed):
            try:
                return reader(*match.groups())
            except ValueError:
                return None
    return None


class ForeignHasher(HasherProtocol):
    """Verifies foreign hashes, and creates none."""

    @classmethod
    @override
    def identify(cls, hash: str | bytes) -> bool:
        return read_foreign_hash(ensure_str(hash)) is not None

    @override
    def hash(self, password: str | bytes, *, salt: bytes | None = None) -> Never:
        raise NotImplementedError

    @override
    def verify(self, password: str | bytes, hash: str | bytes) -> bool:
        foreign = read_foreign_hash(ensure_str(hash))
        return foreign is not None and foreign.verify(ensure_bytes(password))

    @override
    def check_needs_rehash(self, hash: str | bytes) -> bool:
        return True
