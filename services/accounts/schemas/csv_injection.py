"""Cells of CSV files, made safe for spreadsheets: OWASP ASVS 5.0, 1.2.10, and OWASP's page on CSV injection."""

import re

# What spreadsheets calculate rather than show, the last four in East Asian ones. The apostrophes before it are what
# ``guard`` adds, so that ``unguard`` can take one away and give every text back as it was.
_FORMULA = re.compile("'*[=+@\t\r\n\uff1d\uff0b\uff0d\uff20-]")


def escape_formula(text: str) -> str:
    """Put an apostrophe before what would be a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def unescape_formula(text: str) -> str:
    """Take away the apostrophe that ``guard`` put there."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text, 1) else text
