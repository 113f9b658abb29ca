"""Protection of spreadsheets against formulas in CSV files (OWASP ASVS 5.0, 1.2.10; OWASP: CSV Injection)."""

import re

# What begins a formula; the last four do in East Asian spreadsheets. Apostrophes before it count too, so that
# ``unescape_formula`` restores every text exactly.
_FORMULA = re.compile("'*[=+@\t\r\n\uff1d\uff0b\uff0d\uff20-]")


def escape_formula(text: str) -> str:
    """Put an apostrophe before text that a spreadsheet would read as a formula."""
    return f"'{text}" if _FORMULA.match(text) else text


def unescape_formula(text: str) -> str:
    """Remove the apostrophe that ``escape_formula`` added."""
    return text[1:] if text.startswith("'") and _FORMULA.match(text, 1) else text
