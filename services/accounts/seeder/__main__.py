"""The seeder's command line. One run is one transaction."""

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Sequence

from sqlalchemy import func
from sqlmodel import select

from accounts.commands.run import fail, one_line_errors, run, user_manager
from accounts.db.session import Session, Sessionmaker
from accounts.domain.bulk import NO_TIMEOUTS
from accounts.domain.sample_users.published_password import PASSWORD, VOLUME_USERS_MAX
from accounts.seeder import sample, volume
from accounts.seeder.batch import SEED_MAX, Batch
from accounts.settings import get_settings

NAME = "seeder"
LOCK_KEY = 0x736565646572  # "seeder" in ASCII: one seeder at a time runs on a database
HOW_TO_SIGN_IN = """
These users sign in with the password {password}, unless it was changed:
{people}

{superusers} is a superuser, who may change all users and groups.
The password is public: with ENVIRONMENT=production the service does not start while these users have it.
To remove them: make admin ARGS=remove-sample-users

Try it:
  curl -s {url}/user-groups/{group}/users
  curl -s {url}/auth/jwt/login -d username={email} -d password={password}"""


def main(argv: Sequence[str] | None = None) -> None:
    """Add sample data, and volume data with ``--users``. Existing rows stay unchanged.

    Raises:
        SystemExit: with status 1 and the reason, 2 for a wrong command line, or 130 for Ctrl-C.

    """
    batch, settings = parse(argv), get_settings()
    if not settings.development:
        fail(NAME, "sample data has a well-known password and requires ENVIRONMENT=development")
    with one_line_errors(NAME):
        data, new = run(NAME, lambda sessionmaker: seed(sessionmaker, batch))
        print(describe(data.created))
        if batch:
            print(f"Batch {batch} of {batch.users:,} users {'created' if new else 'already exists'}.")
        print(how_to_sign_in(data, batch, f"http://localhost:{settings.api_port}"))


def parse(argv: Sequence[str] | None) -> Batch | None:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m accounts.seeder", description="Add sample data.")
    parser.add_argument("--users", type=_within(1, VOLUME_USERS_MAX), metavar="N", help="also add N generated users")
    parser.add_argument("--seed", type=_within(0, SEED_MAX), metavar="S", help="the seed of their data (default: 1)")
    arguments = parser.parse_args(argv)
    if arguments.users is None and arguments.seed is not None:
        parser.error("--seed requires --users")
    return Batch(arguments.users, 1 if arguments.seed is None else arguments.seed) if arguments.users else None


def _within(lowest: int, highest: int) -> Callable[[str], int]:
    def number(given: str) -> int:
        if given.isdecimal() and given.isascii() and lowest <= int(given) <= highest:
            return int(given)
        raise argparse.ArgumentTypeError(f"{given!r} is not a whole number from {lowest} to {highest:,}")

    return number


async def seed(sessionmaker: Sessionmaker, batch: Batch | None) -> tuple[sample.Sample, bool]:
    """Create missing rows in one transaction. Return the sample, and whether the batch was created."""
    async with user_manager(sessionmaker) as users:
        await _wait_for_other_seeder(users.db)
        data = await sample.create(users)
        return data, batch is not None and await volume.create(users.db, batch)


async def _wait_for_other_seeder(db: Session) -> None:
    await db.exec(NO_TIMEOUTS)
    if not await db.scalar(select(func.pg_try_advisory_xact_lock(LOCK_KEY))):
        print(f"{NAME}: waiting for another seeder", file=sys.stderr)
        await db.exec(select(func.pg_advisory_xact_lock(LOCK_KEY)))


def describe(created: Counter[str]) -> str:
    """Describe how much sample data was created."""
    if created.total() == 0:
        return "The sample data already exists: nothing was created."
    rows = (f"{count} {kind.removesuffix('s') if count == 1 else kind}" for kind, count in created.items() if count)
    return f"Created sample data: {', '.join(rows)}."


def how_to_sign_in(data: sample.Sample, batch: Batch | None, url: str) -> str:
    """List the email addresses with their password, and requests to try."""
    people = [
        (person.email, f"{person.display_name}{' (superuser)' if person.is_superuser else ''}")
        for person in sample.PEOPLE
    ]
    if batch:
        _, email, name, *_ = next(batch.user_rows(""))
        people.append((email, f"{name}, the first of {batch.users:,}"))
    width = max(len(email) for email, _ in people)
    return HOW_TO_SIGN_IN.format(
        password=PASSWORD,
        superusers=" and ".join(person.email for person in sample.PEOPLE if person.is_superuser),
        people="\n".join(f"  {email:{width}}  {name}" for email, name in people),
        url=url,
        group=data.group_ids["Admin"],
        email=sample.SUPERUSER,
    )


if __name__ == "__main__":
    main()
