"""Generates an Alembic revision from the difference between the models and the migrations.

They are compared on a throw-away PostgreSQL; the development database is not used.
"""

import os
import sys
from collections.abc import Iterable

from alembic import command
from alembic.config import Config
from alembic.operations import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.script import Script
from alembic.util import CommandError

from environment import ROOT
from postgres import PostgresError, throwaway

Revision = str | Iterable[str | None] | Iterable[str]


def drop_empty(_context: MigrationContext, _revision: Revision, directives: list[MigrationScript]) -> None:
    """Write no file if the models and the migrations agree."""
    if all(operations.is_empty() for script in directives for operations in script.upgrade_ops_list):
        directives.clear()


def revise(message: str) -> Script | None:
    """Generate the revision; None if there is nothing to change."""
    config = Config(toml_file="pyproject.toml")
    with throwaway() as cluster:
        # The settings require a key; nothing is signed with it.
        os.environ |= {"ENVIRONMENT": "development", "SECRET_KEY": "unused", "DATABASE_URL": cluster.url()}
        command.upgrade(config, "head")
        generated = command.revision(config, message, autogenerate=True, process_revision_directives=drop_empty)
    return generated if isinstance(generated, Script) else None


def main() -> None:
    """Generate a revision with the command line as its message, and print its path."""
    message = " ".join(sys.argv[1:]).strip()
    if not message:
        sys.exit('accounts: a revision needs a message. Example: make revision m="badges"')
    os.chdir(ROOT / "services")
    try:
        script = revise(message)
    except (CommandError, PostgresError, OSError) as error:
        sys.exit(f"accounts: {error}")
    print(script.path if script else "Nothing to do: the models and the migrations agree")


if __name__ == "__main__":
    main()
