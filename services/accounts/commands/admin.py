"""The process that administers: python -m accounts.commands.admin deactivate EMAIL, revoke-sessions EMAIL, or prune.

The rules are those of HTTP. It connects as the owner of the schema, because nobody else may prune the record.
"""

import argparse
from collections.abc import Sequence

from pydantic import TypeAdapter

from accounts.commands.run import one_line_errors, run
from accounts.db.session import Session, Sessionmaker, transaction
from accounts.domain import retention
from accounts.domain.errors import UserNotFound
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.domain.identity.users import UserManager
from accounts.domain.sessions.sessions import revoke_sessions as revoke_all_sessions
from accounts.models import User
from accounts.schemas.fields import Username
from accounts.schemas.identity.users import SuperuserUpdate
from accounts.settings import get_settings

NAME = "admin"


def main(argv: Sequence[str] | None = None) -> None:
    """Do what the command line says, and say what was done.

    Raises:
        SystemExit: with status 1 and the reason, 2 for a wrong command line, or 130 for Ctrl-C.

    """
    arguments = parse(argv)
    with one_line_errors(NAME):
        print(run(NAME, lambda sessionmaker: act(sessionmaker, arguments)))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m accounts.commands.admin", description="Administer.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for name, work, text in (
        ("deactivate", deactivate, "let a user sign in no more, and end the user's sessions"),
        ("revoke-sessions", revoke_sessions, "sign a user out everywhere"),
    ):
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("email", metavar="EMAIL", type=TypeAdapter(Username).validate_python)
        command.set_defaults(work=work)
    text = "delete dead sessions and tokens, old limits on attempts, and events older than AUDIT_DAYS"
    commands.add_parser("prune", help=text, description=text).set_defaults(work=prune)
    return parser.parse_args(argv)


async def act(sessionmaker: Sessionmaker, arguments: argparse.Namespace) -> str:
    """Do one thing, in one transaction.

    Raises:
        Refusal: a rule says no.

    """
    async with transaction(sessionmaker) as db:
        users = UserManager(db, PasswordHasher(1), get_settings().secret_keys[0])
        said: str = await arguments.work(db, users, arguments)
        return said


async def deactivate(_: Session, users: UserManager, arguments: argparse.Namespace) -> str:
    """Deactivate a user.

    Raises:
        UserNotFound: nobody has the address.
        LastSuperuser: nobody could administer the system any more.

    """
    user = await users.update(SuperuserUpdate(is_active=False), await _find(users, arguments.email))
    return f"{user.email} is inactive, and signed out everywhere"


async def revoke_sessions(db: Session, users: UserManager, arguments: argparse.Namespace) -> str:
    """End all sessions of a user.

    Raises:
        UserNotFound: nobody has the address.

    """
    user = await _find(users, arguments.email)
    ended = await revoke_all_sessions(db, user, keep=None)
    return f"{user.email} is signed out everywhere; sessions ended: {ended}"


async def prune(db: Session, _: UserManager, __: argparse.Namespace) -> str:
    """Delete what has had its time."""
    deleted = await retention.delete_expired(db, get_settings())
    return "Deleted: " + ", ".join(f"{count:,} of {table}" for table, count in deleted.items())


async def _find(users: UserManager, email: str) -> User:
    user = await users.user_db.get_by_email(email)
    if user is None:
        raise UserNotFound
    return user


if __name__ == "__main__":
    main()
