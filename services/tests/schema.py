"""Looks at the schema, and adds to its history."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg

VERSIONS = Path(__file__).parents[1] / "accounts" / "migrations" / "versions"
Alembic = Callable[..., Any]


async def fetch(database: str, query: str) -> set[Any]:
    connection = await asyncpg.connect(database)
    rows = await connection.fetch(query)
    await connection.close()
    return {row[0] for row in rows}


def with_versions_in(folder: Path) -> Path:
    """Write a configuration that finds revisions in a folder, too."""
    here = 'script_location = "accounts:migrations"'
    more = f'version_locations = ["{VERSIONS}", "{folder}"]\npath_separator = "os"'
    config = folder / "pyproject.toml"
    config.write_text(Path("pyproject.toml").read_text().replace(here, f"{here}\n{more}"))
    return config
