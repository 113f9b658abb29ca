"""The rate-limit rules: which attempts share a limit, and how long clients wait."""

from unicodedata import category

import pytest
from sqlalchemy import text
from sqlmodel import select

from accounts.db.session import transaction
from accounts.domain.errors import TooManyAttempts
from accounts.domain.rate_limits import counting
from accounts.domain.rate_limits.rules import Attempt
from accounts.models import Throttle
from support.people import World

ARTHUR = "king.arthur@camelot.example.com"
MINUTES = 60


async def wait(world: World, attempt: Attempt, client_ip: str, email: str = "") -> int:
    """The seconds that an attempt has to wait; 0 if it is allowed."""
    try:
        await counting.check_rate_limit(world.connect, attempt, client_ip, email)
    except TooManyAttempts as refusal:
        return refusal.seconds
    return 0


async def test_sign_in_waits_grow_to_half_an_hour_at_most(world: World) -> None:
    """A client that never stops gets 50 attempts a day and never waits longer than half an hour."""
    waits = []
    for _ in range(120):
        if seconds := await wait(world, Attempt.LOGIN, "192.0.2.1", ARTHUR):
            waits.append(seconds)
            await world.sql(f"UPDATE throttle SET arrival_at = arrival_at - interval '{seconds} s'")  # noqa: S608  # a number

    assert [waits[0], waits[25], waits[-1]] == [pytest.approx(each, abs=2) for each in (12, 3 * MINUTES, 1728)]
    assert max(waits) < 30 * MINUTES


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::2", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("unix", "", True),
        ("not an address", "another", True),
        ("not an address", "192.0.2.1", False),
    ],
)
async def test_clients_of_one_network_share_a_limit(world: World, one: str, other: str, *, same: bool) -> None:
    for _ in range(5):
        assert not await wait(world, Attempt.LOGIN, one, ARTHUR)

    assert bool(await wait(world, Attempt.LOGIN, other, ARTHUR)) is same


@pytest.mark.parametrize(
    ("spelling", "same"), [(ARTHUR.upper(), True), (ARTHUR.replace("i", "İ"), True), (f"{ARTHUR}x", False)]
)
async def test_spellings_of_one_email_share_a_limit(world: World, spelling: str, *, same: bool) -> None:
    for _ in range(5):
        assert not await wait(world, Attempt.LOGIN, "192.0.2.1", ARTHUR)

    assert bool(await wait(world, Attempt.LOGIN, "192.0.2.1", spelling)) is same


async def test_letter_case_is_folded_as_postgresql_does(world: World) -> None:
    """If PostgreSQL found one user by spellings that are counted separately, each spelling would add attempts."""
    statement = "SELECT chr(n), lower(chr(n)) FROM generate_series(1, 131071) n WHERE n NOT BETWEEN 55296 AND 57343"
    async with world.sessionmaker() as db:
        letters = (await (await db.connection()).execute(text(statement))).all()

    differing = [
        (letter, lower) for letter, lower in letters if counting._lowercase(letter) != counting._lowercase(lower)
    ]
    assert len(letters) > 100_000
    assert [each for each in differing if category(each[0]) != "Cn"] == []  # PostgreSQL may know newer letters


async def test_stored_keys_contain_no_email_ip_or_user(world: World) -> None:
    for attempt in Attempt:
        await counting.check_rate_limit(world.connect, attempt, "192.0.2.1", ARTHUR, account="king-1")
    async with transaction(world.sessionmaker) as db:
        await counting.reset_failed_attempts(db, "192.0.2.1", ARTHUR)
        keys = (await db.exec(select(Throttle.key))).all()

    assert len(keys) > len(Attempt)
    assert not [key for key in keys if "arthur" in key or "192.0.2" in key or "king" in key]


@pytest.mark.parametrize("attempt", [Attempt.FORGOT_PASSWORD, Attempt.REGISTER, Attempt.INVITE, Attempt.LOGIN])
async def test_allowance_does_not_tell_what_others_did_with_an_email(world: World, attempt: Attempt) -> None:
    for number in range(3):
        await counting.check_rate_limit(world.connect, attempt, f"198.51.100.{number}", ARTHUR)

    attempted = await counting.check_rate_limit(world.connect, attempt, "192.0.2.1", ARTHUR)
    fresh = await counting.check_rate_limit(world.connect, attempt, "192.0.2.2", "fresh@camelot.example.com")

    assert (attempted.limit, attempted.remaining) == (fresh.limit, fresh.remaining)
