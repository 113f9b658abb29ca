"""Which fields generated clients have to send, and which they can rely on.

openapi-typescript makes a field with a default required, since it is always there in what a server parsed. Others do
not, though it is always there in a response. A query has no null, but orval sends one as the text ``null``.
"""

import json
from collections.abc import Iterator
from typing import Any

NULL = {"type": "null"}
Schema = dict[str, Any]


def describe_fields(document: dict[str, Any]) -> None:
    """Describe the defaults of request bodies in words only, require those of responses, and remove null parameters."""
    schemas = document["components"]["schemas"]
    operations = [operation for path in document["paths"].values() for operation in path.values()]
    for parameter in (parameter for operation in operations for parameter in operation.get("parameters", ())):
        parameter["schema"] = _without_null(parameter["schema"])
    for schema in list(referenced_schemas([operation.get("requestBody") for operation in operations], schemas)):
        for field in schema.get("properties", {}).values():
            _describe_default(field)
    for schema in list(referenced_schemas([operation["responses"] for operation in operations], schemas)):
        _require_defaults(schema)


def referenced_schemas(part: Any, schemas: dict[str, Schema]) -> Iterator[Schema]:
    """Yield every schema that a part of the document refers to, directly or through another one."""
    names, queue = set(), [part]
    while queue:
        match queue.pop():
            case {"$ref": str(reference)}:
                name = reference.rpartition("/")[2]
                if name not in names:
                    names.add(name)
                    yield schemas[name]
                    queue.append(schemas[name])
            case dict(members):
                queue += members.values()
            case list(members):
                queue += members


def _without_null(schema: Schema) -> Schema:
    choices: list[Schema] = [choice for choice in schema.pop("anyOf", ()) if choice != NULL]
    return schema | (choices[0] if len(choices) == 1 else {"anyOf": choices} if choices else {})


def _describe_default(field: Schema) -> None:
    """Replace a default by words; an empty text or the only value that is allowed needs none."""
    default = field.pop("default", "")
    if default != "" and "const" not in field:
        field["description"] = f"{field.get('description', '')} Default: `{json.dumps(default)}`.".lstrip()


def _require_defaults(schema: Schema) -> None:
    fields = schema.get("properties", {})
    required = [name for name in fields if "default" in fields[name] or name in schema.get("required", ())]
    if required:
        schema["required"] = required
