"""HEAD on every GET route (RFC 9110, 9.3.2): the status and headers of GET, and no content."""

import logging

import pytest
from httpx2 import Headers

from support.operations import PATH_VALUES, get_paths
from support.people import World

PATHS = list(get_paths())


def stable(headers: Headers) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name not in {"x-request-id", "ratelimit"}}


def test_walk_finds_every_kind_of_route() -> None:
    assert {
        "/", "/docs", "/docs/{path:path}", "/openapi.json", "/health/ready", "/.well-known/jwks.json", "/users/me",
        "/user-groups/{group_id}/users", "/user-groups/{group_id}/users/export", "/account/sign-in",
    } <= set(PATHS)  # fmt: skip


@pytest.mark.parametrize("path", PATHS)
async def test_head_has_the_headers_of_get_and_no_content(world: World, path: str) -> None:
    morgana = await world.user("morgana", superuser=True)
    group = await world.group("Round Table")
    headers = await world.sign_in(morgana)
    values = {**PATH_VALUES, "group_id": group.id, "user_id": morgana.id}
    url = path.replace(":path", "").format_map(values)

    get = await world.client.get(url, headers=headers)
    head = await world.client.head(url, headers=headers)

    assert head.status_code == get.status_code < 405
    assert stable(head.headers) == stable(get.headers)
    assert head.content == b""


async def test_head_is_logged_as_such_with_its_route(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "accounts.requests")
    headers = await world.sign_in(await world.user("arthur"))

    await world.client.head("/users/me", headers=headers)

    assert [getattr(caplog.records[-1], name) for name in ("method", "route", "status")] == ["HEAD", "/users/me", 200]


async def test_head_is_refused_where_get_is(world: World) -> None:
    response = await world.client.head("/auth/register")

    assert (response.status_code, response.headers["Allow"], response.content) == (405, "POST", b"")


async def test_head_counts_as_an_attempt(world: World) -> None:
    headers = await world.sign_in(await world.user("arthur"))
    world.change_settings(throttle_scale=0.001)

    statuses = [(await world.client.head("/users/me/export", headers=headers)).status_code for _ in range(2)]

    assert statuses == [200, 429]
