"""Writes the OpenAPI document that the Python client is generated from: ``make client``."""

import json
import os
from typing import Any

from environment import ROOT

DOCUMENT = ROOT / "clients" / "python" / "openapi.json"


def write() -> None:
    """Write the document of the code. No database is needed for that."""
    os.environ |= {"ENVIRONMENT": "development", "SECRET_KEY": "unused", "DATABASE_URL": "postgresql://unused/unused"}
    from accounts.api.app import create_app  # noqa: PLC0415  # reads the settings

    DOCUMENT.write_text(_lines(create_app().openapi(), depth=3) + "\n")


def _lines(value: Any, depth: int) -> str:
    """Write each operation and each schema on one line: a file of a few hundred lines, whose changes can be read."""
    if not depth or not isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    return (
        "{\n" + ",\n".join(f"{json.dumps(name)}: {_lines(member, depth - 1)}" for name, member in value.items()) + "\n}"
    )


if __name__ == "__main__":
    write()
