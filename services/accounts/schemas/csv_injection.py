"""Protection of spreadsheets against formulas in CSV files (OWASP ASVS 5.0, 1.2.10; OWASP: CSV Injection)."""

import re

# What begins a formula; the last four do in East Asian spreadsheets.
_FORMULA = "[=+@\t\r\n\uff1d\uff0b\uff0d\uff20-]"
# A program that separates cells by semicolons or tabs, or ignores quotes, finds the beginning of a cell after these
# too. Apostrophes before a formula count, so that ``unescape_formula`` restores every text exactly.
_CELL = '(?:^|(?<=[;\t\r\n"]))'
_TO_ESCAPE = re.compile(f"{_CELL}(?='* *{_FORMULA})")
_ESCAPED = re.compile(f"{_CELL}'(?='* *{_FORMULA})")


def escape_formula(text: str) -> str:
    """Put an apostrophe before each part of a text that a spreadsheet would read as a cell with a formula."""
    return _TO_ESCAPE.sub("'", text)


def unescape_formula(text: str) -> str:
    """Remove the apostrophes that ``escape_formula`` added."""
    return _ESCAPED.sub("", text)
