"""Pages of CORS_ORIGINS may use the API with bearer tokens; pages of all other sites may not."""

from collections.abc import AsyncIterator

import pytest
from httpx2 import ASGITransport, AsyncClient
from starlette.types import Receive, Scope, Send

from accounts.api.app import create_app
from accounts.settings import get_settings
from support.people import World

APP = "https://app.example.com"
PREFLIGHT = {
    "Access-Control-Request-Method": "PATCH",
    "Access-Control-Request-Headers": "authorization, content-type",
}


@pytest.fixture
async def cors_client(world: World, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[AsyncClient]:
    """An application with ``CORS_ORIGINS``, on the test's database."""
    monkeypatch.setenv("CORS_ORIGINS", APP)
    get_settings.cache_clear()
    app = create_app()

    async def asgi(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "state": dict(world.state)}, receive, send)

    async with AsyncClient(transport=ASGITransport(asgi), base_url="http://testserver") as client:
        yield client
    get_settings.cache_clear()


@pytest.mark.parametrize("origin", [APP, "null"])
async def test_without_cors_origins_no_origin_is_allowed(client: AsyncClient, origin: str) -> None:
    for response in (
        await client.get("/user-groups", headers={"Origin": origin}),
        await client.options("/users/me", headers={"Origin": origin} | PREFLIGHT),
    ):
        assert not [name for name in response.headers if name.lower().startswith("access-control-")]


async def test_configured_origin_is_allowed_without_cookies(cors_client: AsyncClient) -> None:
    preflight = await cors_client.options("/users/me", headers={"Origin": APP} | PREFLIGHT)
    response = await cors_client.get("/user-groups", headers={"Origin": APP})

    assert preflight.status_code == 200
    assert preflight.headers["Access-Control-Allow-Origin"] == APP
    assert "PATCH" in preflight.headers["Access-Control-Allow-Methods"]
    assert response.headers["Access-Control-Allow-Origin"] == APP
    assert "Link" in response.headers["Access-Control-Expose-Headers"]
    assert "Access-Control-Allow-Credentials" not in preflight.headers | response.headers


async def test_pages_may_send_head_requests_with_a_token(cors_client: AsyncClient) -> None:
    requested = {"Access-Control-Request-Method": "HEAD", "Access-Control-Request-Headers": "authorization"}
    preflight = await cors_client.options("/users/me", headers={"Origin": APP} | requested)

    assert preflight.status_code == 200


async def test_swagger_ui_of_a_configured_origin_can_sign_in(cors_client: AsyncClient) -> None:
    """The Authorize button of another service's documentation."""
    asked = {
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization,x-requested-with",
    }

    preflight = await cors_client.options("/auth/jwt/login", headers={"Origin": APP} | asked)

    assert preflight.status_code == 200


@pytest.mark.parametrize("headers", [{}, {"Origin": APP}, {"Origin": "https://evil.example"}], ids=str)
async def test_caches_keep_responses_for_different_origins_apart(
    cors_client: AsyncClient, headers: dict[str, str]
) -> None:
    response = await cors_client.get("/.well-known/jwks.json", headers=headers)

    assert "public" in response.headers["Cache-Control"]
    assert "Origin" in response.headers["Vary"]


async def test_pages_may_read_every_documented_header(cors_client: AsyncClient) -> None:
    response = await cors_client.get("/user-groups", headers={"Origin": APP})
    document = (await cors_client.get("/openapi.json")).json()
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    responses = [response for operation in operations for response in operation["responses"].values()]
    documented = {header for response in responses for header in response.get("headers", ())}

    assert {"Content-Disposition", "Link", "Location"} <= documented
    assert documented <= set(response.headers["Access-Control-Expose-Headers"].split(", "))


@pytest.mark.parametrize("origin", ["https://evil.example", "null", f"{APP}.evil.example", "http://app.example.com"])
async def test_other_origins_are_refused(cors_client: AsyncClient, origin: str) -> None:
    preflight = await cors_client.options("/users/me", headers={"Origin": origin} | PREFLIGHT)
    response = await cors_client.get("/user-groups", headers={"Origin": origin})

    assert preflight.status_code == 400
    assert "Access-Control-Allow-Origin" not in preflight.headers
    assert "Access-Control-Allow-Origin" not in response.headers
