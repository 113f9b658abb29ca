"""The command line of the seeder. All that one run makes is made in one transaction."""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence

from sqlalchemy import func
from sqlmodel import select

from accounts.commands.run import fail, one_line_errors, run
from accounts.db.session import Session, Sessionmaker, transaction
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.seeder import sample, volume
from accounts.seeder.batch import SEED_MAX, USERS_MAX, Batch
from accounts.settings import get_settings

NAME = "seeder"
LOCK_KEY = 0x736565646572  # "seeder" in ASCII: one at a time on a database
# For this transaction alone, which may be long and may wait for another seeder's.
NO_TIMEOUTS = select(func.set_config("statement_timeout", "0", True), func.set_config("lock_timeout", "0", True))
HOW_TO_SIGN_IN = """
These sign in with the password {password}, unless it was changed:
{people}

Try it:
  curl -s {url}/user-groups/{group}/users
  curl -s {url}/auth/jwt/login -d username={email} -d password={password}"""


def main(argv: Sequence[str] | None = None) -> None:
    """Add sample data, and volume data if asked for; what is there already stays as it is.

    Raises:
        SystemExit: with status 1 and the reason, 2 for a wrong command line, or 130 for Ctrl-C.

    """
    batch, settings = parse(argv), get_settings()
    if not settings.development:
        fail(NAME, "sample data comes with a password that everybody knows: only for ENVIRONMENT=development")
    with one_line_errors(NAME):
        made, new = run(NAME, lambda sessionmaker: seed(sessionmaker, batch))
        print(describe(made.made))
        if batch:
            print(f"Batch {batch} of {batch.users:,} users {'is made' if new else 'is there already'}.")
        print(how_to_sign_in(made, batch, f"http://localhost:{settings.api_port}"))


def parse(argv: Sequence[str] | None) -> Batch | None:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m accounts.seeder", description="Add sample data.")
    parser.add_argument("--users", type=_within(1, USERS_MAX), metavar="N", help="add N made-up users as well")
    parser.add_argument("--seed", type=_within(0, SEED_MAX), metavar="S", help="what to make them up from (default: 1)")
    arguments = parser.parse_args(argv)
    if arguments.users is None and arguments.seed is not None:
        parser.error("--seed is for --users")
    return Batch(arguments.users, 1 if arguments.seed is None else arguments.seed) if arguments.users else None


def _within(lowest: int, highest: int) -> Callable[[str], int]:
    def number(given: str) -> int:
        if given.isdecimal() and given.isascii() and lowest <= int(given) <= highest:
            return int(given)
        raise argparse.ArgumentTypeError(f"{given!r} is no whole number from {lowest} to {highest:,}")

    return number


async def seed(sessionmaker: Sessionmaker, batch: Batch | None) -> tuple[sample.Sample, bool]:
    """Make what is missing, in one transaction; say what that was, and whether the batch was missing."""
    passwords = PasswordHasher(1, get_settings().password_min_length)
    try:
        async with transaction(sessionmaker) as db:
            await _take_turns(db)
            made = await sample.make(db, passwords)
            return made, batch is not None and await volume.make(db, batch)
    finally:
        passwords.close()


async def _take_turns(db: Session) -> None:
    await db.exec(NO_TIMEOUTS)
    if not await db.scalar(select(func.pg_try_advisory_xact_lock(LOCK_KEY))):
        print(f"{NAME}: another one is at work: waiting for it", file=sys.stderr)
        await db.exec(select(func.pg_advisory_xact_lock(LOCK_KEY)))


def describe(made: Counter[str]) -> str:
    """Say what was made of the sample data."""
    if made.total() == 0:
        return "The sample data is there already: nothing was made."
    rows = (f"{count} {what.removesuffix('s') if count == 1 else what}" for what, count in made.items() if count)
    return f"Sample data is made: {', '.join(rows)}."


def how_to_sign_in(made: sample.Sample, batch: Batch | None, url: str) -> str:
    """Give the addresses with their password, and requests to try."""
    people = [(person.email, person.display_name) for person in sample.PEOPLE]
    if batch:
        _, email, name, *_ = next(batch.user_rows(""))
        people.append((email, f"{name}, the first of {batch.users:,}"))
    width = max(len(email) for email, _ in people)
    return HOW_TO_SIGN_IN.format(
        password=sample.PASSWORD,
        people="\n".join(f"  {email:{width}}  {name}" for email, name in people),
        url=url,
        group=made.group_ids["Admin"],
        email=sample.SUPERUSER,
    )


if __name__ == "__main__":
    main()
