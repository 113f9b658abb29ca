"""A strict reader of the headers of mail (RFC 5322, RFC 2047), written apart from Python's, which forgives much.

It accepts what every mail server accepts, and raises AssertionError otherwise.
"""

import re
from base64 import b64decode
from typing import NamedTuple

# The letters that Q may use in a name (RFC 2047, 5, rule 3) are also valid in a text.
_ENCODED_WORD = re.compile(r"=\?utf-8\?(?:(b)\?([A-Za-z0-9+/]+={0,2})|q\?([A-Za-z0-9!*+/=_-]+))\?=")
_QUOTED_STRING = re.compile(r'"((?:[ !#-\[\]-~]|\\[\x20-\x7e])*)"')
_MAILBOX = re.compile(r"(?:(.+?)\n? )?(<)?([^\s<>]+@[^\s<>]+)(?(2)>)", re.DOTALL)
_OCTET = re.compile(r"=([0-9A-F]{2})")


class Mailbox(NamedTuple):
    """The name and the email address of a From or To."""

    name: str
    email: str


def read_headers(message: bytes) -> dict[str, str]:
    """Return the headers of a message by name, folded with ``\\n``."""
    block = message.partition(b"\r\n\r\n")[0].decode("utf-8")
    assert "\n" not in block.replace("\r\n", "")
    for line in block.split("\r\n"):
        assert line.rstrip(" \t") == line, f"a line ends with a blank: {line!r}"
        assert not re.match(r"[ \t]{2}|\t", line), f"not folded with one space: {line!r}"
        assert len(line) <= 78 or re.fullmatch(r"[\w-]*:? <?\S+>?", line), f"too long: {line!r}"
        assert len(line) <= 998
    headers = re.findall(r"^([\w-]+): (.+(?:\n .+)*)$", block.replace("\r\n", "\n"), re.MULTILINE)
    assert "\n".join(f"{name}: {value}" for name, value in headers) == block.replace("\r\n", "\n")
    assert len({name.lower() for name, _ in headers}) == len(headers)
    return dict(headers)


def read_text(value: str) -> str:
    """Decode a header with a text: all of it is encoded, or nothing."""
    assert value.isascii()
    if "=?" in value:
        return _decode(value)
    assert "\n" not in value
    return value


def read_mailbox(value: str) -> Mailbox:
    """Parse a header with one mailbox."""
    match = _MAILBOX.fullmatch(value)
    assert match, value
    phrase, _, email = match.groups(default="")
    assert phrase.isascii()
    if "=?" in phrase:
        return Mailbox(_decode(phrase), email)
    quoted = _QUOTED_STRING.fullmatch(phrase)
    assert quoted or not phrase, phrase
    return Mailbox(re.sub(r"\\(.)", r"\1", quoted[1]) if quoted else "", email)


def _decode(value: str) -> str:
    """Decode encoded words, each of which is in a line of its own and has whole characters."""
    return "".join(_decode_word(word) for word in value.split("\n "))


def _decode_word(word: str) -> str:
    match = _ENCODED_WORD.fullmatch(word)
    assert match, f"not an encoded word: {word!r}"
    assert len(word) <= 75, word
    _, base64, q = match.groups()
    if base64:
        return b64decode(base64, validate=True).decode()
    assert "=" not in _OCTET.sub("", q), word
    octets = _OCTET.sub(lambda octet: chr(int(octet[1], 16)), q.replace("_", " "))
    return octets.encode("latin-1").decode()
