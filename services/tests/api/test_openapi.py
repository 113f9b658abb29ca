"""The API's description."""

from typing import Any

import pytest
from httpx2 import AsyncClient

from accounts.api.app import create_app

DOCUMENT: dict[str, Any] = create_app().openapi()
OPERATIONS = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]
OPEN = {
    "/.well-known/jwks.json",
    "/auth/cookie/login",
    "/auth/forgot-password",
    "/auth/jwt/login",
    "/auth/jwt/refresh",
    "/auth/register",
    "/auth/request-verify-token",
    "/auth/reset-password",
    "/auth/verify",
    "/health/live",
    "/health/ready",
    "/user-groups",
    "/user-groups/{group_id}",
    "/user-groups/{group_id}/users",
}


async def test_is_served_with_its_page(client: AsyncClient) -> None:
    for _ in range(2):
        assert (await client.get("/openapi.json")).json() == DOCUMENT
    assert "swagger" in (await client.get("/docs")).text


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation["operationId"])
def test_every_operation_is_described(operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"]
    issues_tokens = operation["operationId"] in {"login", "refresh"}
    media_type, model = ("json", "TokenProblem") if issues_tokens else ("problem+json", "Problem")
    for status, response in operation["responses"].items():
        assert response["description"]
        if int(status) >= 400:
            problem = response["content"][f"application/{media_type}"]
            assert problem["schema"] == {"$ref": f"#/components/schemas/{model}"}
            assert all(example["value"]["status"] == int(status) for example in problem["examples"].values())


def test_operations_are_named_like_their_functions() -> None:
    names = {operation["operationId"] for operation in OPERATIONS}

    assert {"login", "register", "read_me", "list_members"} <= names
    assert len(names) == len(OPERATIONS)


def test_the_padlock_is_on_every_route_but_the_open_ones() -> None:
    unlocked = {
        path
        for path, operations in DOCUMENT["paths"].items()
        for operation in operations.values()
        if "401" not in operation["responses"]
    }

    assert unlocked == OPEN


def test_authorize_signs_in_with_a_password() -> None:
    schemes = {scheme["type"]: scheme for scheme in DOCUMENT["components"]["securitySchemes"].values()}

    assert schemes["apiKey"]["name"] == "__Host-accounts"
    assert schemes["oauth2"]["flows"]["password"]["tokenUrl"] == "auth/jwt/login"
