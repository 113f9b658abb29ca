"""The CSV file of a member import: parsed and validated before the database is queried."""

import asyncio
import csv
from collections.abc import Iterator
from itertools import chain
from time import perf_counter

from accounts.domain.errors import ImportInvalid, TooManyInvitations
from accounts.domain.invitations.import_rows import NOT_UNICODE, Fault, is_blank, parse_columns, parse_row
from accounts.domain.invitations.import_text import delimiter_of, is_spreadsheet, open_text, stated_delimiter
from accounts.domain.invitations.store import InvitationRequest
from accounts.schemas.member_files import ImportRow, RowError

ROWS_MAX = 50_000
RECORDS_MAX = 10 * ROWS_MAX  # blank lines included
RECORD_LENGTH = 8 * 1024  # more than the longest valid row takes, however it is quoted
FAULTY_ROWS_MAX = 100
PAUSE_SECONDS = 0.002
QUOTING = 'Cells that contain the delimiter or quotes have to be quoted, as in "a ""b"", c"'
SPREADSHEET = "The file is a spreadsheet, not text: save it as CSV UTF-8"
TOO_LONG = f"The row has more than {RECORD_LENGTH} characters. A closing quote may be missing"


async def parse_import(
    content: bytes, charset: str = "utf-8", invitations_max: int | None = None, known_max: int = 0
) -> list[InvitationRequest]:
    """Parse a CSV file (RFC 4180) whose first line names the columns. Other requests are served meanwhile.

    Commas, semicolons or tabs separate cells. Blank rows, blank columns without a name, and missing cells at the end of
    a row are accepted.

    Args:
        charset: a key of ``import_text.CHARSETS``; a byte order mark takes precedence.
        invitations_max: how many of the rows may be invitations, if that is limited.
        known_max: how many of the rows may be none, because they are members or invited already.

    Raises:
        ImportInvalid: with the faults of the first ``FAULTY_ROWS_MAX`` faulty rows, by line number.
        TooManyInvitations: the file has more valid rows than the sum of both. The rest of it is not read.

    """
    if is_spreadsheet(content):
        raise ImportInvalid([RowError(1, None, "spreadsheet", SPREADSHEET)])
    file, paused_at = _ImportFile(content, charset), perf_counter()
    while file.read_record():
        if invitations_max is not None and len(file.rows) > invitations_max + known_max:
            raise TooManyInvitations(invitations_max)
        if perf_counter() - paused_at >= PAUSE_SECONDS:
            await asyncio.sleep(0)
            paused_at = perf_counter()
    return file.require_valid()


class _ImportFile:
    def __init__(self, content: bytes, charset: str) -> None:
        self._text = open_text(content, charset)
        self._lines = iter(self._read_line, "")
        self._line = 0
        self._record_length = 0
        self._reader: Iterator[list[str]] | None = None  # until a line decides the delimiter
        self.records = 0
        self._columns: dict[int, str] = {}
        self._line_by_email: dict[str, int] = {}
        self.rows: list[InvitationRequest] = []
        self._faults: dict[int, list[RowError]] = {}

    def _read_line(self) -> str:
        line = self._text.readline(RECORD_LENGTH + 1)
        self._line += 1
        self._record_length += len(line)
        if self._record_length > RECORD_LENGTH:
            raise Fault((None, "too_long", TOO_LONG), fatal=True)
        return line

    def read_record(self) -> bool:
        """Read and validate the next record; return False at the end of the file."""
        line = self._line + 1
        self._record_length = 0
        self.records += 1
        try:
            self._add(line, self._next_record())
        except StopIteration:
            return False
        except csv.Error:
            self._refuse(line, Fault((None, "csv", QUOTING)))
        except UnicodeDecodeError:
            self._refuse(line, Fault((None, "unicode", NOT_UNICODE), fatal=True))
        except Fault as fault:
            self._refuse(line, fault)
        return True

    def _next_record(self) -> list[str]:
        if self._reader is not None:
            return next(self._reader)
        line = next(self._lines)
        if stated := stated_delimiter(line):
            self._reader = csv.reader(self._lines, delimiter=stated, strict=True)
        elif delimiter := delimiter_of(line):
            self._reader = csv.reader(chain([line], self._lines), delimiter=delimiter, strict=True)
            return next(self._reader)
        return []

    def require_valid(self) -> list[InvitationRequest]:
        """Return the rows.

        Raises:
            ImportInvalid: a row is faulty, or there is none.

        """
        if not (self.rows or self._faults):
            self._faults[1] = [RowError(1, None, "empty", "A line of column names and at least one row are required")]
        if self._faults:
            raise ImportInvalid([fault for faults in self._faults.values() for fault in faults])
        return self.rows

    def _add(self, line: int, cells: list[str]) -> None:
        if is_blank(cells):
            if self.records > RECORDS_MAX:
                raise _too_many(RECORDS_MAX)
        elif not self._columns:
            self._columns = parse_columns(cells)
        elif row := parse_row(self._columns, cells):
            self._add_row(line, row)

    def _add_row(self, line: int, row: ImportRow) -> None:
        if len(self._line_by_email) == ROWS_MAX:
            raise _too_many(ROWS_MAX)
        if (first := self._line_by_email.setdefault(row.email.lower(), line)) != line:
            raise Fault(("email", "duplicate", f"Line {first} has the same email address"))
        self.rows.append(InvitationRequest(row.email, row.role, row.note))

    def _refuse(self, line: int, fault: Fault) -> None:
        self._faults[line] = [RowError(line, *details) for details in fault.faults]
        if fault.fatal or not self._columns or len(self._faults) == FAULTY_ROWS_MAX:
            self.require_valid()


def _too_many(rows: int) -> Fault:
    return Fault((None, "too_many_rows", f"A file has at most {rows} rows"), fatal=True)
