"""Administration of users and data: python -m accounts.commands.admin --help.

It follows the rules of the HTTP API. It connects as the owner of the schema, because only the owner may delete audit
events.
"""

import argparse
from collections.abc import Sequence

from pydantic import TypeAdapter

from accounts.commands.run import one_line_errors, run, user_manager
from accounts.db.session import Sessionmaker
from accounts.domain import retention
from accounts.domain.identity.users import UserManager
from accounts.domain.mail.queue import backlog
from accounts.domain.sample_users.removal import remove_sample_users
from accounts.domain.second_factors.factors import FactorManager
from accounts.domain.totp.resealing import reseal_all
from accounts.schemas.fields import Username
from accounts.schemas.identity.users import SuperuserUpdate
from accounts.settings import get_settings

NAME = "admin"


def main(argv: Sequence[str] | None = None) -> None:
    """Run a command and print the result.

    Raises:
        SystemExit: with status 1 and the reason, 2 for a wrong command line, or 130 for Ctrl-C.

    """
    arguments = parse(argv)
    with one_line_errors(NAME):
        print(run(NAME, lambda sessionmaker: execute(sessionmaker, arguments)))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m accounts.commands.admin", description="Administer users and data.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, work, text in (
        ("deactivate", deactivate, "deactivate a user and end all sessions of the user"),
        ("revoke-sessions", revoke_sessions, "end all sessions of a user and revoke all access keys"),
        ("reset-factors", reset_factors, "delete all second factors of a user who lost them, and end all sessions"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("email", metavar="EMAIL", type=TypeAdapter(Username).validate_python)
        command.set_defaults(work=work)
    text = "count the mail that waits and the mail that is parked"
    commands.add_parser("mail", help=text, description=text).set_defaults(work=mail)
    text = (
        "delete expired sessions, tokens, sign-ups, invitations and rate limits, unconfirmed authenticator apps, "
        "access keys expired for 30 days, devices not seen for 180 days, mail parked for 30 days, and audit events "
        "older than AUDIT_DAYS"
    )
    more = "; with --overdue also if suspiciously many expired long ago"
    command = commands.add_parser("prune", help=text + more, description=text)
    text = "delete also the rows of a table where suspiciously many expired long ago: check the database's clock first"
    command.add_argument("--overdue", action="store_true", help=text)
    command.set_defaults(work=prune)
    text = "seal the secrets of authenticator apps with the key that signs now, so that older keys can be dropped"
    commands.add_parser("reseal", help=text, description=text).set_defaults(work=reseal)
    text = "delete the users of make seed who have its published password, and the groups that have no other members"
    commands.add_parser("remove-sample-users", help=text, description=text).set_defaults(work=remove_samples)
    return parser.parse_args(argv)


async def execute(sessionmaker: Sessionmaker, arguments: argparse.Namespace) -> str:
    """Run a command in one transaction and return what it did.

    Raises:
        Refusal: a rule of the domain forbids it.

    """
    async with user_manager(sessionmaker) as users:
        message: str = await arguments.work(users, arguments)
        return message


async def deactivate(users: UserManager, arguments: argparse.Namespace) -> str:
    """Deactivate a user.

    Raises:
        UserNotFound: no user has the email address.
        LastSuperuser: no other superuser is active.
        LastOwner: groups would have no active owner left.

    """
    user = await users.update(SuperuserUpdate(is_active=False), await users.get_by_email(arguments.email))
    return f"Deactivated {user.email} and ended all sessions."


async def revoke_sessions(users: UserManager, arguments: argparse.Namespace) -> str:
    """End all sessions of a user, and revoke all access keys: a thief may have created one.

    Raises:
        UserNotFound: no user has the email address.

    """
    user = await users.get_by_email(arguments.email)
    sessions, keys = await users.revoke_sessions(user), await users.revoke_keys(user)
    return f"Ended all sessions of {user.email}: {sessions}. Revoked all access keys: {keys}."


async def reset_factors(users: UserManager, arguments: argparse.Namespace) -> str:
    """Delete all second factors of a user, and notify the user.

    Raises:
        UserNotFound: no user has the email address.

    """
    user = await users.get_by_email(arguments.email)
    factors = FactorManager(users.db, users.passwords, get_settings())
    if not await factors.reset(user):
        return f"{user.email} has no second factor."
    return f"Deleted all second factors of {user.email} and ended all sessions."


async def mail(users: UserManager, _: argparse.Namespace) -> str:
    """Count the queued and the parked mails."""
    queued = await backlog(users.db)
    return f"Mail: {queued.waiting:,} waiting, the oldest for {queued.oldest_seconds:,} s; {queued.parked:,} parked"


async def prune(users: UserManager, arguments: argparse.Namespace) -> str:
    """Delete expired rows.

    Raises:
        PruningRefused: suspiciously many rows are expired, and --overdue is not given.

    """
    deleted = await retention.delete_expired(users.db, get_settings(), overdue=arguments.overdue)
    return "Deleted: " + ", ".join(f"{count:,} of {table}" for table, count in deleted.items())


async def reseal(users: UserManager, _: argparse.Namespace) -> str:
    """Seal the secrets of authenticator apps again."""
    resealed = await reseal_all(users.db, get_settings())
    lost = "" if not resealed.unreadable else f" SECRET_KEY lacks the key of {resealed.unreadable:,} others."
    return f"Authenticator apps sealed with the key that signs now: {resealed.done:,}.{lost}"


async def remove_samples(users: UserManager, _: argparse.Namespace) -> str:
    """Remove the users of sample and volume data.

    Raises:
        LastOwner: groups would have no active owner left.

    """
    done = await remove_sample_users(users.db, get_settings())
    return (
        f"Deleted {done.users:,} sample users and {done.groups:,} groups that had no other members. "
        f"Groups with a new owner: {done.new_owners:,}. "
        f"Other accounts that have to reset the published password: {done.locked_out:,}."
        + ("" if done.superuser_left else "\nNo superuser is left: make superuser EMAIL=me@example.com")
    )


if __name__ == "__main__":
    main()
