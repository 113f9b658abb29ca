"""Security headers of every response."""

from unittest.mock import AsyncMock

import pytest
from httpx2 import AsyncClient, Response
from starlette.types import Receive, Scope, Send

from accounts.api.middleware.security_headers import SecurityHeaders
from accounts.domain.groups import group_list
from support.people import World

JSON = {"Content-Type": "application/json"}


async def send(world: World, method: str, path: str, content: bytes = b"") -> Response:
    return await world.client.request(method, path, content=content, headers=JSON)


@pytest.mark.parametrize(
    ("method", "path", "content", "status"),
    [
        ("GET", "/health/live", b"", 200),
        ("GET", "/users/me", b"", 401),
        ("GET", "/nowhere", b"", 404),
        ("DELETE", "/auth/register", b"", 405),
        ("POST", "/auth/register", b"x" * 100_000, 413),
        ("POST", "/auth/register", b"{}", 422),
        ("GET", "/user-groups/1", b"", 500),
    ],
)
async def test_every_response_has_the_security_headers(
    world: World, monkeypatch: pytest.MonkeyPatch, method: str, path: str, content: bytes, status: int
) -> None:
    monkeypatch.setattr(group_list, "read_group", None)

    response = await send(world, method, path, content)

    assert response.status_code == status
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Referrer-Policy"] == "no-referrer"
    assert response.headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert response.headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert response.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert response.headers["Cache-Control"] == "no-store"
    assert "camera=()" in response.headers["Permissions-Policy"]
    assert "Strict-Transport-Security" not in response.headers


async def test_headers_of_the_route_are_not_repeated(world: World) -> None:
    response = await world.login(await world.user("arthur"))

    assert response.headers.get_list("Cache-Control") == ["no-store"]


async def test_hsts_is_sent_with_tls_only(world: World) -> None:
    for url in ("https://testserver/health/live", "https://testserver/nowhere"):
        assert "max-age=" in (await world.client.get(url)).headers["Strict-Transport-Security"]

    world.change_settings(public_url="https://accounts.example.com")

    assert "max-age=" in (await world.client.get("/health/live")).headers["Strict-Transport-Security"]


async def test_other_asgi_messages_pass_through() -> None:
    seen: list[Scope] = []

    async def app(scope: Scope, _: Receive, __: Send) -> None:
        seen.append(scope)

    await SecurityHeaders(app, "/docs")({"type": "lifespan"}, AsyncMock(), AsyncMock())

    assert seen == [{"type": "lifespan"}]


class TestDocs:
    async def test_page_loads_nothing_from_elsewhere_and_has_no_inline_scripts(self, client: AsyncClient) -> None:
        page = await client.get("/docs")

        assert page.status_code == 200
        assert "script-src 'self';" in page.headers["Content-Security-Policy"]
        assert "://" not in page.text
        assert page.text.count("<script") == page.text.count('<script src="docs/') == 2
        assert "style=" not in page.text

    @pytest.mark.parametrize(
        ("name", "kind", "text"),
        [
            ("swagger-ui-bundle.js", "text/javascript; charset=utf-8", "SwaggerUIBundle"),
            ("swagger-ui.css", "text/css; charset=utf-8", ".swagger-ui"),
            ("start.js", "text/javascript; charset=utf-8", '"openapi.json"'),
            ("favicon.png", "image/png", "PNG"),
        ],
    )
    async def test_files_are_served(self, client: AsyncClient, name: str, kind: str, text: str) -> None:
        assert name in (await client.get("/docs")).text + "start.js"

        response = await client.get(f"/docs/{name}")

        assert (response.status_code, response.headers["Content-Type"]) == (200, kind)
        assert text.encode() in response.content
        again = await client.get(f"/docs/{name}", headers={"If-None-Match": response.headers["ETag"]})
        assert again.status_code == 304

    @pytest.mark.parametrize("path", ["/docs/", "/docs/nothing.js", "/docs/%2e%2e/app.py", "/docs/../../app.py"])
    async def test_other_files_are_not_served(self, client: AsyncClient, path: str) -> None:
        response = await client.get(path)

        assert (response.status_code, response.json()["detail"]) == (404, "NOT_FOUND")

    async def test_files_are_read_only(self, client: AsyncClient) -> None:
        response = await client.post("/docs/start.js")

        assert (response.status_code, response.headers["Allow"]) == (405, "GET, HEAD")
