"""The text of a CSV file as spreadsheets save it: its charset, its line ends, and what separates its cells."""

import re
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from io import BytesIO, TextIOWrapper

# Charsets by their names in Content-Type. Windows-1252 is never guessed: every file can be read as it, and an address
# that was read wrongly would receive an invitation.
CHARSETS = {"utf-8": "utf-8", "utf8": "utf-8", "us-ascii": "utf-8", "utf-16": "utf-16", "windows-1252": "cp1252"}
_BYTE_ORDER_MARKS = {BOM_UTF8: "utf-8-sig", BOM_UTF16_LE: "utf-16", BOM_UTF16_BE: "utf-16"}
_BLANK = ' \t\n,;"'
_DELIMITER = re.compile("[,;\t]")
_EXCEL_DELIMITER = re.compile('"?sep=([,;\t])"?[,;\t ]*\n?', re.IGNORECASE)

# ZIP archives, as .xlsx and .ods files are, and the container of .xls files.
_SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


def is_spreadsheet(content: bytes) -> bool:
    """Return whether a file is a spreadsheet and no text."""
    return content.startswith(_SPREADSHEETS)


def open_text(content: bytes, charset: str) -> TextIOWrapper:
    """Open a file. It is decoded as it is read, and each line ends with LF, whatever ends it in the file.

    What is not in the charset becomes lone surrogates; the end of a UTF-16 file that is cut off raises
    UnicodeDecodeError.

    Args:
        content: the file. A byte order mark takes precedence over ``charset``.
        charset: a key of ``CHARSETS``.

    """
    marked = (encoding for mark, encoding in _BYTE_ORDER_MARKS.items() if content.startswith(mark))
    encoding = next(marked, CHARSETS[charset])
    return TextIOWrapper(BytesIO(content), encoding, "surrogatepass" if encoding == "utf-16" else "surrogateescape")


def stated_delimiter(line: str) -> str | None:
    """Return the delimiter that Excel's line ``sep=;`` states, if this is such a line."""
    stated = _EXCEL_DELIMITER.fullmatch(line)
    return stated[1] if stated else None


def delimiter_of(header: str) -> str | None:
    """Return the delimiter of a line of column names, whose names contain none; None if the line is blank."""
    if not header.strip(_BLANK):
        return None
    found = _DELIMITER.search(header)
    return found[0] if found else ","
