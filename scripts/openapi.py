"""Writes the OpenAPI document that the Python client is generated from: ``make client``."""

import json
import os

from environment import ROOT

DOCUMENT = ROOT / "clients" / "python" / "openapi.json"


def write() -> None:
    """Write the document of the code. No database is needed for that."""
    os.environ |= {"ENVIRONMENT": "development", "SECRET_KEY": "unused", "DATABASE_URL": "postgresql://unused/unused"}
    from accounts.api.app import create_app  # noqa: PLC0415  # reads the settings

    DOCUMENT.write_text(json.dumps(create_app().openapi(), ensure_ascii=False, indent=1) + "\n")


if __name__ == "__main__":
    write()
