"""What the issuer is asked about live sessions and roles, and what is believed."""

import asyncio
import base64
import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest

from accounts_client import (
    GroupsUnknown,
    InvalidToken,
    IssuerUnavailable,
    Role,
    Verifier,
    has_role,
    http,
    introspection,
)
from hostile import HOSTILE, body
from issuer import INTROSPECT, JWKS, METADATA, Issuer


async def test_token_of_an_ended_session_is_refused(issuer: Issuer, verifier: Verifier) -> None:
    session = str(uuid.uuid4())
    issuer.max_age = 0
    token = await verifier.verify(issuer.token(sid=session))
    await verifier.ensure_live(token)
    issuer.ended.add(session)

    with pytest.raises(InvalidToken):
        await verifier.ensure_live(token)


async def test_answer_is_used_again_for_the_seconds_that_cache_control_says(
    issuer: Issuer, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(introspection, "monotonic", lambda: clock[0])
    token = await verifier.verify(issuer.token())
    for seconds, requests in ((0, 1), (4.9, 1), (5.1, 2), (9, 2)):
        clock[0] = seconds
        await verifier.ensure_live(token)
        assert issuer.asked[INTROSPECT] == requests


async def test_answer_is_used_for_five_seconds_at_most(
    issuer: Issuer, verifier: Verifier, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [0.0]
    monkeypatch.setattr(introspection, "monotonic", lambda: clock[0])
    issuer.max_age = 3600
    session = str(uuid.uuid4())
    token = await verifier.verify(issuer.token(sid=session))
    await verifier.ensure_live(token)
    issuer.ended.add(session)

    clock[0] = 5.1
    with pytest.raises(InvalidToken):
        await verifier.ensure_live(token)


async def test_answers_are_not_used_again_if_the_service_says_so(issuer: Issuer) -> None:
    verifier = Verifier(issuer.url, credentials="acc_pat_x", live_seconds=0)
    token = await verifier.verify(issuer.token())
    for _ in range(3):
        await verifier.ensure_live(token)

    assert issuer.asked[INTROSPECT] == 3
    await verifier.close()


async def test_answers_are_not_shared_between_tokens_or_groups(issuer: Issuer, verifier: Verifier) -> None:
    issuer.roles = {"12": "admin"}
    first, second = [await verifier.verify(issuer.token()) for _ in range(2)]

    assert await verifier.role(first, 12) == "admin"
    assert await verifier.role(first, 13) is None
    await verifier.ensure_live(first)
    await verifier.ensure_live(second)
    assert [(form["token"], form.get("group")) for form in issuer.forms] == [
        (first.raw, "12"),
        (first.raw, "13"),
        (first.raw, None),
        (second.raw, None),
    ]


async def test_number_of_answers_that_are_kept_is_bounded(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(introspection, "MAX_CACHED", 3)
    verifier = Verifier(issuer.url, credentials="acc_pat_x")
    token = await verifier.verify(issuer.token())
    for group in (1, 2, 3, 1, 4, 1, 2):
        await verifier.role(token, group)

    assert [form["group"] for form in issuer.forms] == ["1", "2", "3", "4", "2"]  # 2 was not used for the longest time
    await verifier.close()


async def test_concurrent_callers_share_one_request(issuer: Issuer, verifier: Verifier) -> None:
    token = await verifier.verify(issuer.token())

    await asyncio.gather(*(verifier.ensure_live(token) for _ in range(50)))

    assert issuer.asked[INTROSPECT] == 1


async def test_metadata_are_fetched_once_for_all_callers(issuer: Issuer) -> None:
    verifier = Verifier(issuer.url, credentials="acc_pat_x", jwks_uri=issuer.url + JWKS)
    tokens = [await verifier.verify(issuer.token()) for _ in range(20)]

    await asyncio.gather(*map(verifier.ensure_live, tokens))

    assert issuer.asked == {JWKS: 1, METADATA: 1, INTROSPECT: 20}
    await verifier.close()


@pytest.mark.parametrize(
    ("credentials", "header"),
    [
        ("acc_pat_x", "Bearer acc_pat_x"),
        (("a:b", "s%t"), f"Basic {base64.b64encode(b'a%3Ab:s%25t').decode()}"),  # RFC 6749, 2.3.1
    ],
)
async def test_credentials_of_this_service_are_sent(issuer: Issuer, credentials: Any, header: str) -> None:
    verifier = Verifier(issuer.url, credentials=credentials)

    await verifier.ensure_live(await verifier.verify(issuer.token()))

    assert issuer.credentials == [header]
    await verifier.close()


LIES = {
    "another user": {"active": True, "sub": str(uuid.uuid4())},
    "no user": {"active": True},
    "a text": {"active": "true"},
    "a number": {"active": 1},
    "nothing": {},
}
ANSWERS = HOSTILE | {name: body(json.dumps(lie).encode()) for name, lie in LIES.items()}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
async def test_hostile_answer_lets_nobody_in(
    issuer: Issuer, verifier: Verifier, monkeypatch: pytest.MonkeyPatch, answer: Callable[..., None]
) -> None:
    token = await verifier.verify(issuer.token())
    monkeypatch.setattr(http, "SECONDS", 0.2)
    issuer.answers[INTROSPECT] = answer

    with pytest.raises(IssuerUnavailable):
        await verifier.ensure_live(token)


@pytest.mark.parametrize("role", [None, "emperor", 5, ["admin"], {"admin": 1}])
async def test_role_that_is_unknown_is_no_role(issuer: Issuer, verifier: Verifier, role: Any) -> None:
    issuer.roles = {"12": role}

    assert await verifier.role(await verifier.verify(issuer.token()), 12) is None


async def test_issuer_is_asked_for_roles_only_if_the_token_does_not_say_them(
    issuer: Issuer, verifier: Verifier
) -> None:
    issuer.roles = {"12": "owner"}
    told = await verifier.verify(issuer.token(groups={"12": "member"}))
    untold = await verifier.verify(issuer.token(groups_overage=True))

    assert await verifier.role(told, 12) == "member"
    assert await verifier.role(told, 13) is None
    assert issuer.asked[INTROSPECT] == 0
    assert await verifier.role(told, 12, live=True) == "owner"
    assert await verifier.role(untold, 12) == "owner"


async def test_without_credentials_roles_are_those_of_the_token(issuer: Issuer) -> None:
    verifier = Verifier(issuer.url)
    told = await verifier.verify(issuer.token(groups={"12": "member"}))

    assert await verifier.role(told, 12) == "member"
    with pytest.raises(GroupsUnknown):
        await verifier.role(await verifier.verify(issuer.token()), 12)
    for call in (verifier.ensure_live(told), verifier.role(told, 12, live=True)):
        with pytest.raises(ValueError, match="credentials"):
            await call
    await verifier.close()


def test_higher_roles_include_lower_ones() -> None:
    roles: list[Role] = ["member", "admin", "owner"]

    allowed = [(role, least) for role in [None, *roles] for least in roles if has_role(role, least)]

    assert allowed == [
        ("member", "member"),
        ("admin", "member"),
        ("admin", "admin"),
        ("owner", "member"),
        ("owner", "admin"),
        ("owner", "owner"),
    ]
