"""Export of users, with their password hashes, to standard output: python -m accounts.commands.export_users."""

import argparse
import sys
from collections.abc import Sequence

from sqlalchemy import text

from accounts.commands.run import fail, one_line_errors, run
from accounts.db.session import Sessionmaker, transaction
from accounts.domain.bulk import NO_TIMEOUTS
from accounts.domain.user_files.user_export import export_users

NAME = "export-users"
SNAPSHOT = text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")


def main(argv: Sequence[str] | None = None) -> None:
    """Write a line of JSON for each user, as of one moment.

    Raises:
        SystemExit: with status 1 and the reason, 2 for a wrong command line, or 130 for Ctrl-C.

    """
    argparse.ArgumentParser(prog="python -m accounts.commands.export_users", description="Export users.").parse_args(
        argv
    )
    if sys.stdout.isatty():
        fail(NAME, "the lines have password hashes: redirect standard output to a file")
    with one_line_errors(NAME):
        count = run(NAME, execute)
        print(f"Exported {count:,} users", file=sys.stderr)


async def execute(sessionmaker: Sessionmaker) -> int:
    """Write the users, and return how many there are."""
    count = 0
    async with transaction(sessionmaker) as db:
        await (await db.connection()).execute(SNAPSHOT)
        await db.exec(NO_TIMEOUTS)
        async for lines in export_users(db):
            sys.stdout.buffer.write("".join(f"{line}\n" for line in lines).encode())
            count += len(lines)
    return count


if __name__ == "__main__":
    main()
