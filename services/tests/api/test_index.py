"""``/`` leads people to the account pages, and programs to the API's description."""

import pytest

from support.people import World

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"


async def test_browser_is_redirected_to_the_pages(world: World) -> None:
    response = await world.client.get("/", headers={"Accept": BROWSER})

    assert (response.status_code, response.headers["Location"]) == (303, "/account")
    assert (response.headers["Vary"], response.headers["Cache-Control"]) == ("Accept", "no-store")


async def test_browser_is_redirected_to_pages_elsewhere(world: World) -> None:
    world.change_settings(pages_url="https://app.example.com/me")

    response = await world.client.get("/", headers={"Accept": BROWSER})

    assert response.headers["Location"] == "https://app.example.com/me"
    assert (await world.client.get("/")).json()["account"] == "https://app.example.com/me"


@pytest.mark.parametrize("accept", ["*/*", "application/json", ""])
async def test_program_gets_links_that_work(world: World, accept: str) -> None:
    response = await world.client.get("/", headers={"Accept": accept})

    assert response.headers["Vary"] == "Accept"
    assert response.json().keys() == {"account", "docs", "openapi", "health"}
    for link in response.json().values():
        assert (await world.client.get(link)).status_code < 400
