"""When keys are fetched, from an issuer that is well, slow, away or hostile."""

import asyncio
import json
import time
from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from accounts_client import InvalidToken, IssuerUnavailable, Verifier, http, keys
from hostile import HOSTILE, body, slow, status
from issuer import JWKS, METADATA, Clock, Issuer, jwk, send


def add_key(issuer: Issuer, kid: str) -> None:
    issuer.keys[kid] = generate_private_key(SECP256R1())


async def test_keys_are_fetched_once_while_they_are_fresh(issuer: Issuer, verifier: Verifier, clock: Clock) -> None:
    for seconds in (0, 100, 199):
        clock.seconds = seconds
        await verifier.verify(issuer.token())

    assert issuer.asked == {METADATA: 1, JWKS: 1}
    clock.seconds = 301
    await verifier.verify(issuer.token())
    assert issuer.asked[JWKS] == 2


@pytest.mark.parametrize(
    ("header", "fresh", "stale"),
    [
        ("public, max-age=100", 99, 101),
        ("max-age=999999999", 3599, 3601),
        ("max-age=0", 29, 31),
        ("no-store", 29, 31),
        ("", 299, 301),
        ("max-age=much", 299, 301),
    ],
)
async def test_cache_control_says_how_long_keys_are_fresh(
    issuer: Issuer, verifier: Verifier, clock: Clock, header: str, fresh: int, stale: int
) -> None:
    body = json.dumps({"keys": [jwk(issuer.keys["first"], "first")]}).encode()
    issuer.answers[JWKS] = lambda handler: send(handler, 200, body, Cache_Control=header)
    await verifier.verify(issuer.token())

    clock.seconds = fresh
    await verifier.verify(issuer.token())
    assert issuer.asked[JWKS] == 1
    clock.seconds = stale
    await verifier.verify(issuer.token())
    assert issuer.asked[JWKS] == 2


async def test_concurrent_callers_share_one_fetch(issuer: Issuer, verifier: Verifier) -> None:
    await asyncio.gather(*(verifier.verify(issuer.token()) for _ in range(50)))

    assert issuer.asked == {METADATA: 1, JWKS: 1}


async def test_no_token_is_refused_while_keys_rotate(issuer: Issuer, verifier: Verifier) -> None:
    old = issuer.token()
    await verifier.verify(old)
    add_key(issuer, "second")

    await asyncio.gather(*(verifier.verify(issuer.token("second")) for _ in range(50)))
    await verifier.verify(old)

    assert issuer.asked[JWKS] == 2


async def test_flood_of_unknown_keys_costs_one_fetch_in_half_a_minute(
    issuer: Issuer, verifier: Verifier, clock: Clock
) -> None:
    await verifier.verify(issuer.token())
    forger = generate_private_key(SECP256R1())

    async def flood() -> None:
        for number in range(200):
            issuer.keys[f"forged{number}"] = forger
        forged = [issuer.token(f"forged{number}") for number in range(200)]
        for number in range(200):
            del issuer.keys[f"forged{number}"]
        results = await asyncio.gather(*map(verifier.verify, forged), return_exceptions=True)
        assert {type(result) for result in results} == {InvalidToken}

    await flood()
    await flood()
    assert issuer.asked[JWKS] == 2
    await verifier.verify(issuer.token())  # others are served
    clock.seconds = 31
    await flood()
    assert issuer.asked[JWKS] == 3


async def test_key_that_the_issuer_removed_is_refused(issuer: Issuer, verifier: Verifier, clock: Clock) -> None:
    """Also a token that was verified with it before: keys are removed when they are stolen."""
    token = issuer.token()
    await verifier.verify(token)
    add_key(issuer, "second")
    del issuer.keys["first"]
    clock.seconds = 301

    with pytest.raises(InvalidToken):
        await verifier.verify(token)


async def test_caller_that_is_cancelled_does_not_cancel_the_fetch_of_others(issuer: Issuer, verifier: Verifier) -> None:
    first = asyncio.create_task(verifier.verify(issuer.token()))
    second = asyncio.create_task(verifier.verify(issuer.token()))
    await asyncio.sleep(0)
    first.cancel()

    await second
    assert issuer.asked[JWKS] == 1


hostile = pytest.mark.parametrize("answer", HOSTILE.values(), ids=HOSTILE)


@hostile
async def test_hostile_answer_is_neither_believed_nor_fatal(
    issuer: Issuer, verifier: Verifier, clock: Clock, monkeypatch: pytest.MonkeyPatch, answer: Callable[..., None]
) -> None:
    """The first time there is nothing to verify with. Later, the keys of before are used on."""
    monkeypatch.setattr(http, "SECONDS", 0.2)
    issuer.answers[JWKS] = answer
    with pytest.raises(IssuerUnavailable):
        await verifier.verify(issuer.token())
    assert issuer.asked["/elsewhere"] == 0

    del issuer.answers[JWKS]
    clock.seconds += 6
    await verifier.verify(issuer.token())
    clock.seconds += 301
    issuer.answers[JWKS] = answer
    await verifier.verify(issuer.token())
    clock.seconds += 24 * 3600  # not for ever
    with pytest.raises(IssuerUnavailable):
        await verifier.verify(issuer.token())


