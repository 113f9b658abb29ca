"""Metadata (RFC 8414): truthful, cacheable, and readable by pages of any origin."""

import pytest
from httpx2 import AsyncClient

from accounts.api.oauth_errors import TOKEN_ENDPOINTS
from support.people import World

PATHS = ("/.well-known/oauth-authorization-server", "/.well-known/openid-configuration")
PUBLIC = (*PATHS, "/.well-known/jwks.json")
APP = "https://app.example.com"


@pytest.mark.parametrize("path", PATHS)
async def test_endpoints_in_the_metadata_exist(client: AsyncClient, world: World, path: str) -> None:
    world.change_settings(public_url="https://accounts.example.com")
    document = (await client.get(path)).json()
    operations = (await client.get("/openapi.json")).json()["paths"]

    issuer = document["issuer"]
    assert issuer == "https://accounts.example.com"
    assert document["jwks_uri"] == f"{issuer}/.well-known/jwks.json"
    for name in (name for name in document if name.endswith("_endpoint")):
        assert "post" in operations[document[name].removeprefix(issuer)]
    assert "authorization_endpoint" not in document


async def test_metadata_is_the_same_at_both_addresses(client: AsyncClient) -> None:
    first, second = [(await client.get(path)).json() for path in PATHS]

    assert first == second


@pytest.mark.parametrize("path", PUBLIC)
async def test_public_documents_are_cacheable_and_readable_from_any_origin(client: AsyncClient, path: str) -> None:
    response = await client.get(path, headers={"Origin": APP})

    assert response.headers.get_list("Cache-Control") == ["public, max-age=300"]
    assert response.headers.get_list("Access-Control-Allow-Origin") == ["*"]
    assert "Access-Control-Allow-Credentials" not in response.headers


async def test_no_other_operation_is_readable_from_any_origin(client: AsyncClient) -> None:
    paths = (await client.get("/openapi.json")).json()["paths"]
    readable = set()
    for path, operations in paths.items():
        for method in operations:
            response = await client.request(method, path.replace("{", "").replace("}", ""), headers={"Origin": APP})
            if "Access-Control-Allow-Origin" in response.headers:
                readable.add(path)

    assert readable == set(PUBLIC)
    assert not readable & TOKEN_ENDPOINTS
