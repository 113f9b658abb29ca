"""The records of a CSV file: the columns that the first one names, and the rows of the others."""

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from accounts.models.identity import is_service_email
from accounts.schemas.member_files import COLUMNS, ImportRow

NAME_LENGTH = 50
NO_COLUMN = "A cell is in a column without a name. Cells that contain the delimiter have to be quoted"
NO_EMAIL = "The first line must name the columns, separated by commas, semicolons or tabs, including 'email'"
NOT_UNICODE = (
    "The file is not in UTF-8: save it as CSV UTF-8, or name its charset, as in 'text/csv; charset=windows-1252'"
)
SAME_NAME = "Two columns have this name"
MESSAGES = {"string_pattern_mismatch": "Input should have no control characters"}


class Fault(Exception):  # noqa: N818  # of the file, not of the program
    """Faults of one record: column or None, type and message of each. Reading stops after a ``fatal`` one."""

    def __init__(self, *faults: tuple[str | None, str, str], fatal: bool = False) -> None:
        super().__init__()
        self.faults = faults
        self.fatal = fatal


def is_blank(cells: list[str]) -> bool:
    """Return whether no cell has visible text. Raises Fault if the record is not in the charset of the file."""
    text = "".join(cells)
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Fault((None, "unicode", NOT_UNICODE), fatal=True) from None
    return not text.strip()


def parse_columns(cells: list[str]) -> dict[int, str]:
    """Return the names of the columns that have one, by position. Raises Fault."""
    names = {position: name for position, cell in enumerate(cells) if (name := cell.strip().lower())}
    given = list(names.values())
    if "email" not in given:
        # The cells are not repeated: without a line of names, they are personal data.
        raise Fault(("email", "missing", NO_EMAIL))
    known = ", ".join(COLUMNS)
    faults = [(_printable(name), "unknown_column", f"The columns are {known}") for name in given if name not in COLUMNS]
    faults += [(name, "duplicate", SAME_NAME) for name in COLUMNS if given.count(name) > 1]
    if faults:
        raise Fault(*faults)
    return names


def _printable(name: str) -> str:
    return "".join(filter(str.isprintable, name))[:NAME_LENGTH]


def parse_row(columns: dict[int, str], cells: list[str]) -> ImportRow | None:
    """Validate a row. Return None for one of a service account, which an export may have. Raises Fault."""
    filled = {position: cell for position, cell in enumerate(cells) if cell.strip()}
    if not filled.keys() <= columns.keys():
        raise Fault((None, "too_many_columns", NO_COLUMN))
    values = {"email": ""} | {columns[position]: cell for position, cell in filled.items()}
    if is_service_email(values["email"].strip()):
        return None
    try:
        return ImportRow.model_validate(values)
    except ValidationError as error:
        details = error.errors(include_input=False, include_url=False)
        raise Fault(*map(_describe, details)) from None


def _describe(error: ErrorDetails) -> tuple[str, str, str]:
    kind = error["type"]
    return str(error["loc"][0]), kind, MESSAGES.get(kind, error["msg"])
