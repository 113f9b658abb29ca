"""Mail headers (RFC 5322, RFC 2047), written in the same way by every version of Python, and quickly.

``email.policy`` of CPython 3.13.0 to 3.13.5 doubles the blanks of long texts, leaves parts of them unencoded, and takes
the quotes from long names, so that mail servers refuse the mail. A text that is not short and plain is encoded as a
whole here. All other headers are lines of ours, which ``email.policy`` would parse and fold again for each letter.
"""

from email import policy
from email.header import Header
from email.headerregistry import Address, BaseHeader, HeaderRegistry, UniqueSingleAddressHeader
from email.policy import Policy
from email.utils import quote
from functools import cache
from typing import Any, ClassVar, Literal, override

LINE_LENGTH = 78  # RFC 5322, 2.1.1; a longer address has a line of its own
ENCODED_LINE_LENGTH = 76  # RFC 2047, 2


class _LineHeader(BaseHeader):
    max_count: ClassVar[Literal[1]] = 1

    @classmethod
    def parse(cls, value: str, kwds: dict[str, Any]) -> None:
        # That of other headers decodes encoded words, which here are text that a user wrote.
        kwds |= {"decoded": value, "parse_tree": None}

    @override
    def fold(self, *, policy: Policy) -> str:
        return f"{self.name}: {self}{policy.linesep}"


class _TextHeader(_LineHeader):
    @override
    def fold(self, *, policy: Policy) -> str:
        line = f"{self.name}: {self}"
        return (line if _is_plain(line) else _encode(self.name, self, policy)) + policy.linesep


class _MailboxHeader(UniqueSingleAddressHeader, BaseHeader):  # type: ignore[misc]  # as the registry combines them
    @classmethod
    def parse(cls, value: str | Address, kwds: dict[str, Any]) -> None:
        if isinstance(value, Address):
            kwds["parse_tree"] = None  # or the text of the address would be parsed for it
        super().parse(value, kwds)  # type: ignore[arg-type]  # typeshed omits that it may be an Address

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


class _Registry(HeaderRegistry):
    @override
    @cache  # noqa: B019  # there is one registry, which would create a class for each header
    def __getitem__(self, name: str) -> type[BaseHeader]:
        return super().__getitem__(name)


_REGISTRY = _Registry(default_class=_LineHeader, use_default_map=False)  # type: ignore[arg-type]  # typeshed
_REGISTRY.map_to_type("subject", _TextHeader)
for _name in ("from", "to"):
    _REGISTRY.map_to_type(_name, _MailboxHeader)

# For messages that are composed. Any policy writes them: the headers fold themselves.
POLICY = policy.default.clone(header_factory=_REGISTRY)
