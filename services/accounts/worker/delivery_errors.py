"""Why a letter was not taken, without what it says and whom it is for: reasons are stored, and logged."""

import re

REASON_LENGTH = 250
REPLY_LENGTH = 2000  # of which something is worth reading, and quick to search
# An address in whatever form, a link, and what may be a token; replies of servers quote what they dislike.
_PRIVATE = re.compile(r"<[^<>]*>|\S*@\S*|\S*://\S*|[\w+/=-]{24,}")
_HIDDEN = "…"


class DeliveryError(Exception):  # what became of the letter
    """A letter was not taken. ``reason`` is one short line without addresses, tokens and text of the letter."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TemporaryFailure(DeliveryError):  # noqa: N818  # the base class has the suffix
    """It may be taken later: nothing is wrong with the letter."""


class ServerUnavailable(TemporaryFailure):
    """There is no server to talk to, or it does not want to talk to us: that says nothing about the letter."""


class PermanentFailure(DeliveryError):  # noqa: N818  # as above
    """It will never be taken, as it is and where it is to go."""


def redact_reply(reply: str, *private: str) -> str:
    """Make one short line of what a server said, without addresses and links, nor any of the words in ``private``."""
    line = " ".join("".join(each if each.isprintable() else " " for each in reply[:REPLY_LENGTH]).split())
    line = _PRIVATE.sub(_HIDDEN, line)
    for word in filter(None, private):
        line = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", _HIDDEN, line, flags=re.IGNORECASE)
    return line[:REASON_LENGTH]
