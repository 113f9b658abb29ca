"""Which names the API answers to, and whose pages may read its answers."""

from typing import Any

import pytest

from support.people import World

APP = "https://app.example.com"
PREFLIGHT = {
    "Access-Control-Request-Method": "PATCH",
    "Access-Control-Request-Headers": "authorization, content-type",
}


def set_up(world: World, **changes: Any) -> None:
    world.state["settings"] = world.state["settings"].model_copy(update=changes)


class TestHosts:
    @pytest.mark.parametrize("host", ["testserver", "TestServer:8000", "localhost:8000", "[::1]:8000", "10.1.2.3"])
    async def test_answers_to_its_own_names(self, world: World, host: str) -> None:
        set_up(world, allowed_hosts=("testserver", "[::1]"), api_host="10.1.2.3")  # and localhost, by PUBLIC_URL

        assert (await world.client.get("/user-groups", headers={"Host": host})).status_code == 200

    @pytest.mark.parametrize(
        "host",
        ["evil.example", "testserver.evil.example", "testserver:80:80", "testserver:x", "[::2]", "testserver@", ""],
    )
    async def test_refuses_others(self, world: World, host: str) -> None:
        response = await world.client.get("/user-groups", headers={"Host": host})

        assert (response.status_code, response.json()["detail"]) == (400, "HOST_NOT_ALLOWED")
        assert response.headers["X-Content-Type-Options"] == "nosniff"
        assert "evil" not in response.text

    async def test_lets_probes_ask_by_address(self, world: World) -> None:
        assert (await world.client.get("/health/live", headers={"Host": "10.1.2.3:8000"})).status_code == 200

    async def test_can_answer_to_any(self, world: World) -> None:
        set_up(world, allowed_hosts=("*",))

        assert (await world.client.get("/user-groups", headers={"Host": "any.example"})).status_code == 200


class TestCors:
    @pytest.mark.parametrize("origin", [APP, "null"])
    async def test_is_closed(self, world: World, origin: str) -> None:
        for response in (
            await world.client.get("/user-groups", headers={"Origin": origin}),
            await world.client.options("/users/me", headers={"Origin": origin} | PREFLIGHT),
        ):
            assert not [name for name in response.headers if name.lower().startswith("access-control-")]

    async def test_opens_to_a_site_without_its_cookies(self, world: World) -> None:
        set_up(world, cors_origins=(APP,))

        preflight = await world.client.options("/users/me", headers={"Origin": APP} | PREFLIGHT)
        answer = await world.client.get("/user-groups", headers={"Origin": APP})

        assert preflight.status_code == 200
        assert preflight.headers["Access-Control-Allow-Origin"] == APP
        assert "PATCH" in preflight.headers["Access-Control-Allow-Methods"]
        assert answer.headers["Access-Control-Allow-Origin"] == APP
        assert "Link" in answer.headers["Access-Control-Expose-Headers"]
        assert "Access-Control-Allow-Credentials" not in preflight.headers | answer.headers

    @pytest.mark.parametrize(
        "origin", ["https://evil.example", "null", f"{APP}.evil.example", "http://app.example.com"]
    )
    async def test_stays_closed_to_others(self, world: World, origin: str) -> None:
        set_up(world, cors_origins=(APP,))

        preflight = await world.client.options("/users/me", headers={"Origin": origin} | PREFLIGHT)
        answer = await world.client.get("/user-groups", headers={"Origin": origin})

        assert preflight.status_code == 400
        assert "Access-Control-Allow-Origin" not in preflight.headers
        assert "Access-Control-Allow-Origin" not in answer.headers
