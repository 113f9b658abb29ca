"""CSV (RFC 4180) as it arrives: cut into records line by line, so that a file takes no more memory than its longest."""

import csv
from collections.abc import AsyncIterator

RECORD_BYTES = 8 * 1024  # more than a row of the longest cells takes, however they are written
QUOTING = 'Cells are separated by commas; those with commas or quotes are between quotes, as in "a ""b"", c"'


class Wrong(Exception):  # noqa: N818  # with a file, not with this program
    """What is wrong with a record: column or None, type and message of each fault. Nothing follows a fatal one."""

    def __init__(self, *faults: tuple[str | None, str, str], fatal: bool = False) -> None:
        super().__init__()
        self.faults = faults
        self.fatal = fatal


async def records(chunks: AsyncIterator[bytes]) -> AsyncIterator[tuple[int, bytes]]:
    """Cut a file into records, each with the number of the line that it begins on, as an editor counts."""
    number, begun, record = 0, 1, b""
    async for line in _lines(chunks):
        number += 1
        record += line
        # Quotes are in pairs. A record that is too long is for ``cells`` to refuse.
        if record.count(b'"') % 2 == 0 or len(record) > RECORD_BYTES:
            yield begun, record
            begun, record = number + 1, b""
    if record:
        yield begun, record


async def _lines(chunks: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    held = b""
    async for chunk in chunks:
        *whole, held = (held + chunk).split(b"\n")
        for line in whole:
            yield line + b"\n"
        if len(held) > RECORD_BYTES:
            break
    if held:
        yield held


def cells(line: int, record: bytes) -> list[str]:
    """Read a record; a blank line has no cells.

    Raises:
        Wrong: it is too long, not UTF-8, or its quotes are not RFC 4180's.

    """
    if len(record) > RECORD_BYTES:
        raise Wrong((None, "too_long", f"A row has at most {RECORD_BYTES} bytes, or a quote is not closed"), fatal=True)
    try:
        text = record.decode("utf-8-sig" if line == 1 else "utf-8")
        return next(csv.reader([text.replace("\r\n", "\n")], strict=True))
    except UnicodeDecodeError:
        raise Wrong((None, "unicode", "Input should be UTF-8")) from None
    except csv.Error:
        raise Wrong((None, "csv", QUOTING)) from None
