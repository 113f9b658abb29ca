"""Import of users from a file on standard input: python -m accounts.commands.import_users --help.

It connects as the API does: an import needs no rights of the schema's owner.
"""

import argparse
import gc
import sys
from collections.abc import Buffer, Sequence
from io import BufferedReader, RawIOBase, TextIOWrapper

from tqdm import tqdm

from accounts.commands.run import fail, one_line_errors, run
from accounts.db.session import RequestContext, Sessionmaker
from accounts.domain.bulk import NO_TIMEOUTS, BulkWork
from accounts.domain.errors import ImportInvalid
from accounts.domain.user_files.sources import SOURCES, converted
from accounts.domain.user_files.user_file import UserFile, json_lines
from accounts.domain.user_files.user_import import SUBJECT, import_users
from accounts.schemas.user_files import UserImportRead
from accounts.settings import get_settings
from accounts.translations import SOURCE_LANGUAGE, available_languages

NAME = "import-users"


class Input(RawIOBase):
    """Standard input, which fails unless it has a number of bytes.

    Docker ends the input of a container if its client is killed. What came until then may look like a whole file.
    """

    def __init__(self, size: int) -> None:
        self._missing = size

    def readable(self) -> bool:
        """Return True, as BufferedReader requires."""
        return True

    def readinto(self, buffer: Buffer) -> int:
        """Read into ``buffer``."""
        view = memoryview(buffer)
        data = sys.stdin.buffer.read(len(view))
        view[: len(data)] = data
        self._missing -= len(data)
        if not data and self._missing:
            raise OSError("the input is not as long as the file; nothing was imported")
        return len(data)


def main(argv: Sequence[str] | None = None) -> None:
    """Import all users of the file, or none.

    Raises:
        SystemExit: with status 1 and the faults by line or the reason, 2 for a wrong command line, or 130 for Ctrl-C.

    """
    arguments = parse(argv)
    with one_line_errors(NAME):
        try:
            result, left_out = run(NAME, lambda sessionmaker: execute(sessionmaker, arguments))
        except ImportInvalid as error:
            unit = "user" if arguments.format else "line"
            for line, column, _, message in error.faults:
                print(f"{unit} {line}: {f'{column}: ' if column else ''}{message}", file=sys.stderr)
            fail(NAME, f"the file has invalid {unit}s, see above; nothing was imported")
        print(describe(result, left_out))


def parse(argv: Sequence[str] | None) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m accounts.commands.import_users", description="Import users.")
    parser.add_argument("--format", choices=SOURCES, help="the system that exported the file (default: JSON lines)")
    parser.add_argument("--bytes", type=int, help="refuse an input of another length: it was cut off")
    parser.add_argument(
        "--invite",
        nargs="?",
        const=SOURCE_LANGUAGE,
        choices=sorted(available_languages()),
        help="send active users without a password a mail to choose one, in this language",
    )
    parser.add_argument("--dry-run", action="store_true", help="validate and count only; change nothing")
    parser.add_argument("--progress", action="store_true", help="show progress, also where there is no terminal")
    return parser.parse_args(argv)


async def execute(sessionmaker: Sessionmaker, arguments: argparse.Namespace) -> tuple[UserImportRead, int]:
    """Import standard input in one transaction. Return the result, and how many users had no email.

    Raises:
        ImportInvalid: a line is invalid.
        ImportInProgress: another import of users is in progress.

    """
    hidden = not (arguments.progress or sys.stderr.isatty())
    without_email: list[None] = []
    file = sys.stdin.buffer if arguments.bytes is None else BufferedReader(Input(arguments.bytes))
    if arguments.format:
        text = TextIOWrapper(file, "utf-8", "surrogateescape")
        records = converted(arguments.format, text, lambda: without_email.append(None))
    else:
        records = json_lines(file)
    key = get_settings().secret_keys[0] if arguments.invite else None
    context = RequestContext(accept_language=arguments.invite or "")
    with tqdm(desc="users", unit="row", unit_scale=True, leave=False, disable=hidden) as bar:
        async with BulkWork(sessionmaker).transaction(context, SUBJECT) as db:
            await db.exec(NO_TIMEOUTS)
            options = {"dry_run": arguments.dry_run, "invite": key, "progress": bar.update}
            result = await import_users(db, UserFile(records), **options)
    return result, len(without_email)


def describe(result: UserImportRead, without_email: int) -> str:
    """Describe the result in lines for people."""
    verb = "Would create" if result.dry_run else "Created"
    lines = [
        (
            f"{verb} {result.created:,} users ({result.without_password:,} without a password), "
            f"{result.groups_created:,} groups and {result.memberships_created:,} memberships."
        )
    ]
    if result.invited:
        verb = "gets" if result.invited == 1 else "get"
        lines.append(f"{result.invited:,} of those without a password {verb} a mail to choose one.")
    if result.already_exist:
        lines.append(f"{result.already_exist:,} users exist already, and stay as they are.")
    if result.reserved:
        lines.append(f"{result.reserved:,} addresses are reserved for a week after another user's change of email.")
    if without_email:
        lines.append(f"{without_email:,} users have no email, and are left out.")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.setswitchinterval(0.0005)  # the thread that sends a batch is not kept waiting by the one that reads the next
    gc.freeze()  # the modules stay, and searching them for garbage takes a tenth of the time
    main()
