"""Introspection (RFC 7662): other services learn at once that a token is not usable any more."""

import uuid
from typing import Any

import jwt
import pytest
from httpx2 import Response

from accounts.domain.access_keys.secret import KeyKind
from accounts.domain.rate_limits.gcra import Limit
from accounts.domain.rate_limits.rules import HOUR, RULES, Attempt, Rule
from accounts.models import Role, Scope, Visibility
from support.people import World

INACTIVE = {"active": False}


async def ask(world: World, headers: dict[str, str], token: str, **form: Any) -> Response:
    return await world.client.post("/oauth/introspect", data={"token": token, **form}, headers=headers)


def token_of(headers: dict[str, str]) -> str:
    return headers["Authorization"].removeprefix("Bearer ")


@pytest.fixture
async def service(world: World) -> dict[str, str]:
    """The headers of the caller."""
    return await world.sign_in(await world.user("merlin"))


async def test_usable_token_is_active_with_what_it_says_and_nothing_more(world: World, service: dict[str, str]) -> None:
    arthur = await world.user("arthur")
    token = token_of(await world.sign_in(arthur))

    response = await ask(world, service, token, token_type_hint="access_token")

    claims = jwt.decode(token, options={"verify_signature": False})
    assert response.json() == claims | {"active": True, "token_type": "Bearer"}
    assert response.json()["sub"] == str(arthur.id)
    assert response.headers.get_list("Cache-Control") == ["private, max-age=5"]


ENDS = {
    "sign-out": "DELETE FROM user_session WHERE user_id <> '{service}'",
    "deactivation": "UPDATE \"user\" SET is_active = false WHERE id <> '{service}'",
    "deletion": "DELETE FROM \"user\" WHERE id <> '{service}'",
    "idle": "UPDATE user_session SET last_seen_at = '2020-01-01' WHERE user_id <> '{service}'",
    "expiry": "UPDATE user_session SET expires_at = '2020-01-01' WHERE user_id <> '{service}'",
}


@pytest.mark.parametrize("end", ENDS)
async def test_token_is_inactive_as_soon_as_its_session_ends(world: World, service: dict[str, str], end: str) -> None:
    token = token_of(await world.sign_in(await world.user("arthur")))
    assert (await ask(world, service, token)).json()["active"]

    caller = jwt.decode(token_of(service), options={"verify_signature": False})["sub"]
    await world.sql(ENDS[end].format(service=caller))

    response = await ask(world, service, token)
    assert response.json() == INACTIVE
    assert response.headers["Cache-Control"] == "no-store"


async def test_all_that_is_no_access_token_is_inactive(world: World, service: dict[str, str]) -> None:
    arthur = await world.user("arthur")
    tokens = (await world.login(arthur)).json()
    expired = jwt.decode(tokens["access_token"], options={"verify_signature": False})
    secret, header = world.state["settings"].secret_keys[0], jwt.get_unverified_header(tokens["access_token"])
    expired |= {"iat": expired["iat"] - 1000, "exp": expired["exp"] - 1000}

    for token in (
        tokens["refresh_token"],
        tokens["access_token"][:-2],
        jwt.encode(expired, secret, "HS256", header),
        world.state["keys"].sign(arthur.id, uuid.uuid4()),
        "acc_pat_unknown",
        "nonsense é \x00",
    ):
        assert (await ask(world, service, token)).json() == INACTIVE


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("visibility", Visibility)
async def test_role_in_a_group_is_told_on_request(
    world: World, service: dict[str, str], role: Role, visibility: Visibility
) -> None:
    arthur = await world.user("arthur")
    group = await world.group("Round Table", visibility, members={arthur: role})
    other = await world.group("Camelot", members={await world.user("kay"): role})
    token = token_of(await world.sign_in(arthur))

    assert (await ask(world, service, token, group=group.id)).json()["group_role"] == role
    for no_member in (other.id, group.id + 1000, 2**63 - 1):
        assert (await ask(world, service, token, group=no_member)).json()["group_role"] is None
    assert "group_role" not in (await ask(world, service, token)).json()


async def test_role_follows_the_membership_at_once(world: World, service: dict[str, str]) -> None:
    arthur = await world.user("arthur")
    group = await world.group("Round Table", members={arthur: Role.ADMIN})
    token = token_of(await world.sign_in(arthur))

    await world.sql("DELETE FROM membership")

    assert (await ask(world, service, token, group=group.id)).json()["group_role"] is None


