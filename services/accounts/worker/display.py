"""Formats values for letters: dates in words, roles by name, and user text without links or line breaks."""

import re
from datetime import datetime
from ipaddress import ip_address

from accounts.translations import N_, Language

LINE_LENGTH = 200
NOTE_LENGTH = 2000
ROLES = {"owner": N_("Owner"), "admin": N_("Admin"), "member": N_("Member")}
# Control characters, line separators, bidirectional controls and lone surrogates.
_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
_URL = re.compile(r"""https?://[^\s<>"'\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+""")
# Mail programs link bare domains too, so dropping the scheme is not enough. An invisible zero-width space after these
# characters ends what they take for an address, also where Unicode has other dots (RFC 3490, 3.1).
_LINKING = re.compile(r"([.:/@\u3002\uff0e\uff61\uff1a\uff0f\uff20])(?=\S)")
_BREAK = "\\1\u200b"


def display(name: str, value: object, language: Language) -> object:
    """Return a value as a letter shows it. The format depends on the value's type and name.

    Raises:
        ValueError: an instant has no time zone, or a link is not HTTP.

    """
    if isinstance(value, datetime):
        return language.date_time(value)
    if not isinstance(value, str):
        return value
    if name in {"role", "was"}:
        return language.gettext(ROLES[value])
    return _link(value) if name.endswith("url") else _text(name, value)


def one_line(text: str) -> str:
    """Return text as one line of at most 200 characters, without control characters."""
    line = " ".join(_CONTROLS.sub(" ", text).split())
    return line if len(line) <= LINE_LENGTH else line[: LINE_LENGTH - 1] + "…"


def break_links(text: str) -> str:
    """Insert zero-width spaces where a mail program would detect a link."""
    return _LINKING.sub(_BREAK, text)


def _text(name: str, value: str) -> str:
    if name == "note":
        return "\n".join(break_links(one_line(line)) for line in value[:NOTE_LENGTH].strip().splitlines())
    if name == "service" or (name == "address" and _is_ip(value)):
        return one_line(value)
    return break_links(one_line(value))


def _link(value: str) -> str:
    if not _URL.fullmatch(value):
        raise ValueError("a link that is not HTTP")
    return value


def _is_ip(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return False
    return True
