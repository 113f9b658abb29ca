"""Hashes of other systems verify, are replaced at the first sign-in, and cost neither minutes nor gigabytes."""

from collections.abc import Iterator

import pytest
from passlib.hash import argon2 as passlib_argon2
from passlib.hash import (
    bcrypt,
    django_bcrypt_sha256,
    django_pbkdf2_sha1,
    django_pbkdf2_sha256,
    pbkdf2_sha1,
    pbkdf2_sha256,
    pbkdf2_sha512,
)
from passlib.hash import scrypt as passlib_scrypt

from accounts.db.session import transaction
from accounts.domain.identity import foreign_hashes, password_hashing
from accounts.domain.identity.foreign_hashes import ForeignHasher, read_foreign_hash
from accounts.domain.identity.password_hashing import PasswordHasher, is_password
from accounts.domain.identity.stored_hashes import UNUSABLE, UnusableHash, has_acceptable_cost, to_stored_hash
from support.people import PASSWORD, World

B64, HEX = "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=", "41" * 32
# Made by Django 6.1 and Werkzeug 3.1 with few iterations.
DJANGO_PBKDF2 = "pbkdf2_sha256$1000$nacl4Camelot$CijgAKdC2XZqAqAQcYTkCPUjJiH+q5G5ucPm1c/KXUk="
BY_OTHERS = {
    "django pbkdf2": DJANGO_PBKDF2,
    "django pbkdf2 sha1": "pbkdf2_sha1$1000$nacl4Camelot$pptB6LQvrdLKB7WNhAkChjzX0G0=",
    "django scrypt": "scrypt$16384$3r6zN0eHU9r7TMbZpS5IAW$8$5$eJhDXODsBYeuMAYPTubz16y3SlpDcWkCf9etm2Z33JFjSMZ8gEaID4QL"
    "AaKTwzzGO+GAmuE8JZoOqydWeEc0yA==",
    "werkzeug scrypt": "scrypt:1024:8:1$o1CanFbquh6wNLF2$b6ac739b0a0d49a88a47a8f03608e883924e0493adc9125af9de8a508fa876"
    "131ca4c676acc89d616408087b0c23d0fe2579f609c85f4c05eefcc5639c7a0c28",
    "werkzeug pbkdf2": "pbkdf2:sha256:1000$E4fHy7Y7IEpZx87L$32d0ed36c9c7124cda11849b5bbc7e8a4fe0b3ff8ed3bc6111dea7fc5c"
    "6009ce",
    "werkzeug pbkdf2 sha512": "pbkdf2:sha512:1000$AA0NPtjiQ96vkd7T$79653cfbb43d4ef5979f09df106647dbb024611f1e0572052619"
    "9505ffdfad77304c0a86f77613a1fa3d15a7f2b89ccc94a0c6f3339224c9d79e3f6e6df71f88",
    "werkzeug pbkdf2 sha1": "pbkdf2:sha1:1000$BfOMvqivf07RcJAz$ba896e8ca305fcbdc30458f3a2aea15466d763e6",
}
# What they store today. The longest takes half a second.
DEFAULTS = [
    f"pbkdf2_sha256$1500000$salt${B64}",
    f"pbkdf2_sha1$1500000$salt${B64}",
    f"argon2$argon2id$v=19$m=102400,t=2,p=8$eW9ldDBxemh2OHk0NURqQnJncHRtNA${B64.rstrip('=')}",
    f"scrypt$16384$salt$8$5${B64}",
    "bcrypt_sha256$$2b$12$3/EGUp3VTxsyUUyQP5jE9eHkY0z2Me0GszcFG0gIYB7oxsJJOeRmi",
    "bcrypt$$2b$12$qHpCSpUlVUHKprX1aydkee7wnN/VmQRn9GVeXiK1O1GLkxpkW/fM.",
    f"scrypt:32768:8:1$salt${HEX}",
    f"pbkdf2:sha256:1000000$salt${HEX}",
    f"$pbkdf2-sha512$210000$salt${B64 * 2}".replace("=", ""),  # Keycloak
    f"$pbkdf2-sha256$i=600000,l=32$salt${B64}",
    f"$scrypt$ln=16,r=8,p=1$salt${B64}",
    f"$argon2id$v=19$m=7168,t=5,p=1$c29tZXNhbHRzb21l${B64.rstrip('=')}",  # Keycloak
]
# From the documentation of github.com/firebase/scrypt.
FIREBASE = (
    "$fbscrypt$v=1,n=14,r=8,p=1,ss=Bw==,sk=jxspr8Ki0RYycVU8zykbdLGjFQ3McFUH0uiiTvC8pVMXAn210wjLNmdZJzxUECKbm0QsEmYUSDz"
    "ZvpjeJ9WmXA==$42xEC+ixf3L2lw==$lSrfV15cpx95/sZS2W9c9Kp6i/LVgQNDNC/qzrCnh1SAyZvqmZqAjTdn3aoItz+VHjoZilo78198JAdRui"
    "d5lQ=="
)
TOO_EXPENSIVE = [
    f"pbkdf2_sha256$999999999$salt${B64}",
    f"pbkdf2_sha256$3000001$salt${B64}",
    f"pbkdf2:sha512:999999999$salt${HEX}",
    f"$pbkdf2-sha1$1100000$salt${B64 * 2}".replace("=", ""),  # three blocks of SHA-1
    f"scrypt:131072:8:1$salt${HEX}",
    f"scrypt:16384:8:9999$salt${HEX}",
    f"scrypt$1024$salt$9999$1${B64}",
    f"scrypt$2$salt$9999$52${B64}",  # little memory, and seconds of PBKDF2
    f"$scrypt$ln=99,r=8,p=1$salt${B64}",
    FIREBASE.replace("n=14", "n=30"),
    "bcrypt_sha256$$2b$31$3/EGUp3VTxsyUUyQP5jE9eHkY0z2Me0GszcFG0gIYB7oxsJJOeRmi",
    f"$argon2id$v=19$m=102400,t=3,p=1$c29tZXNhbHRzb21l${B64.rstrip('=')}",
    f"$argon2id$v=19$m=102400,t=1,p=9$c29tZXNhbHRzb21l${B64.rstrip('=')}",
]
MALFORMED = [
    PASSWORD,
    "pbkdf2_sha256$1000$salt$",
    "pbkdf2_sha256$1000$salt$QUFB",  # three bytes
    f"pbkdf2_sha256$0$salt${B64}",
    f"pbkdf2_sha256$1000$salt${B64 * 8}",
    f"pbkdf2_md5$1000$salt${B64}",
    f"$pbkdf2-sha256$1000$A${B64}",  # no base64
    f"scrypt:1000:8:1$salt${HEX}",  # no power of two
    f"scrypt:1:8:1$salt${HEX}",
    f"scrypt:1024:8:1$salt${HEX}0",
    f"scrypt:65536:1:1$salt${HEX}",  # RFC 7914, 6: too much for r=1
    FIREBASE.replace("n=14,r=8", "n=16,r=1"),
    f"pbkdf2_sha256$1000$\x00${B64}",
    f"pbkdf2_sha256$1\u0661$salt${B64}",
    f"$scrypt$ln=1\u0661,r=8,p=1$salt${B64}",
    f"$argon2id$v=19$m=1945\u0666,t=2,p=1$c29tZXNhbHRzb21l${B64.rstrip('=')}",
    f"$argon2id$v=19$m=019456,t=2,p=1$c29tZXNhbHRzb21l${B64.rstrip('=')}",
    f"$2b$12${'a' * 53}",  # bits of the salt that must be zero
    "$2b$1\u0662$OZDvbR2dVxukDnEc6RnIqOAvCi/nwuCUrD85D8lGhS4AQFGiCR67W",
    "bcrypt_sha256$$2b$03$3/EGUp3VTxsyUUyQP5jE9eHkY0z2Me0GszcFG0gIYB7oxsJJOeRmi",
    "$argon2id$v=19$m=19456,t=2,p=1$",
    "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21l$QUFB",
    "$2b$12$",
    "$2b$03$OZDvbR2dVxukDnEc6RnIqOAvCi/nwuCUrD85D8lGhS4AQFGiCR67W",
    FIREBASE.replace("ss=Bw==", "ss=%%"),
    FIREBASE.rsplit("$", 1)[0] + "$QUFB",
]
TOO_FAST = [
    "5f4dcc3b5aa765d61d8327deb882cf99",
    "A" * 40,
    "a" * 64,
    "md5$salt$0",
    "sha1$salt$0",
    "unsalted_md5$0",
    "{SSHA}AAAA",
]


