"""Fields in the OpenAPI document: what generated clients have to send, and what they can rely on."""

import json
from collections.abc import Iterator
from typing import Any

from accounts.api.app import create_app
from accounts.api.openapi_fields import referenced_schemas

DOCUMENT: dict[str, Any] = create_app().openapi()
OPERATIONS = [operation for path in DOCUMENT["paths"].values() for operation in path.values()]


def schemas_of(key: str) -> Iterator[tuple[str, dict[str, Any], list[str]]]:
    """Yield name, schema and required names of every property in a part of the operations."""
    for operation in OPERATIONS:
        for schema in referenced_schemas(operation.get(key), DOCUMENT["components"]["schemas"]):
            for name, field in schema.get("properties", {}).items():
                yield f"{schema['title']}.{name}", field, schema.get("required", [])


def test_fields_of_requests_have_no_default() -> None:
    """Some generators require a field with a default, since its value is never missing."""
    fields = list(schemas_of("requestBody"))

    assert len(fields) > 40
    assert {name for name, field, _ in fields if "default" in field} == set()


def test_fields_of_responses_with_a_default_are_required() -> None:
    fields = list(schemas_of("responses"))

    assert len(fields) > 100
    assert {
        name for name, field, required in fields if "default" in field and name.split(".")[1] not in required
    } == set()


def test_no_parameter_is_null() -> None:
    """A URL has no null. Some generators write it as a text."""
    parameters = [each for operation in OPERATIONS for each in operation.get("parameters", ())]

    assert len(parameters) > 40
    assert [each["name"] for each in parameters if '"null"' in json.dumps(each["schema"])] == []


def test_defaults_of_requests_are_described() -> None:
    schemas = DOCUMENT["components"]["schemas"]

    assert schemas["GroupCreate"]["properties"]["visibility"]["description"] == 'Default: `"private"`.'
    assert schemas["InvitationCreate"]["properties"]["expires_in_days"]["description"].endswith("valid. Default: `7`.")
