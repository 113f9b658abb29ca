"""The OpenAPI document: complete, valid, and described in every part."""

from collections.abc import Iterator
from typing import Any

import pytest
from httpx2 import AsyncClient
from jsonschema import Draft202012Validator

from accounts.api.app import create_app

DOCUMENT: dict[str, Any] = create_app().openapi()
OPERATIONS = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]
PATHS_WITHOUT_AUTH = {
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/auth/complete-registration",
    "/auth/code/request",
    "/auth/confirm-email",
    "/auth/cookie/code",
    "/auth/cookie/login",
    "/auth/cookie/mfa",
    "/auth/cookie/passkey",
    "/auth/forgot-password",
    "/auth/jwt/code",
    "/auth/jwt/login",
    "/auth/jwt/mfa",
    "/auth/jwt/passkey",
    "/auth/jwt/refresh",
    "/auth/mfa/passkey-options",
    "/auth/passkeys/options",
    "/auth/register",
    "/auth/providers",
    "/auth/request-verify-token",
    "/auth/reset-password",
    "/auth/undo-email",
    "/auth/verify",
    "/auth/{provider}/authorize",
    "/auth/{provider}/callback",
    "/health/live",
    "/health/ready",
    "/invitations/decline",
    "/oauth/revoke",
    "/user-groups",
    "/user-groups/{group_id}",
    "/user-groups/{group_id}/users",
}


async def test_document_and_page_are_served(client: AsyncClient) -> None:
    for _ in range(2):
        assert (await client.get("/openapi.json")).json() == DOCUMENT
    assert "swagger" in (await client.get("/docs")).text


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation["operationId"])
def test_every_operation_is_described(operation: dict[str, Any]) -> None:
    assert operation["summary"]
    assert operation["description"]
    is_oauth = operation["operationId"] in {"login", "refresh", "issue_token", "introspect_token", "revoke_token"}
    media_type, model = ("json", "TokenProblem") if is_oauth else ("problem+json", "Problem")
    for status, response in operation["responses"].items():
        assert response["description"]
        if int(status) >= 400:
            problem = response["content"][f"application/{media_type}"]
            assert problem["schema"] == {"$ref": f"#/components/schemas/{model}"}
            assert all(example["value"]["status"] == int(status) for example in problem["examples"].values())


def parts(part: Any) -> Iterator[dict[str, Any]]:
    """Yield every object in the document, the outer ones first."""
    if isinstance(part, dict):
        yield part
        part = list(part.values())
    for each in part if isinstance(part, list) else ():
        yield from parts(each)


def examples_and_defaults() -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield every example and default, with its schema."""
    for part in parts(DOCUMENT):
        schema, examples = part.get("schema", part), part.get("examples", [])
        if "schema" in part or {"type", "$ref", "anyOf"} & part.keys():
            values = [each["value"] for each in examples.values()] if isinstance(examples, dict) else examples
            for value in [*values, *(part[key] for key in ("default", "example") if key in part)]:
                yield {**schema, "components": DOCUMENT["components"]}, value


def test_examples_and_defaults_are_valid() -> None:
    errors = [
        f"{value!r}: {error.message}"
        for schema, value in examples_and_defaults()
        for error in Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER).iter_errors(value)
    ]

    assert len(list(examples_and_defaults())) > 200
    assert errors == []


def test_every_response_has_a_schema() -> None:
    for operation in OPERATIONS:
        for response in operation["responses"].values():
            assert all(content.get("schema") for content in response.get("content", {}).values())


def test_every_paginated_list_describes_bad_cursors() -> None:
    lists = [each for each in OPERATIONS if any(part["name"] == "cursor" for part in each.get("parameters", ()))]

    assert len(lists) > 4
    assert all("BAD_CURSOR" in each["responses"]["400"]["description"] for each in lists)


def test_every_tag_is_described() -> None:
    tags = [tag["name"] for tag in DOCUMENT["tags"]]

    assert sorted(tags) == sorted({tag for operation in OPERATIONS for tag in operation["tags"]})
    assert all(tag["description"] for tag in DOCUMENT["tags"])


def test_operation_ids_are_function_names() -> None:
    names = {operation["operationId"] for operation in OPERATIONS}

    assert {"login", "register", "read_me", "list_members"} <= names
    assert len(names) == len(OPERATIONS)


def test_every_operation_but_the_public_ones_requires_auth() -> None:
    unlocked = {
        path
        for path, operations in DOCUMENT["paths"].items()
        for operation in operations.values()
        if "401" not in operation["responses"]
    }

    assert unlocked == PATHS_WITHOUT_AUTH
    for operation in OPERATIONS:
        assert ({} in operation.get("security", [{}])) is ("401" not in operation["responses"])


def test_authorize_signs_in_with_a_password() -> None:
    schemes = {scheme["type"]: scheme for scheme in DOCUMENT["components"]["securitySchemes"].values()}

    assert schemes["apiKey"]["name"] == "__Host-accounts"
    assert schemes["oauth2"]["flows"]["password"]["tokenUrl"] == "auth/jwt/login"


def test_every_email_is_an_international_one() -> None:
    formats = [part["format"] for part in parts(DOCUMENT) if "email" in str(part.get("format"))]

    assert len(formats) > 4
    assert set(formats) == {"idn-email"}


def test_names_of_schemas_are_unique() -> None:
    # The document names two schemas of one name by their modules, and generators of clients confuse them.
    assert [name for name in DOCUMENT["components"]["schemas"] if "__" in name] == []
