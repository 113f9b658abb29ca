"""Creation of a superuser: python -m accounts.commands.superuser EMAIL.

The password is prompted for, or read as one line from standard input. It is never an argument or a variable, which
other processes can read.
"""

import argparse
import sys
from collections.abc import Sequence
from getpass import getpass

from pydantic import ValidationError

from accounts.commands.run import fail, one_line_errors, run, user_manager
from accounts.db.session import Sessionmaker, transaction
from accounts.domain.breached_passwords.lists import open_lists
from accounts.domain.errors import RegisterUserAlreadyExists
from accounts.domain.identity.user_adapter import UserAdapter
from accounts.models import User
from accounts.schemas.identity.users import SuperuserCreate
from accounts.settings import get_settings

NAME = "superuser"


def main(argv: Sequence[str] | None = None) -> None:
    """Create a superuser. An existing user is not promoted.

    Raises:
        SystemExit: with status 1 and the reason, or 130 for Ctrl-C.

    """
    arguments = parse(argv)
    with one_line_errors(NAME):
        # Validate everything else before the password is typed twice.
        superuser_create = validated(arguments.email, arguments.name, password="not asked for yet")  # noqa: S106  # a stand-in
        run(NAME, lambda sessionmaker: refuse_taken(sessionmaker, superuser_create.email))
        superuser_create = validated(arguments.email, arguments.name, read_password())
        user = run(NAME, lambda sessionmaker: create(sessionmaker, superuser_create))
        print(f"Created superuser {user.email} with id {user.id}")


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m accounts.commands.superuser", description="Create a superuser.")
    parser.add_argument("email", metavar="EMAIL", help="the email address to sign in with")
    parser.add_argument("--name", default="", help="the display name")
    return parser.parse_args(argv)


def validated(email: str, name: str, password: str) -> SuperuserCreate:
    """Apply the rules of the API's schemas to the arguments."""
    try:
        return SuperuserCreate(email=email, display_name=name, password=password)
    except ValidationError as error:
        fail(NAME, "; ".join(f"{fault['loc'][0]}: {fault['msg']}" for fault in error.errors(include_url=False)))


def read_password() -> str:
    """Prompt for a password twice on a terminal; otherwise read the first line of standard input."""
    try:
        if not sys.stdin.isatty():
            return sys.stdin.readline().rstrip("\r\n") or fail(NAME, "no password on standard input")
        password = getpass("Password: ")
        return password if getpass("Again: ") == password else fail(NAME, "the two passwords differ")
    except (EOFError, UnicodeDecodeError):
        fail(NAME, "could not read a password")


async def refuse_taken(sessionmaker: Sessionmaker, email: str) -> None:
    """Check that no user has an email address, or has it reserved.

    Raises:
        RegisterUserAlreadyExists: a user does.

    """
    async with transaction(sessionmaker) as db:
        users = UserAdapter(db)
        if await users.get_by_email(email) or await users.is_reserved(email):
            raise RegisterUserAlreadyExists


async def create(sessionmaker: Sessionmaker, superuser_create: SuperuserCreate) -> User:
    """Create a superuser.

    Raises:
        RegisterUserAlreadyExists: the email address is taken or reserved.
        RegisterInvalidPassword: the policy refuses the password.

    """
    async with open_lists(get_settings()) as is_breached, user_manager(sessionmaker, is_breached) as users:
        return await users.create(superuser_create)


if __name__ == "__main__":
    main()