@pytest.mark.parametrize(
    ("scopes", "told"),
    [(["account"], True), (["groups:read"], True), (["profile:read", "members:write"], False), ([], False)],
)
async def test_role_is_told_only_of_tokens_that_may_read_groups(
    world: World, service: dict[str, str], scopes: list[str], *, told: bool
) -> None:
    arthur = await world.user("arthur")
    group = await world.group("Round Table", members={arthur: Role.OWNER})
    session = jwt.decode(token_of(await world.sign_in(arthur)), options={"verify_signature": False})["sid"]
    token = world.state["keys"].sign(arthur.id, uuid.UUID(session), scopes)

    answer = (await ask(world, service, token, group=group.id)).json()

    assert answer["active"]
    assert answer["scope"] == " ".join(scopes)
    assert answer["group_role"] == ("owner" if told else None)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer x"}, {"Cookie": "a=b"}])
async def test_caller_without_credentials_learns_nothing(world: World, headers: dict[str, str]) -> None:
    token = token_of(await world.sign_in(await world.user("arthur")))

    response = await ask(world, headers, token)

    assert response.status_code == 401
    assert response.json()["error"] == "invalid_client"
    assert response.headers["WWW-Authenticate"].startswith("Bearer")
    assert response.headers["Content-Type"] == "application/json"


async def test_program_with_the_scope_may_ask_and_others_may_not(world: World) -> None:
    merlin = await world.user("merlin")
    token = token_of(await world.sign_in(await world.user("arthur")))
    every_other = [scope for scope in Scope if scope not in {Scope.ACCOUNT, Scope.GROUPS, Scope.INTROSPECT}]

    allowed = await ask(world, await world.access_key(merlin, Scope.INTROSPECT), token)
    refused = await ask(world, await world.access_key(merlin, *every_other), token)

    assert allowed.json()["active"]
    assert (refused.status_code, refused.json()["error"]) == (403, "insufficient_scope")
    assert refused.headers["WWW-Authenticate"] == 'Bearer error="insufficient_scope", scope="introspect"'


async def test_personal_access_token_is_active_until_it_is_revoked(world: World, service: dict[str, str]) -> None:
    arthur = await world.user("arthur")
    group = await world.group("Round Table", members={arthur: Role.ADMIN})
    token = token_of(await world.access_key(arthur, Scope.GROUPS_READ, Scope.MEMBERS_READ))
    without = token_of(await world.access_key(arthur, Scope.MEMBERS_READ))

    answer = (await ask(world, service, token, group=group.id)).json()
    assert answer == {
        "active": True,
        "iss": "http://localhost:8000",
        "aud": "accounts",
        "sub": str(arthur.id),
        "client_id": "accounts",
        "scope": "groups:read members:read",
        "token_type": "Bearer",
        "iat": answer["iat"],
        "exp": answer["iat"] + 30 * 86400,
        "jti": answer["jti"],
        "acr": "aal1",
        "group_role": "admin",
    }
    assert (await ask(world, service, without, group=group.id)).json()["group_role"] is None

    other = "A" if token[-9] != "A" else "E"
    assert (await ask(world, service, token[:-9] + other + token[-8:])).json() == INACTIVE
    await world.sql("UPDATE \"user\" SET is_active = false WHERE email LIKE 'arthur%'")
    assert (await ask(world, service, token)).json() == INACTIVE


async def test_client_secret_is_no_token(world: World, service: dict[str, str]) -> None:
    secret = await world.access_key(await world.user("robot"), Scope.GROUPS_READ, kind=KeyKind.SERVICE)

    assert (await ask(world, service, token_of(secret))).json() == INACTIVE


async def test_caller_whose_session_has_ended_is_refused(world: World, service: dict[str, str]) -> None:
    await world.client.post("/auth/jwt/logout", headers=service)

    assert (await ask(world, service, "x")).status_code == 401


@pytest.mark.parametrize(
    "form", [{}, {"token": ""}, {"token": ["a", "b"]}, {"token": "a", "group": "x"}, {"token": "a", "group": 0},
             {"token": "a", "group": 2**63}, {"token": "x" * 9000}]
)  # fmt: skip
async def test_invalid_form_is_an_invalid_request(world: World, service: dict[str, str], form: dict[str, Any]) -> None:
    response = await world.client.post("/oauth/introspect", data=form, headers=service)

    assert (response.status_code, response.json()["error"]) == (400, "invalid_request")


async def test_guessing_tokens_is_limited(
    world: World, service: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(RULES, Attempt.INTROSPECT, Rule(RULES[Attempt.INTROSPECT].group, network=(Limit(2, HOUR),)))
    world.change_settings(throttle_scale=1)

    statuses = [(await ask(world, headers, "guess")).status_code for headers in (service, {}, service)]

    assert statuses == [200, 401, 429]
