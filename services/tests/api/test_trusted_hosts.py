"""Requests must name a host of this API (DNS rebinding)."""

import pytest

from accounts.settings import get_settings
from support.people import World


@pytest.mark.parametrize("host", ["testserver", "TestServer:8000", "localhost:8000", "[::1]:8000", "10.1.2.3"])
async def test_requests_to_configured_hosts_are_answered(world: World, host: str) -> None:
    # localhost is the host of PUBLIC_URL.
    hosts = {"allowed_hosts": ("testserver", "[::1]"), "api_host": "10.1.2.3"}
    world.change_settings(**hosts)

    assert (await world.client.get("/user-groups", headers={"Host": host})).status_code == 200


@pytest.mark.parametrize(
    "host",
    ["evil.example", "testserver.evil.example", "testserver:80:80", "testserver:x", "[::2]", "testserver@", ""],
)
async def test_requests_to_other_hosts_are_refused(world: World, host: str) -> None:
    response = await world.client.get("/user-groups", headers={"Host": host})

    assert (response.status_code, response.json()["detail"]) == (400, "HOST_NOT_ALLOWED")
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert "evil" not in response.text


async def test_health_probes_may_use_any_host(world: World) -> None:
    assert (await world.client.get("/health/live", headers={"Host": "10.1.2.3:8000"})).status_code == 200


async def test_asterisk_allows_any_host(world: World) -> None:
    world.change_settings(allowed_hosts=("*",))

    assert (await world.client.get("/user-groups", headers={"Host": "any.example"})).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("example.com", 200),
        ("a.b.example.com:8000", 200),
        ("badexample.com", 400),
        ("example.com.evil.example", 400),
        (".example.com", 400),
        ("a.other.example", 200),
        ("other.example", 400),
        (f"{'a.' * 2000}example.com", 400),
    ],
)
async def test_domain_is_allowed_with_all_below_it(
    world: World, monkeypatch: pytest.MonkeyPatch, host: str, status: int
) -> None:
    monkeypatch.setenv("ALLOWED_HOSTS", ".Example.com,*.other.example")
    world.change_settings(allowed_hosts=get_settings.__wrapped__().allowed_hosts)

    assert (await world.client.get("/user-groups", headers={"Host": host})).status_code == status
