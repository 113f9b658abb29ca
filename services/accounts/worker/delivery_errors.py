"""Why a mail was not delivered. Reasons are stored and logged, so they contain no addresses, tokens or text."""

import re

REASON_LENGTH = 250
REPLY_LENGTH = 2000  # of a reply; the rest is ignored
# Addresses in any form, links and possible tokens: servers quote the text that they reject.
_PRIVATE = re.compile(r"<[^<>]*>|\S*@\S*|\S*://\S*|[\w+/=-]{24,}")
_HIDDEN = "…"


class DeliveryError(Exception):
    """A mail was not delivered. ``reason`` is one short line without addresses, tokens or text of the mail."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class TemporaryFailure(DeliveryError):  # noqa: N818  # the base class has the suffix
    """The mail may be accepted later: retry it."""


class ServerUnavailable(TemporaryFailure):
    """The mail server cannot be reached or refuses this client, which says nothing about the mail."""


class PermanentFailure(DeliveryError):  # noqa: N818  # as above
    """The mail will never be accepted, because of its content or its recipient: park it."""


def redact_reply(reply: str, *private: str) -> str:
    """Return a server's reply as one short line without addresses, links or any of the ``private`` words."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in reply[:REPLY_LENGTH]).split())
    line = _PRIVATE.sub(_HIDDEN, line)
    for word in filter(None, private):
        line = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", _HIDDEN, line, flags=re.IGNORECASE)
    return line[:REASON_LENGTH]
