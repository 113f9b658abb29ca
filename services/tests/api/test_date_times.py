"""Times in requests are those of RFC 3339. Pydantic alone would also take Unix time."""

from collections.abc import Iterator
from typing import Any

import pytest

from support.operations import Operation, operations, page_operations, resolve
from support.people import World


def instants() -> Iterator[tuple[Operation, str, str]]:
    """Yield (operation, where, name) for every time that a client can send."""
    for operation in (*operations(), *page_operations()):
        fields = [("json", name, schema) for name, schema in operation.fields().items()]
        fields += [("params", each["name"], each["schema"]) for each in operation.description.get("parameters", ())]
        for where, name, schema in fields:
            if "date" in str([each.get("format") for each in (schema, *map(resolve, schema.get("anyOf", ())))]):
                yield operation, where, name


INSTANTS = list(instants())


def test_walk_finds_the_times() -> None:
    assert {("/audit", "params", "since"), ("/audit", "params", "until")} <= {
        (operation.path, where, name) for operation, where, name in INSTANTS
    }


@pytest.mark.parametrize(("operation", "where", "name"), INSTANTS)
@pytest.mark.parametrize("value", ["0", "-1", "1e9", "1700000000.5", " 0 ", "2026-01-31", "12:00Z", "2026-01-31T00:00"])
async def test_numbers_and_parts_of_times_are_refused(
    world: World, operation: Operation, where: str, name: str, value: str
) -> None:
    headers = await world.sign_in(await world.user("morgana", superuser=True))
    content: dict[str, Any] = {where: {name: value}}

    response = await world.client.request(operation.method, operation.url, headers=headers, **content)

    assert response.status_code == 422
    assert response.json()["errors"][0]["loc"][-1] == name


@pytest.mark.parametrize("value", ["2026-01-31T00:00:00Z", "2026-01-31t00:00:00.5+01:00", "2026-01-31 00:00:00z"])
async def test_times_of_rfc_3339_are_accepted(world: World, value: str) -> None:
    headers = await world.sign_in(await world.user("morgana", superuser=True))

    assert (await world.client.get("/audit", params={"since": value}, headers=headers)).status_code == 200
