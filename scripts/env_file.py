"""The format of ``.env``: as Docker Compose reads it, so that a file means the same on both engines.

Refused is what Compose would read in a way that few expect: a variable that is not set counts as empty there, and a
line without ``=`` takes its value from the shell. Needs only Python 3.9.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

# Compose trims these before a value, and after it all of Unicode's, of which \x1c to \x1f are none, unlike in Python.
BEFORE_VALUE = r"[ \t\v\f\r\x85\xa0]*"
TRAILING = re.compile(r"[^\S\x1c-\x1f]+\Z")
BETWEEN = re.compile(r"(?:[^\S\x1c-\x1f]|#[^\n]*)*")  # blank lines and comments
NAME = re.compile(r"(?:export[ \t]+)?([A-Z_]\w*)[ \t]*=" + BEFORE_VALUE, re.ASCII | re.IGNORECASE)
SINGLE = re.compile(r"'((?:\\.|[^'\\])*)'", re.DOTALL)
DOUBLE = re.compile(r'"((?:\\.|[^"\\])*)"', re.DOTALL)
PLAIN = re.compile(r"[^\n]*")
AFTER_QUOTE = re.compile(r"[ \t\r]*(?:#[^\n]*)?(?=\n|\Z)")
ESCAPE = re.compile(r"\\(.)", re.DOTALL)
ESCAPES = {
    "$": "$$", '"': '"', "\\": "\\", "n": "\n", "r": "\r", "t": "\t", "a": "\a", "b": "\b", "f": "\f", "v": "\v",
}  # fmt: skip
REFERENCE = re.compile(
    r"\$(?:(?P<dollar>\$)|(?P<name>[A-Z_]\w*)|\{(?P<braced>[A-Z_]\w*)(?:(?P<operator>:?-)(?P<default>[^{}$]*))?\}|\{)",
    re.ASCII | re.IGNORECASE,
)
UNQUOTED = re.compile(r"[\w./:@,+-]+", re.ASCII)


class EnvFileError(ValueError):
    """The file has a line that Compose does not read, or reads in a way that few expect."""


class Assignment(NamedTuple):
    """A variable, its value, and the position of the value's text, with its quotes."""

    name: str
    value: str
    start: int
    end: int


def assignments(text: str, variables: Mapping[str, str]) -> Iterator[Assignment]:
    """Yield the assignments of a file. References are looked up in ``variables``, then among those before.

    Raises:
        EnvFileError: the message names the line, and not its value.

    """
    known: dict[str, str] = {}
    position = _end(BETWEEN, text, 0)
    while position < len(text):
        line = text.count("\n", 0, position) + 1
        name = NAME.match(text, position)
        if name is None:
            raise EnvFileError(f"line {line} is not NAME=value")
        try:
            value, end = _value(text, name.end(), {**known, **variables})
        except EnvFileError as error:
            raise EnvFileError(f"line {line}: {error}") from None
        known[name[1]] = value
        yield Assignment(name[1], value, name.end(), end)
        position = _end(BETWEEN, text, end)


def parse(text: str, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a file. See ``assignments``."""
    return {each.name: each.value for each in assignments(text, variables)}


def quote(value: str) -> str:
    """Return ``value`` as it is written into a file, in quotes if it needs them."""
    if UNQUOTED.fullmatch(value):
        return value
    return '"' + re.sub(r'[\\"$]', lambda found: "\\" + found[0], value) + '"'


def _value(text: str, start: int, variables: Mapping[str, str]) -> tuple[str, int]:
    """Return the value whose text begins at ``start``, and where the text ends."""
    if text[start : start + 1] not in {"'", '"'}:
        end = _end(PLAIN, text, start)
        return _substitute(TRAILING.sub("", text[start:end].partition(" #")[0]), variables), end
    pattern = SINGLE if text[start] == "'" else DOUBLE
    quoted = pattern.match(text, start)
    if quoted is None:
        raise EnvFileError("the closing quote is missing")
    if not AFTER_QUOTE.match(text, quoted.end()):
        raise EnvFileError("there is text after the closing quote")
    if pattern is SINGLE:
        return quoted[1].replace("\\'", "'"), quoted.end()
    return _substitute(ESCAPE.sub(_unescape, quoted[1]), variables), quoted.end()


def _unescape(found: re.Match[str]) -> str:
    if found[1] == "0":
        raise EnvFileError(r"\0 is not read the same everywhere; write \\0 for a backslash and a zero")
    return ESCAPES.get(found[1], found[0])


def _substitute(value: str, variables: Mapping[str, str]) -> str:
    def replace(found: re.Match[str]) -> str:
        if found["dollar"]:
            return "$"
        name = found["name"] or found["braced"]
        if name is None:
            raise EnvFileError(
                "after ${ only NAME}, NAME:-default} or NAME-default} is read; write $$ for a dollar sign"
            )
        set_to = variables.get(name)
        if found["operator"] and (set_to is None or (found["operator"] == ":-" and not set_to)):
            return found["default"]
        if set_to is None:
            raise EnvFileError(f"${name} is not set; write $$ for a dollar sign, or the value in single quotes")
        return set_to

    return REFERENCE.sub(replace, value)


def _end(pattern: re.Pattern[str], text: str, position: int) -> int:
    found = pattern.match(text, position)
    return found.end() if found else position
