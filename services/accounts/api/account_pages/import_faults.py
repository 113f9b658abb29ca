"""What is wrong with an imported file, in words: the API names the types of faults, for programs."""

from collections.abc import Sequence
from typing import NamedTuple

from accounts.api.account_pages.field_messages import FIELD_MESSAGES, INVALID_FIELD
from accounts.domain.invitations.import_file import RECORD_LENGTH, ROWS_MAX
from accounts.domain.invitations.import_rows import SAME_NAME
from accounts.schemas.member_files import COLUMNS, RowError
from accounts.translations import N_, Language

TEXTS = FIELD_MESSAGES | {
    "missing": N_("The first line has to name the columns. One of them is “email”."),
    "unknown_column": N_("This column isn't known. Possible are: %(columns)s."),
    SAME_NAME: N_("Two columns have this name."),
    "duplicate": N_("An earlier line has the same email address."),
    "too_many_columns": N_("A cell is in a column without a name. Put cells with commas or semicolons in quotes."),
    "csv": N_("The quotes don't match. A cell with quotes is written like this: %(quoted)s"),
    "too_long": N_("The line is longer than %(characters)s characters. A closing quote may be missing."),
    "spreadsheet": N_("This is a spreadsheet, not a CSV file. Save it as “CSV UTF-8”, and choose that file."),
    "unicode": N_("The file isn't in UTF-8. Save it as “CSV UTF-8”, or choose the other encoding below."),
    "empty": N_("The file has no rows. It needs a line with the names of the columns, and a line for each person."),
    "too_many_rows": N_("The file has more than %(rows)s rows. Split it."),
    "role": N_("The role has to be “member” or “admin”."),
    "owner": N_("Owners can't be imported. Import an admin, and change the role to owner afterwards."),
}
VALUES = {
    "columns": ", ".join(COLUMNS),
    "quoted": '"a ""b"", c"',
    "characters": RECORD_LENGTH,
    "rows": ROWS_MAX,
}


class Fault(NamedTuple):
    """A fault of a file as people read it. ``column`` is empty if the line as a whole is wrong."""

    line: int
    column: str
    text: str


def describe_faults(language: Language, faults: Sequence[RowError]) -> list[Fault]:
    """Describe the faults of a file. What the file says is not repeated, except for the names of its columns."""
    return [Fault(fault.line, fault.column or "", _text(language, fault)) for fault in faults]


def _text(language: Language, fault: RowError) -> str:
    text = TEXTS.get(fault.msg) or TEXTS.get(fault.type, INVALID_FIELD)
    return language.gettext(text) % VALUES
