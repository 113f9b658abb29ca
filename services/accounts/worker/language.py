"""One language's sentences, and how it writes facts: dates in words, and other people's text without harm."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from ipaddress import ip_address
from typing import Any

import accounts
from accounts.domain.mail import languages

LINE_LENGTH = 200
NOTE_LENGTH = 2000
# Controls, lone surrogates, and what ends a line or turns the direction of the text after it.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
_URL = re.compile(r"""https?://[^\s<>"'\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+""")
# Mail programs make links of bare names as well, so that to drop the scheme would not do. A zero-width space behind
# these ends what they take for an address, also where Unicode has other dots (RFC 3490, 3.1); people see no difference.
_LINKING = re.compile(r"([.:/@\u3002\uff0e\uff61\uff1a\uff0f\uff20])(?=\S)")
_BREAK = "\\1\u200b"


@dataclass(frozen=True)
class Language:
    """What the file of a language has: its tag (RFC 5646), and tables of sentences with named placeholders."""

    tag: str
    tables: Mapping[str, Mapping[str, Any]]

    def sentences(self, kind: str) -> dict[str, str]:
        """Give what every letter says, and what those of one kind say."""
        return {**self.tables["letter"], **self.tables[kind]}

    def show(self, name: str, value: object) -> object:
        """Write a fact for people: instants in words and in UTC, roles by their name, text without harm.

        Raises:
            ValueError: an instant without a zone, or something that should be a link and is not one of HTTP.

        """
        if isinstance(value, datetime):
            return self._instant(value)
        if not isinstance(value, str):
            return value
        if name in {"role", "was"}:
            return self.tables["roles"][value]
        return _link(value) if name.endswith("url") else _text(name, value)

    def _instant(self, at: datetime) -> str:
        if at.tzinfo is None:
            raise ValueError("an instant without a time zone")
        at, words = at.astimezone(UTC), self.tables["instants"]
        pattern: str = words["pattern"]
        weekday, month = words["weekdays"][at.weekday()], words["months"][at.month - 1]
        return pattern.format(weekday=weekday, day=at.day, month=month, year=at.year, time=f"{at:%H:%M}")


@cache
def language(tag: str) -> Language:
    """Read the language that there is for a tag; English, if there is none."""
    tag = languages.best_language(tag)
    text = (resources.files(accounts) / "worker" / "languages" / f"{tag}.toml").read_text("utf-8")
    return Language(tag, tomllib.loads(text))


def one_line(text: str) -> str:
    """Make one line, of at most 200 characters, of whatever somebody wrote."""
    line = " ".join(_CONTROLS.sub(" ", text).split())
    return line if len(line) <= LINE_LENGTH else line[: LINE_LENGTH - 1] + "…"


def harmless(text: str) -> str:
    """Break what a mail program would make a link of, invisibly."""
    return _LINKING.sub(_BREAK, text)


def _text(name: str, value: str) -> str:
    if name == "note":
        return "\n".join(harmless(one_line(line)) for line in value[:NOTE_LENGTH].strip().splitlines())
    if name == "service" or (name == "address" and _is_ip(value)):
        return one_line(value)
    return harmless(one_line(value))


def _link(value: str) -> str:
    if not _URL.fullmatch(value):
        raise ValueError("a link that is none of HTTP")
    return value


def _is_ip(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return True
