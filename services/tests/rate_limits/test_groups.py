"""The groups of limits: each has a factor of its own, so that more sign-ups are not more guesses."""

import re
from collections.abc import Iterator

import pytest

from accounts.domain.errors import TooManyAttempts
from accounts.domain.rate_limits.counting import check_rate_limit, count_received_mail
from accounts.domain.rate_limits.rules import RULES, Attempt
from accounts.models import MailKind
from accounts.settings import LimitGroup, SignUp
from support.people import World
from support.project import ROOT

CLASSROOM = "192.0.2.1"
TEACHER = "guinevere@camelot.example.com"
ROW = re.compile(r"^\| `(THROTTLE_SCALE_\w+)` \|[^|]*\|([^|]*)\|([^|]*)\|$", re.MULTILINE)
BY_NETWORK = [attempt for attempt, rule in RULES.items() if rule.network]
BY_ACCOUNT = [attempt for attempt, rule in RULES.items() if rule.account]
BY_EMAIL = [attempt for attempt, rule in RULES.items() if rule.email]


def scale_only(world: World, group: LimitGroup | None) -> None:
    """Allow one attempt under all limits but those of a group, as the settings do it."""
    factors = {f"throttle_scale_{each}": 1e6 if each is group else 1e-6 for each in LimitGroup}
    world.change_settings(throttle_scale=1, **factors)


async def attempts(world: World, attempt: Attempt, *, by: str) -> int:
    """Return how many of two attempts are allowed that have only a network, an account or an email in common."""
    allowed = 0
    for number in (1, 2):
        try:
            await check_rate_limit(
                world.connect,
                attempt,
                CLASSROOM if by == "network" else f"198.51.100.{number}",
                TEACHER if by == "email" else f"{number}@example.com",
                account="1" if by == "account" else str(number),
                scale=world.state["settings"].limit_scale,
            )
        except TooManyAttempts:
            continue
        allowed += 1
    return allowed


def limits() -> Iterator[tuple[Attempt, str, LimitGroup]]:
    """Yield each kind of limit with its group."""
    for kind, rules in (("network", BY_NETWORK), ("account", BY_ACCOUNT)):
        yield from ((attempt, kind, RULES[attempt].group) for attempt in rules)
    yield from ((attempt, "email", RULES[attempt].email_group) for attempt in BY_EMAIL)


@pytest.mark.parametrize(("attempt", "kind", "own"), list(limits()))
async def test_limit_follows_the_factor_of_its_group_and_no_other(
    world: World, attempt: Attempt, kind: str, own: LimitGroup
) -> None:
    for group in LimitGroup:
        scale_only(world, group)
        await world.sql("DELETE FROM throttle")
        assert await attempts(world, attempt, by=kind) == (2 if group is own else 1), group


def test_docs_name_the_group_of_every_rule() -> None:
    documented = {
        (name, kind, setting)
        for setting, *cells in ROW.findall((ROOT / "docs/rate-limits.md").read_text())
        for kind, cell in zip(("own", "email"), cells, strict=True)
        for name in re.findall(r"`([\w-]+)`", cell)
    }

    expected = {(attempt.value, "own", RULES[attempt].group) for attempt in Attempt}
    expected |= {(attempt.value, "email", RULES[attempt].email_group) for attempt in BY_EMAIL}
    assert documented == {(name, kind, f"THROTTLE_SCALE_{group.upper()}") for name, kind, group in expected}


async def test_mail_to_one_address_follows_the_factor_for_mail(world: World) -> None:
    for group, allowed in ((LimitGroup.MAIL, 2), (LimitGroup.SIGN_UP, 1)):
        scale_only(world, group)
        await world.sql("DELETE FROM throttle")
        scale, sent = world.state["settings"].limit_scale, 0
        for _ in range(2):
            try:
                await count_received_mail(world.connect, TEACHER, MailKind.VERIFY, scale=scale)
            except TooManyAttempts:
                continue
            sent += 1
        assert sent == allowed


async def test_factor_for_all_limits_multiplies_those_of_the_groups(world: World) -> None:
    world.change_settings(throttle_scale=10, throttle_scale_sign_up=3)

    scale = world.state["settings"].limit_scale
    assert (scale(LimitGroup.SIGN_UP), scale(LimitGroup.GUESSES)) == (30, 10)


@pytest.mark.parametrize(("factor", "signed_up"), [(1, 20), (3, 30)])
async def test_class_of_thirty_behind_one_address_signs_up_and_guesses_no_more_often(
    world: World, factor: float, signed_up: int
) -> None:
    await world.user("guinevere")
    world.change_settings(throttle_scale=1, throttle_scale_sign_up=factor, sign_up=SignUp.VERIFIED)
    classroom = world.client_at(CLASSROOM)

    answers = [await classroom.post("/auth/register", json={"email": f"{n}@example.com"}) for n in range(30)]
    guesses = [
        await classroom.post("/auth/jwt/login", data={"username": TEACHER, "password": "wrong"}) for _ in range(6)
    ]

    assert [answer.status_code for answer in answers].count(201) == signed_up
    assert [answer.status_code for answer in guesses] == [400] * 5 + [429]