@hostile
async def test_hostile_metadata_are_not_believed(
    issuer: Issuer, verifier: Verifier, monkeypatch: pytest.MonkeyPatch, answer: Callable[..., None]
) -> None:
    monkeypatch.setattr(http, "SECONDS", 0.2)
    issuer.answers[METADATA] = answer

    with pytest.raises(IssuerUnavailable):
        await verifier.verify(issuer.token())


@pytest.mark.parametrize(
    "changes",
    [
        {"issuer": "http://127.0.0.1"},
        {"issuer": None},
        {"jwks_uri": "http://127.0.0.2/keys"},
        {"jwks_uri": "http://{host}@{host}/keys"},  # begins like the issuer
        {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "https://[::1"},
        {"jwks_uri": "https://"},
        {"jwks_uri": 5},
        {"jwks_uri": None},
    ],
    ids=str,
)
async def test_metadata_of_another_issuer_or_with_unsafe_urls_are_refused(
    issuer: Issuer, verifier: Verifier, changes: dict[str, object]
) -> None:
    document = {"issuer": issuer.url, "jwks_uri": issuer.url + JWKS} | changes
    issuer.answers[METADATA] = body(json.dumps(document).replace("{host}", issuer.url.removeprefix("http://")).encode())
    issuer.answers["/keys"] = body(json.dumps({"keys": [jwk(issuer.keys["first"], "first")]}).encode())

    with pytest.raises(IssuerUnavailable):
        await verifier.verify(issuer.token())


async def test_issuer_that_does_not_answer_is_not_asked_for_each_token(issuer: Issuer, clock: Clock) -> None:
    verifier = Verifier(issuer.url, jwks_uri=f"{issuer.url}/missing")
    issuer.answers["/missing"] = status(500)
    for _ in range(5):
        with pytest.raises(IssuerUnavailable):
            await verifier.verify(issuer.token())
    assert issuer.asked["/missing"] == 1

    clock.seconds = 6
    with pytest.raises(IssuerUnavailable):
        await verifier.verify(issuer.token())
    assert issuer.asked["/missing"] == 2
    await verifier.close()


async def test_issuer_that_hangs_delays_tokens_with_a_known_key_by_a_second_at_most(
    issuer: Issuer, verifier: Verifier, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "PATIENCE", 0.05)
    await verifier.verify(issuer.token())
    clock.seconds = 301
    issuer.answers[JWKS] = slow  # for a second
    started = time.monotonic()

    await asyncio.gather(*(verifier.verify(issuer.token()) for _ in range(20)))

    assert time.monotonic() - started < 0.8
    assert issuer.asked[JWKS] == 2


async def test_issuer_may_be_reached_at_another_address(issuer: Issuer) -> None:
    verifier = Verifier("https://accounts.example.com", jwks_uri=issuer.url + JWKS)

    await verifier.verify(issuer.token(iss="https://accounts.example.com"))

    assert issuer.asked == {JWKS: 1}
    await verifier.close()


def test_verifier_works_in_one_event_loop_after_the_other(issuer: Issuer) -> None:
    """As in tests, which often have a loop each."""
    verifier = Verifier(issuer.url, credentials="acc_pat_x")

    async def verify() -> None:
        await verifier.ensure_live(await verifier.verify(issuer.token()))
        await verifier.close()

    for _ in range(3):
        asyncio.run(verify())


def test_event_loop_that_ends_during_a_fetch_leaves_nothing_behind(
    issuer: Issuer, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keys, "PATIENCE", 0.05)
    verifier = Verifier(issuer.url)

    async def verify() -> None:
        await verifier.verify(issuer.token())
        await verifier.close()

    asyncio.run(verify())
    clock.seconds = 301
    issuer.answers[JWKS] = slow
    asyncio.run(verify())
    del issuer.answers[JWKS]
    asyncio.run(verify())

    assert issuer.asked[JWKS] == 3


async def test_key_set_of_more_than_a_quarter_of_a_megabyte_is_not_read(issuer: Issuer, verifier: Verifier) -> None:
    document = {"keys": [jwk(issuer.keys["first"], "first")], "padding": "x" * 270_000}
    issuer.answers[JWKS] = body(json.dumps(document).encode())

    with pytest.raises(IssuerUnavailable, match="bytes"):
        await verifier.verify(issuer.token())


async def test_token_is_verified_again_when_its_key_was_replaced_under_the_same_id(
    issuer: Issuer, verifier: Verifier, clock: Clock
) -> None:
    token = issuer.token()
    await verifier.verify(token)
    issuer.keys["first"] = generate_private_key(SECP256R1())
    clock.seconds = 301

    with pytest.raises(InvalidToken):
        await verifier.verify(token)
