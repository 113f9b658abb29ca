"""Mail headers with a text or a name (RFC 5322, RFC 2047), written in the same way by every version of Python.

``email.policy`` of CPython 3.13.0 to 3.13.5 doubles the blanks of long texts, leaves parts of them unencoded, and takes
the quotes from long names, so that mail servers refuse the mail. A text that is not short and plain is encoded as a
whole here.
"""

from email import policy
from email.header import Header
from email.headerregistry import BaseHeader, HeaderRegistry, UniqueSingleAddressHeader
from email.policy import Policy
from email.utils import quote
from typing import Any, override

LINE_LENGTH = 78  # RFC 5322, 2.1.1; a longer address has a line of its own
ENCODED_LINE_LENGTH = 76  # RFC 2047, 2


class _TextHeader(BaseHeader):
    max_count = 1

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        # That of other headers decodes encoded words, which here are text that a user wrote.
        kwds |= {"decoded": value, "parse_tree": None}

    @override
    def fold(self, *, policy: Policy) -> str:
        line = f"{self.name}: {self}"
        return (line if _is_plain(line) else _encode(self.name, self, policy)) + policy.linesep


class _MailboxHeader(UniqueSingleAddressHeader, BaseHeader):  # type: ignore[misc]  # as the registry combines them
    @override
    def fold(self, *, policy: Policy) -> str:
        name, address = self.address.display_name, self.address.addr_spec
        if not name:
            return f"{self.name}: {address}{policy.linesep}"
        line = f'{self.name}: "{quote(name)}"'
        if not _is_plain(line):
            line = _encode(self.name, name, policy)
        between = " " if _is_plain(f"{line} <{address}>") else f"{policy.linesep} "
        return f"{line}{between}<{address}>{policy.linesep}"


def _is_plain(line: str) -> bool:
    """Return whether a header fits in one line as it is. ``=?`` would begin an encoded word."""
    return line.isascii() and "=?" not in line and len(line) <= LINE_LENGTH


def _encode(name: str, text: str, policy: Policy) -> str:
    """Write a text as encoded words alone, one in each line."""
    header = Header(text, "utf-8", header_name=name, maxlinelen=ENCODED_LINE_LENGTH)
    return f"{name}: {header.encode(linesep=policy.linesep)}"


_REGISTRY = HeaderRegistry()
_REGISTRY.map_to_type("subject", _TextHeader)
for _name in ("from", "to"):
    _REGISTRY.map_to_type(_name, _MailboxHeader)

# For messages that are composed. Any policy writes them: the headers fold themselves.
POLICY = policy.default.clone(header_factory=_REGISTRY)