@pytest.fixture
def hashing() -> Iterator[PasswordHasher]:
    hashing = PasswordHasher(1)
    yield hashing
    hashing.close()


def made_by_libpass() -> dict[str, str]:
    return {
        "pbkdf2_sha1": pbkdf2_sha1.using(rounds=10).hash(PASSWORD),
        "pbkdf2_sha256": pbkdf2_sha256.using(rounds=10).hash(PASSWORD),
        "pbkdf2_sha512": pbkdf2_sha512.using(rounds=10).hash(PASSWORD),
        "scrypt": passlib_scrypt.using(rounds=4).hash(PASSWORD),
        "django_pbkdf2_sha1": django_pbkdf2_sha1.using(rounds=10).hash(PASSWORD),
        "django_pbkdf2_sha256": django_pbkdf2_sha256.using(rounds=10).hash(PASSWORD),
        "django_bcrypt_sha256": django_bcrypt_sha256.using(rounds=4).hash(PASSWORD),
        "argon2": passlib_argon2.using(rounds=1, memory_cost=64).hash(PASSWORD),
        **{f"bcrypt {kind}": bcrypt.using(rounds=4, ident=kind).hash(PASSWORD) for kind in ("2a", "2b", "2y")},
    }


@pytest.mark.parametrize(
    "hashed", [*BY_OTHERS.values(), *made_by_libpass().values()], ids=[*BY_OTHERS, *made_by_libpass()]
)
async def test_hash_of_another_system_verifies_and_is_replaced(hashing: PasswordHasher, hashed: str) -> None:
    stored = to_stored_hash(hashed)

    correct, updated = await hashing.verify(PASSWORD, stored)

    assert correct
    assert updated is not None
    assert updated.startswith("$argon2id$")
    assert await hashing.verify(f"{PASSWORD}!", stored) == (False, None)


