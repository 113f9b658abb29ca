"""The process that makes a superuser: python -m accounts.commands.superuser EMAIL.

The password is asked for, or read as one line from standard input; never an argument or a variable, which others see.
"""

import argparse
import sys
from collections.abc import Sequence
from getpass import getpass

from pydantic import ValidationError

from accounts.commands.run import fail, one_line_errors, run
from accounts.db.session import Sessionmaker, transaction
from accounts.domain.errors import RegisterUserAlreadyExists
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.domain.identity.user_adapter import UserAdapter
from accounts.domain.identity.users import UserManager
from accounts.models import User
from accounts.schemas.identity.users import SuperuserCreate
from accounts.settings import get_settings

NAME = "superuser"


def main(argv: Sequence[str] | None = None) -> None:
    """Make a superuser, and say so; whom the address belongs to already is not promoted.

    Raises:
        SystemExit: with status 1 and the reason, or 130 for Ctrl-C.

    """
    arguments = parse(argv)
    with one_line_errors(NAME):
        # All that can be refused without a password is, before somebody types one twice.
        wanted = validated(arguments.email, arguments.name, password="not asked for yet")  # noqa: S106  # as it says
        run(NAME, lambda sessionmaker: refuse_taken(sessionmaker, wanted.email))
        wanted = validated(arguments.email, arguments.name, read_password())
        user = run(NAME, lambda sessionmaker: make(sessionmaker, wanted))
        print(f"Superuser {user.email} is made, with the id {user.id}")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m accounts.commands.superuser", description="Make a superuser.")
    parser.add_argument("email", metavar="EMAIL", help="the address to sign in with")
    parser.add_argument("--name", default="", help="the name to show")
    return parser.parse_args(argv)


def validated(email: str, name: str, password: str) -> SuperuserCreate:
    """Apply the rules of the wire to what was typed."""
    try:
        return SuperuserCreate(email=email, display_name=name, password=password)
    except ValidationError as error:
        fail(NAME, "; ".join(f"{each['loc'][0]}: {each['msg']}" for each in error.errors(include_url=False)))


def read_password() -> str:
    """Ask for a password twice where somebody can type; else take the first line of standard input."""
    try:
        if not sys.stdin.isatty():
            return sys.stdin.readline().rstrip("\r\n") or fail(NAME, "there is no password on standard input")
        password = getpass("Password: ")
        return password if getpass("Again: ") == password else fail(NAME, "the two are not the same")
    except (EOFError, UnicodeDecodeError):
        fail(NAME, "that was no password")


async def refuse_taken(sessionmaker: Sessionmaker, email: str) -> None:
    """Look whether there is a user with an address.

    Raises:
        RegisterUserAlreadyExists: there is.

    """
    async with transaction(sessionmaker) as db:
        if await UserAdapter(db, User).get_by_email(email):
            raise RegisterUserAlreadyExists


async def make(sessionmaker: Sessionmaker, wanted: SuperuserCreate) -> User:
    """Make a superuser.

    Raises:
        RegisterUserAlreadyExists: somebody has the address.
        RegisterInvalidPassword: the policy refuses the password.

    """
    settings = get_settings()
    passwords = PasswordHasher(1, settings.password_min_length)
    try:
        async with transaction(sessionmaker) as db:
            return await UserManager(db, passwords, settings.secret_keys[0]).create(wanted)
    finally:
        passwords.close()


if __name__ == "__main__":
    main()
