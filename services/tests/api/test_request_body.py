"""Bodies are of the media type that the route takes, and never ``null``."""

from typing import Any

import pytest

from support.operations import Operation, name_of, operations, page_operations
from support.people import World

FORM, JSON, CSV = "application/x-www-form-urlencoded", "application/json", "text/csv"
BODIES = [each for each in (*operations(), *page_operations()) if "requestBody" in each.description]
TAKES_JSON = [each for each in BODIES if JSON in each.description["requestBody"]["content"]]
CONTENT = {FORM: b"a=1", JSON: b'{"a": 1}', "text/plain": b"a", "": b'{"a": 1}'}


async def send(world: World, operation: Operation, media_type: str, content: bytes) -> Any:
    headers = await world.sign_in(await world.user("morgana", superuser=True))
    headers |= {"Content-Type": media_type} if media_type else {}
    return await world.client.request(operation.method, operation.url, headers=headers, content=content)


def test_walk_finds_all_kinds_of_bodies() -> None:
    assert {"post /auth/jwt/login", "post /auth/register", "delete /users/me", "post /account/sessions"} <= set(
        map(name_of, BODIES)
    )


@pytest.mark.parametrize("operation", BODIES, ids=name_of)
@pytest.mark.parametrize("sent", CONTENT)
async def test_body_of_another_media_type_is_refused(world: World, operation: Operation, sent: str) -> None:
    (taken,) = operation.description["requestBody"]["content"]
    if sent == taken:
        return
    response = await send(world, operation, sent, CONTENT[sent])

    group_is_unknown = taken == CSV
    assert response.status_code == (404 if group_is_unknown else 415), response.text
    if response.status_code == 415:
        assert response.headers["Content-Type"].startswith("text/html") or (
            response.json()["detail"], response.json()["reason"], response.headers["Accept"],
        ) == ("UNSUPPORTED_MEDIA_TYPE", f"Send Content-Type: {taken}.", taken)  # fmt: skip


@pytest.mark.parametrize("operation", TAKES_JSON, ids=name_of)
@pytest.mark.parametrize("null", [b"null", b" null\n"])
async def test_null_is_no_body(world: World, operation: Operation, null: bytes) -> None:
    response = await send(world, operation, JSON, null)

    assert (response.status_code, response.json()["detail"]) == (422, "REQUEST_INVALID")


@pytest.mark.parametrize("media_type", ["Application/JSON; charset=utf-8", "application/merge-patch+json"])
async def test_variants_of_json_are_accepted(world: World, media_type: str) -> None:
    headers = await world.sign_in(await world.user("arthur")) | {"Content-Type": media_type}

    response = await world.client.patch("/users/me", content=b'{"display_name": "Art"}', headers=headers)

    assert response.status_code == 200


async def test_optional_body_may_be_absent_or_empty(world: World) -> None:
    for name, headers in (("arthur", {}), ("lancelot", {"Content-Type": "text/plain", "Content-Length": "0"})):
        signed_in = await world.sign_in(await world.user(name))

        assert (await world.client.delete("/users/me", headers=signed_in | headers)).status_code == 204
