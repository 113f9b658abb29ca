"""A file of members, read and checked as it arrives, without a database: nobody waits for whoever sends it slowly."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from hashlib import blake2b
from typing import Self

from pydantic import ValidationError

from accounts.domain.errors import ImportInvalid
from accounts.domain.invitations.csv_file import Wrong, cells, records
from accounts.domain.invitations.store import InvitationRequest
from accounts.models import Role
from accounts.schemas.member_files import COLUMNS, ImportRow, RowError

ROWS_MAX = 50_000
RECORDS_MAX = 10 * ROWS_MAX  # those that are blank and cost little included
FAULTY_ROWS_MAX = 100
BATCH_ROWS = 500
PAUSE_RECORDS = 20  # of some 0.1 ms each
NAME_LENGTH = 50
MESSAGES = {"string_pattern_mismatch": "Input should have no control characters"}


class ImportFile:
    """The rows of a file, all of them right, in batches. Kept as JSON, they take little more than the file."""

    def __init__(self) -> None:
        self._records = 0
        self._columns: list[str] = []
        self._lines: dict[bytes, int] = {}
        self._batch: list[tuple[str, Role, str]] = []
        self._batches: list[str] = []
        self._faults: dict[int, list[RowError]] = {}

    def __iter__(self) -> Iterator[list[InvitationRequest]]:
        for batch in self._batches:
            yield [InvitationRequest(email, Role(role), note) for email, role, note in json.loads(batch)]

    async def read(self, chunks: AsyncIterator[bytes]) -> Self:
        """Read a file to its end, or to where too much is wrong.

        Raises:
            ImportInvalid: naming the first lines that are wrong, and what is wrong with them.

        """
        async for line, record in records(chunks):
            self._take(line, record)
            if len(self._batch) == BATCH_ROWS:
                self._keep()
            if self._records % PAUSE_RECORDS == 0:
                await asyncio.sleep(0)  # for others' requests: waiting for what has arrived already is no pause
        if not (self._lines or self._faults):
            self._faults[1] = [RowError(1, None, "empty", "A line of column names and at least one row are needed")]
        self._keep()
        self._refuse()
        return self

    def _take(self, line: int, record: bytes) -> None:
        self._records += 1
        try:
            found = cells(line, record)
            if not self._columns:
                self._columns = _columns(found)
            elif any(found):
                self._add(line, _row(self._columns, found))
            elif self._records > RECORDS_MAX:
                raise _too_many(RECORDS_MAX)
        except Wrong as wrong:
            self._faults[line] = [RowError(line, *fault) for fault in wrong.faults]
            if wrong.fatal or not self._columns or len(self._faults) == FAULTY_ROWS_MAX:
                self._refuse()

    def _add(self, line: int, row: ImportRow) -> None:
        if len(self._lines) == ROWS_MAX:
            raise _too_many(ROWS_MAX)
        # Digests of one size, since addresses may be long and 50,000 are many.
        digest = blake2b(row.email.lower().encode(), digest_size=16).digest()
        if (first := self._lines.setdefault(digest, line)) != line:
            raise Wrong(("email", "duplicate", f"The same address is on line {first}"))
        self._batch.append((row.email, row.role, row.note))

    def _keep(self) -> None:
        self._batches.append(json.dumps(self._batch, ensure_ascii=False))
        self._batch.clear()

    def _refuse(self) -> None:
        if self._faults:
            raise ImportInvalid([fault for faults in self._faults.values() for fault in faults])


def _too_many(rows: int) -> Wrong:
    return Wrong((None, "too_many_rows", f"A file has at most {rows} rows"), fatal=True)


def _columns(found: list[str]) -> list[str]:
    names = [name.strip().lower() for name in found]
    if "email" not in names:
        # No name is repeated here: where there are none, these are somebody's data.
        raise Wrong(("email", "missing", "The first line names the columns, separated by commas; one is 'email'"))
    faults = [
        *(
            (_shown(name), "unknown_column", f"Columns are {', '.join(COLUMNS)}")
            for name in names
            if name not in COLUMNS
        ),
        *((name, "duplicate", "There are two columns of this name") for name in COLUMNS if names.count(name) > 1),
    ]
    if faults:
        raise Wrong(*faults)
    return names


def _shown(name: str) -> str:
    return "".join(filter(str.isprintable, name))[:NAME_LENGTH]


def _row(columns: list[str], found: list[str]) -> ImportRow:
    if len(found) > len(columns):
        raise Wrong((None, "too_many_columns", f"The row has more cells than there are columns, {len(columns)}"))
    if len(found) < len(columns):
        raise Wrong((columns[len(found)], "missing", "The row ends before this column"))
    given = {name: cell for name, cell in zip(columns, found, strict=True) if cell or name == "email"}
    try:
        return ImportRow.model_validate(given)
    except ValidationError as error:
        found_wrong = error.errors(include_input=False, include_url=False)
        raise Wrong(*((str(e["loc"][0]), e["type"], MESSAGES.get(e["type"], e["msg"])) for e in found_wrong)) from None
