"""Fast routes refuse what ordinary ones refuse, although FastAPI resolves no dependencies for them.

The tests walk the routes, so a new one is part of them.
"""

import gc
from http import HTTPStatus

import pytest
from fastapi.routing import APIRoute
from httpx2 import Response

from accounts.api.app import FAST_MODULES
from accounts.models import User, Visibility
from support.operations import DOCUMENT
from support.people import PASSWORD, World

READS = sorted(
    route.path
    for module in FAST_MODULES
    for route in module.fast_router.routes
    if isinstance(route, APIRoute) and "GET" in (route.methods or ())
)
FOR_ANYONE = [path for path in READS if {} in DOCUMENT["paths"][path]["get"]["security"]]
SIGNED_IN = sorted({*READS} - {*FOR_ANYONE})
LISTS = [
    path
    for path in READS
    if any(each["name"] == "cursor" for each in DOCUMENT["paths"][path]["get"].get("parameters", []))
]
END_ACCESS = {
    "signed out": "DELETE FROM user_session",
    "expired": "UPDATE user_session SET expires_at = now()",
    "unused for too long": "UPDATE user_session SET last_seen_at = now() - interval '1 year'",
    "deactivated": 'UPDATE "user" SET is_active = false',
}


@pytest.fixture
async def superuser(world: World) -> User:
    return await world.user("merlin", superuser=True)


@pytest.fixture
async def group_id(world: World) -> int:
    return (await world.group("Round Table", Visibility.PUBLIC)).id


async def get(world: World, path: str, group_id: int, headers: dict[str, str], query: str = "") -> Response:
    return await world.client.get(path.format(group_id=group_id) + query, headers=headers)


def test_the_walk_covers_every_kind_of_route() -> None:
    assert len(SIGNED_IN) >= 5
    assert len(FOR_ANYONE) >= 3
    assert len(LISTS) >= 6


@pytest.mark.parametrize("path", SIGNED_IN)
async def test_anonymous_caller_gets_401(world: World, group_id: int, path: str) -> None:
    answer = await get(world, path, group_id, {})

    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (HTTPStatus.UNAUTHORIZED, "Bearer")


@pytest.mark.parametrize("ended", END_ACCESS)
@pytest.mark.parametrize("path", SIGNED_IN)
async def test_access_ends_with_the_session(
    world: World, superuser: User, group_id: int, path: str, ended: str
) -> None:
    headers = await world.sign_in(superuser)
    before = await get(world, path, group_id, headers)

    await world.sql(END_ACCESS[ended])

    assert before.status_code == HTTPStatus.OK
    assert (await get(world, path, group_id, headers)).status_code == HTTPStatus.UNAUTHORIZED


@pytest.mark.parametrize("ended", END_ACCESS)
@pytest.mark.parametrize("path", FOR_ANYONE)
async def test_a_private_group_is_hidden_after_the_session(
    world: World, superuser: User, group_id: int, path: str, ended: str
) -> None:
    headers = await world.sign_in(superuser)
    await world.sql("UPDATE user_group SET visibility = 'private'")
    before = await get(world, path, group_id, headers)

    await world.sql(END_ACCESS[ended])

    after, anonymous = await get(world, path, group_id, headers), await get(world, path, group_id, {})
    assert before.status_code == HTTPStatus.OK
    assert (after.status_code, after.json()) == (anonymous.status_code, anonymous.json())
    assert "Round Table" not in after.text


@pytest.mark.parametrize("path", LISTS)
@pytest.mark.parametrize("query", ["?limit=0", "?limit=x", "?limit=201", "?cursor=%00"])
async def test_invalid_query_gets_422(world: World, superuser: User, group_id: int, path: str, query: str) -> None:
    answer = await get(world, path, group_id, await world.sign_in(superuser), query)

    assert (answer.status_code, answer.json()["errors"][0]["loc"][0]) == (422, "query")


@pytest.mark.parametrize("path", LISTS)
async def test_cursor_of_another_list_gets_400(world: World, superuser: User, group_id: int, path: str) -> None:
    answer = await get(world, path, group_id, await world.sign_in(superuser), "?cursor=PmJvZ3Vz")

    assert (answer.status_code, answer.json()["detail"]) == (400, "BAD_CURSOR")


@pytest.mark.parametrize("path", [path for path in READS if "{group_id}" in path])
@pytest.mark.parametrize("group_id", ["0", "x", str(2**63)])
async def test_invalid_id_of_a_group_gets_422(world: World, superuser: User, path: str, group_id: str) -> None:
    answer = await get(world, path, group_id, await world.sign_in(superuser))  # type: ignore[arg-type]  # on purpose

    assert answer.status_code == 422


@pytest.mark.parametrize("path", READS)
async def test_a_cookie_reads_what_a_token_reads(world: World, superuser: User, group_id: int, path: str) -> None:
    form = {"username": superuser.email, "password": PASSWORD}
    by_token = await get(world, path, group_id, await world.sign_in(superuser))
    login = await world.client.post("/auth/cookie/login", data=form)
    cookie = {"Cookie": login.headers["set-cookie"].partition(";")[0]}
    by_cookie = await get(world, path, group_id, cookie)

    assert by_cookie.status_code == HTTPStatus.OK
    if path != "/auth/sessions":
        assert by_cookie.json() == by_token.json()


async def test_refresh_takes_fields_without_a_value_as_left_out(world: World) -> None:
    """RFC 6749, 3.1."""
    token = (await world.login(await world.user("arthur"))).json()["refresh_token"]
    form = {"refresh_token": token, "grant_type": "", "scope": "", "client_id": ""}

    answer = await world.client.post("/auth/jwt/refresh", data=form)

    assert answer.status_code == HTTPStatus.OK


@pytest.mark.parametrize(
    ("content", "media_type", "error"),
    [
        ("", "application/x-www-form-urlencoded", "invalid_request"),
        ("refresh_token=", "application/x-www-form-urlencoded", "invalid_request"),
        ("refresh_token=a&refresh_token=b", "application/x-www-form-urlencoded", "invalid_request"),
        ("grant_type=password&refresh_token=a", "application/x-www-form-urlencoded", "unsupported_grant_type"),
        ('{"refresh_token": "a"}', "application/json", "invalid_request"),
    ],
)
async def test_refresh_refuses_other_bodies(world: World, content: str, media_type: str, error: str) -> None:
    answer = await world.client.post("/auth/jwt/refresh", content=content, headers={"Content-Type": media_type})

    assert answer.status_code in {400, 415}
    assert answer.json()["error"] == error


async def test_refresh_ignores_files(world: World) -> None:
    """They are closed: a file that is left open is a warning, which fails the test."""
    token = (await world.login(await world.user("arthur"))).json()["refresh_token"]

    answers = [
        await world.client.post("/auth/jwt/refresh", data=data, files={name: b"a file"})
        for data, name in (({}, "refresh_token"), ({"refresh_token": token}, "other"))
    ]
    gc.collect()

    assert [answer.status_code for answer in answers] == [400, 200]
