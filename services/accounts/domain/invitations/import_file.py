"""The CSV file of a member import: parsed and validated before the database is queried."""

import asyncio
import csv
from codecs import BOM_UTF8
from io import BytesIO
from time import perf_counter

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from accounts.domain.errors import ImportInvalid, TooManyInvitations
from accounts.domain.invitations.store import InvitationRequest
from accounts.schemas.member_files import COLUMNS, ImportRow, RowError

ROWS_MAX = 50_000
RECORDS_MAX = 10 * ROWS_MAX  # blank lines included
RECORD_BYTES = 8 * 1024  # more than the longest valid row takes, however it is quoted
FAULTY_ROWS_MAX = 100
PAUSE_SECONDS = 0.002
NAME_LENGTH = 50
QUOTING = 'Separate cells by commas, and quote cells that contain commas or quotes, as in "a ""b"", c"'
TOO_LONG = f"The row has more than {RECORD_BYTES} bytes. A closing quote may be missing"
MESSAGES = {"string_pattern_mismatch": "Input should have no control characters"}


async def parse_import(
    content: bytes, invitations_max: int | None = None, known_max: int = 0
) -> list[InvitationRequest]:
    """Parse a CSV file (RFC 4180, in UTF-8) whose first line names the columns. Other requests are served meanwhile.

    Args:
        invitations_max: how many of the rows may be invitations, if that is limited.
        known_max: how many of the rows may be none, because they are members or invited already.

    Raises:
        ImportInvalid: with the faults of the first ``FAULTY_ROWS_MAX`` faulty rows, by line number.
        TooManyInvitations: the file has more valid rows than the sum of both. The rest of it is not read.

    """
    file, paused_at = _ImportFile(content), perf_counter()
    while file.read_record():
        if invitations_max is not None and len(file.rows) > invitations_max + known_max:
            raise TooManyInvitations(invitations_max)
        if perf_counter() - paused_at >= PAUSE_SECONDS:
            await asyncio.sleep(0)
            paused_at = perf_counter()
    return file.require_valid()


class _Fault(Exception):  # noqa: N818  # of the file, not of the program
    """Faults of one record: column or None, type and message of each. Reading stops after a ``fatal`` one."""

    def __init__(self, *faults: tuple[str | None, str, str], fatal: bool = False) -> None:
        super().__init__()
        self.faults = faults
        self.fatal = fatal


class _ImportFile:
    def __init__(self, content: bytes) -> None:
        self._content = BytesIO(content.removeprefix(BOM_UTF8).replace(b"\r\n", b"\n"))
        self._record_start = 0
        # ``map`` and ``csv.reader`` go on with the next line after an exception.
        self._reader = csv.reader(map(self._decode, self._content), strict=True)
        self.records = 0
        self._columns: list[str] = []
        self._line_by_email: dict[str, int] = {}
        self.rows: list[InvitationRequest] = []
        self._faults: dict[int, list[RowError]] = {}

    def _decode(self, line: bytes) -> str:
        if self._content.tell() - self._record_start > RECORD_BYTES:
            raise _Fault((None, "too_long", TOO_LONG), fatal=True)
        # Invalid bytes are escaped here and refused by ``_require_utf8``, so that the record is read to its end.
        return line.decode(errors="surrogateescape")

    def read_record(self) -> bool:
        """Read and validate the next record; return False at the end of the file."""
        line = self._reader.line_num + 1
        self._record_start = self._content.tell()
        self.records += 1
        try:
            self._add(line, next(self._reader))
        except StopIteration:
            return False
        except csv.Error:
            self._refuse(line, _Fault((None, "csv", QUOTING)))
        except _Fault as fault:
            self._refuse(line, fault)
        return True

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
        _require_utf8(cells)
        if not self._columns:
            self._columns = _parse_columns(cells)
        elif any(cells):
            self._add_row(line, _parse_row(self._columns, cells))
        elif self.records > RECORDS_MAX:
            raise _too_many(RECORDS_MAX)

    def _add_row(self, line: int, row: ImportRow) -> None:
        if len(self._line_by_email) == ROWS_MAX:
            raise _too_many(ROWS_MAX)
        if (first := self._line_by_email.setdefault(row.email.lower(), line)) != line:
            raise _Fault(("email", "duplicate", f"Line {first} has the same email address"))
        self.rows.append(InvitationRequest(row.email, row.role, row.note))

    def _refuse(self, line: int, fault: _Fault) -> None:
        self._faults[line] = [RowError(line, *details) for details in fault.faults]
        if fault.fatal or not self._columns or len(self._faults) == FAULTY_ROWS_MAX:
            self.require_valid()


def _require_utf8(cells: list[str]) -> None:
    try:
        "".join(cells).encode()
    except UnicodeEncodeError:
        raise _Fault((None, "unicode", "Input should be UTF-8")) from None


def _too_many(rows: int) -> _Fault:
    return _Fault((None, "too_many_rows", f"A file has at most {rows} rows"), fatal=True)


def _parse_columns(cells: list[str]) -> list[str]:
    names = [name.strip().lower() for name in cells]
    if "email" not in names:
        # The cells are not repeated: without a line of names, they are personal data.
        raise _Fault(
            ("email", "missing", "The first line must name the columns, separated by commas, including 'email'")
        )
    known = ", ".join(COLUMNS)
    faults = [(_printable(name), "unknown_column", f"The columns are {known}") for name in names if name not in COLUMNS]
    faults += [(name, "duplicate", "Two columns have this name") for name in COLUMNS if names.count(name) > 1]
    if faults:
        raise _Fault(*faults)
    return names


def _printable(name: str) -> str:
    return "".join(filter(str.isprintable, name))[:NAME_LENGTH]


def _parse_row(columns: list[str], cells: list[str]) -> ImportRow:
    if len(cells) > len(columns):
        raise _Fault((None, "too_many_columns", f"The row has more cells than the {len(columns)} columns"))
    if len(cells) < len(columns):
        raise _Fault((columns[len(cells)], "missing", "The row ends before this column"))
    values = {name: cell for name, cell in zip(columns, cells, strict=True) if cell or name == "email"}
    try:
        return ImportRow.model_validate(values)
    except ValidationError as error:
        details = error.errors(include_input=False, include_url=False)
        raise _Fault(*map(_describe, details)) from None


def _describe(error: ErrorDetails) -> tuple[str, str, str]:
    kind = error["type"]
    return str(error["loc"][0]), kind, MESSAGES.get(kind, error["msg"])
