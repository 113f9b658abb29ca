"""Generates an Alembic revision from the difference between the models and the migrations.

They are compared on a throw-away PostgreSQL; the development database is not used. A revision that would drop tables or
columns is refused, unless ``DROP=yes`` confirms it: a model that is not imported looks like one that was deleted.
"""

import importlib
import os
import sys
from collections.abc import Iterable, Iterator

from alembic import command
from alembic.config import Config
from alembic.operations import MigrateOperation, MigrationScript
from alembic.operations.ops import DropColumnOp, DropTableOp, OpContainer
from alembic.runtime.migration import MigrationContext
from alembic.script import Script
from alembic.util import CommandError

from environment import ROOT
from postgres import PostgresError, throwaway

SERVICES, MODELS = ROOT / "services", "accounts.models"
Revision = str | Iterable[str | None] | Iterable[str]


def check_operations(_context: MigrationContext, _revision: Revision, directives: list[MigrationScript]) -> None:
    """Write no file if the models and the migrations agree.

    Raises:
        CommandError: the revision would drop tables or columns, and ``DROP=yes`` is not set.

    """
    upgrades = [operations for script in directives for operations in script.upgrade_ops_list]
    if all(operations.is_empty() for operations in upgrades):
        directives.clear()
    dropped = sorted(name for operations in upgrades for name in drops(operations))
    if dropped and os.environ.get("DROP") != "yes":
        raise CommandError(
            f"nothing was written: the revision would delete {', '.join(dropped)} with all data. Was a model or field"
            " renamed, or an import in models/__init__.py forgotten? Confirm what you mean with DROP=yes"
        )


def drops(operation: MigrateOperation) -> Iterator[str]:
    """Yield the tables and columns that an operation drops."""
    if isinstance(operation, DropTableOp):
        yield f"table {operation.table_name}"
    elif isinstance(operation, DropColumnOp):
        yield f"column {operation.table_name}.{operation.column_name}"
    elif isinstance(operation, OpContainer):
        for part in operation.ops:
            yield from drops(part)


def forgotten_modules() -> list[str]:
    """List the modules of ``models`` that importing the package does not import: their tables would be missing."""
    modules = {f"{MODELS}.{path.stem}" for path in (SERVICES / MODELS.replace(".", "/")).glob("[!_]*.py")}
    sys.path.insert(0, str(SERVICES))
    importlib.import_module(MODELS)
    return sorted(modules - sys.modules.keys())


def revise(message: str) -> Script | None:
    """Generate the revision; None if there is nothing to change."""
    config = Config(toml_file="pyproject.toml")
    with throwaway() as cluster:
        # The settings require a key; nothing is signed with it.
        os.environ |= {"ENVIRONMENT": "development", "SECRET_KEY": "unused", "DATABASE_URL": cluster.url()}
        command.upgrade(config, "head")
        generated = command.revision(config, message, autogenerate=True, process_revision_directives=check_operations)
    return generated if isinstance(generated, Script) else None


def main() -> None:
    """Generate a revision with the command line as its message, and print its path."""
    message = " ".join(sys.argv[1:]).strip()
    if not message:
        sys.exit('accounts: a revision needs a message. Example: make revision m="badges"')
    if forgotten := forgotten_modules():
        sys.exit(f"accounts: import {', '.join(forgotten)} in models/__init__.py first, or its tables are not seen")
    os.chdir(SERVICES)
    try:
        script = revise(message)
    except (CommandError, PostgresError, OSError) as error:
        sys.exit(f"accounts: {error}")
    print(script.path if script else "Nothing to do: the models and the migrations agree")


if __name__ == "__main__":
    main()
