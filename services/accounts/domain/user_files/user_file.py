"""The file of an import of users: validated in batches, so that memory does not grow with its length."""

from array import array
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import islice
from operator import attrgetter
from typing import Any, BinaryIO

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from accounts.domain.errors import ImportInvalid
from accounts.domain.identity.stored_hashes import UnusableHash
from accounts.domain.user_files.new_users import NewUser, new_user
from accounts.schemas.member_files import RowError
from accounts.schemas.user_files import UserLine

LINE_BYTES = 128 * 1024
BATCH_BYTES = 1024 * 1024  # of lines that are in memory at once: the groups of one take fifty times its length
FAULTY_LINES_MAX = 100
NAME_LENGTH = 50
LINE = attrgetter("line")
UTF8_BOM = b"\xef\xbb\xbf"
MESSAGES = {
    "extra_forbidden": f"The members of a user are {', '.join(UserLine.model_fields)}",
    "string_pattern_mismatch": "Input should have no control characters",
}

Record = tuple[int, bytes | dict[str, Any]]


class Fault(Exception):  # noqa: N818  # of the file, not of the program
    """A fault of a line that ends the reading."""

    def __init__(self, line: int, type: str, message: str) -> None:
        super().__init__(message)
        self.error = RowError(line, None, type, message)


def json_lines(file: BinaryIO) -> Iterator[Record]:
    """Read a file with one JSON object in each line. Blank lines are skipped. Raises Fault."""
    read = partial(file.readline, LINE_BYTES + 1)
    for line, text in enumerate(iter(read, b""), start=1):
        if len(text) > LINE_BYTES:
            raise Fault(line, "too_long", f"The line has more than {LINE_BYTES} bytes")
        if record := (text.removeprefix(UTF8_BOM) if line == 1 else text).strip():
            yield line, record


class UserFile:
    """Reads users, and collects the faults of the first ``FAULTY_LINES_MAX`` faulty lines."""

    def __init__(self, records: Iterator[Record], lines_max: int | None = None) -> None:
        self._records = records
        self._lines_max = lines_max
        self._lines = 0
        self._now = datetime.now(UTC)
        self._emails, self._ids = _Repeated(), _Repeated()
        self._faults: dict[int, list[RowError]] = {}

    @property
    def is_valid(self) -> bool:
        """Whether no fault was found so far."""
        return not self._faults

    def read(self, count: int) -> list[NewUser]:
        """Return up to ``count`` more users; fewer after faults, and none at the end of the file or after many."""
        users: list[NewUser] = []
        try:
            while not users and len(self._faults) < FAULTY_LINES_MAX:
                records = self._take(count)
                if not records:
                    break
                self._count(records)
                users = self._valid(records)
        except Fault as fault:
            self._faults[fault.error.line] = [fault.error]
        return users

    def _take(self, count: int) -> list[Record]:
        records, size = [], 0
        for record in islice(self._records, count):
            records.append(record)
            size += len(record[1])  # users of other formats, which are objects, have no groups
            if size >= BATCH_BYTES:
                break
        return records

    def _count(self, records: list[Record]) -> None:
        self._lines += len(records)
        if self._lines_max is not None and self._lines > self._lines_max:
            raise Fault(records[-1][0], "too_many_rows", f"A file has at most {self._lines_max} users")

    def _valid(self, records: Iterable[Record]) -> list[NewUser]:
        users = []
        for line, record in records:
            try:
                users.append(new_user(line, record, self._now))
            except ValidationError as error:
                self.refuse(line, *map(_describe, error.errors(include_input=False, include_url=False)))
            except UnusableHash as error:
                self.refuse(line, ("hashed_password", error.type, error.message))
            if len(self._faults) >= FAULTY_LINES_MAX:
                break
        self._emails.add([user.email.lower() for user in users], map(LINE, users))
        identified = [user for user in users if user.has_given_id]
        self._ids.add([user.id for user in identified], map(LINE, identified))
        return users

    def refuse(self, line: int, *faults: tuple[str | None, str, str]) -> None:
        """Add faults of a line: column, type and message of each."""
        self._faults[line] = [RowError(line, *details) for details in faults]

    def require_valid(self) -> None:
        """Check the whole file after it was read.

        Raises:
            ImportInvalid: with the faults by line.

        """
        for column, repeated in (("email", self._emails), ("id", self._ids)):
            for line, first in islice(repeated.find(), FAULTY_LINES_MAX):
                self.refuse(line, (column, "duplicate", f"Line {first} has the same {column}"))
        if not self._lines and self.is_valid:
            self.refuse(1, (None, "empty", "At least one user is required"))
        if not self.is_valid:
            raise ImportInvalid(
                [fault for line in sorted(self._faults)[:FAULTY_LINES_MAX] for fault in self._faults[line]]
            )


class _Repeated:
    """Finds values that are in several lines, in 16 bytes for each line. Hashes have 64 bits."""

    SHARDS = 256  # a power of two

    def __init__(self) -> None:
        self._shards = [(array("q"), array("q")) for _ in range(self.SHARDS)]
        self._append = [(digests.append, lines.append) for digests, lines in self._shards]

    def add(self, values: Iterable[str], lines: Iterable[int]) -> None:
        append, shard = self._append, self.SHARDS - 1
        for digest, line in zip(map(hash, values), lines, strict=True):
            append_digest, append_line = append[digest & shard]
            append_digest(digest)
            append_line(line)

    def find(self) -> Iterator[tuple[int, int]]:
        """Find the lines with a value of an earlier line, and that line."""
        for digests, lines in self._shards:
            if len(set(digests)) == len(digests):
                continue  # without the lines, in a fraction of the time
            seen: dict[int, int] = {}
            for digest, line in zip(digests, lines, strict=True):
                if (first := seen.setdefault(digest, line)) != line:
                    yield line, first


def _describe(error: ErrorDetails) -> tuple[str | None, str, str]:
    kind, path = error["type"], ".".join(map(str, error["loc"]))
    column = "".join(filter(str.isprintable, path))[:NAME_LENGTH]  # a member's name may be anything
    message = MESSAGES.get(kind, error["msg"]).replace(" at line 1 column ", " at column ")
    return column or None, kind, message
