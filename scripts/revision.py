"""A new Alembic revision, from what the models have and the migrations lack.

The two are compared on a throw-away PostgreSQL, so that no development database is asked or changed.
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
    """Leave no file where the models and the migrations agree."""
    if all(operations.is_empty() for script in directives for operations in script.upgrade_ops_list):
        directives.clear()


def revise(message: str) -> Script | None:
    """The revision that ``make migrate`` needs next; None when there is nothing to change."""
    config = Config(toml_file="pyproject.toml")
    with throwaway() as cluster:
        # Never used to sign anything; the settings want one.
        os.environ |= {"ENVIRONMENT": "development", "SECRET_KEY": "unused", "DATABASE_URL": cluster.url()}
        command.upgrade(config, "head")
        made = command.revision(config, message, autogenerate=True, process_revision_directives=drop_empty)
    return made if isinstance(made, Script) else None


def main() -> None:
    """Write the revision whose message is the command line, and print where."""
    message = " ".join(sys.argv[1:]).strip()
    if not message:
        sys.exit('accounts: a revision needs a message, as in: make revision m="badges"')
    os.chdir(ROOT / "services")
    try:
        script = revise(message)
    except (CommandError, PostgresError, OSError) as error:
        sys.exit(f"accounts: {error}")
    print(script.path if script else "Nothing to do: the models and the migrations agree")


if __name__ == "__main__":
    main()