async def test_firebase_hash_verifies(hashing: PasswordHasher) -> None:
    correct, updated = await hashing.verify("user1password", to_stored_hash(FIREBASE))
    assert (correct, bool(updated)) == (True, True)
    assert await hashing.verify("user2password", FIREBASE) == (False, None)


@pytest.mark.parametrize("hashed", DEFAULTS)
def test_hash_with_the_default_costs_of_another_system_is_accepted(hashed: str) -> None:
    assert has_acceptable_cost(to_stored_hash(hashed))


@pytest.mark.parametrize("hashed", TOO_EXPENSIVE)
async def test_too_expensive_hash_is_neither_imported_nor_computed(
    hashing: PasswordHasher, monkeypatch: pytest.MonkeyPatch, hashed: str
) -> None:
    with pytest.raises(UnusableHash) as refused:
        to_stored_hash(hashed)
    assert refused.value.type == "hash_too_expensive"
    monkeypatch.setattr(
        password_hashing.PASSWORD_HASH, "verify_and_update", lambda *_: pytest.fail("the hash was computed")
    )
    assert await hashing.verify(PASSWORD, hashed) == (False, None)


@pytest.mark.parametrize("hashed", MALFORMED)
def test_malformed_hash_is_not_imported(hashed: str) -> None:
    with pytest.raises(UnusableHash) as refused:
        to_stored_hash(hashed)
    assert refused.value.type == "hash_unknown"
    assert hashed not in refused.value.message
    assert not is_password(PASSWORD, hashed)


@pytest.mark.parametrize("hashed", TOO_FAST)
def test_md5_and_sha_are_not_imported(hashed: str) -> None:
    with pytest.raises(UnusableHash) as refused:
        to_stored_hash(hashed)
    assert refused.value.type == "hash_too_fast"


@pytest.mark.parametrize("hashed", [None, "", "!", "!p1GGbfN6SlgKuW2v6djiGBTaJqCHhH0QKoQPDI2o"])
def test_no_password_is_stored_as_one_that_nothing_matches(hashed: str | None) -> None:
    assert to_stored_hash(hashed) == UNUSABLE


async def test_first_sign_in_replaces_the_hash(world: World) -> None:
    arthur = await world.user("arthur", hashed_password=DJANGO_PBKDF2)

    await world.sign_in(arthur)

    async with transaction(world.sessionmaker) as db:
        assert (await world.users(db).get(arthur.id)).hashed_password.startswith("$argon2id$")
    await world.sign_in(arthur)


async def test_long_password_verifies_against_its_first_72_bytes_in_bcrypt(hashing: PasswordHasher) -> None:
    long = PASSWORD * 5
    hashed = bcrypt.using(rounds=4, truncate_error=False).hash(long[:72])

    assert (await hashing.verify(long, to_stored_hash(hashed)))[0]


async def test_long_password_counts_as_a_whole_in_djangos_bcrypt_of_sha256(hashing: PasswordHasher) -> None:
    long = PASSWORD * 5
    hashed = django_bcrypt_sha256.using(rounds=4).hash(long)

    assert (await hashing.verify(long, to_stored_hash(hashed)))[0]
    assert await hashing.verify(long[:72], to_stored_hash(hashed)) == (False, None)


def test_every_format_is_verified_with_a_hash_that_another_program_made() -> None:
    made = [*BY_OTHERS.values(), *made_by_libpass().values(), FIREBASE]
    unverified = [
        pattern.pattern
        for pattern, _ in foreign_hashes.READERS
        if not any(pattern.fullmatch(to_stored_hash(hashed)) for hashed in made)
    ]
    assert unverified == []


def test_foreign_hasher_creates_no_hash() -> None:
    with pytest.raises(NotImplementedError):
        ForeignHasher().hash(PASSWORD)
    assert ForeignHasher().check_needs_rehash(DJANGO_PBKDF2)
    assert not ForeignHasher().verify(PASSWORD, "unknown")
    assert read_foreign_hash("unknown") is None
