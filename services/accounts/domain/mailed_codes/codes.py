"""The codes: eight letters, such as WDJB-MJHT, which people type (RFC 8628, 6.1).

Twenty letters without vowels spell no words, are not mistaken for digits, and need no second keyboard on a phone. A
code has 34 bits. Six digits have 20, too few where one client guesses at the codes of many users, since no rate limit
adds those guesses up.
"""

import hmac
import re
import uuid
from collections.abc import Sequence

LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
LENGTH, GROUP = 8, 4
_OTHERS = re.compile(r"[^A-Z]")


def derive_code(key: str, mail_id: uuid.UUID) -> str:
    """Derive the code of a mail, which cannot be computed without ``key``."""
    number = int.from_bytes(hmac.digest(key.encode(), b"code " + mail_id.bytes, "sha256"))
    letters = ""
    for _ in range(LENGTH):
        number, index = divmod(number, len(LETTERS))
        letters += LETTERS[index]
    return f"{letters[:GROUP]}-{letters[GROUP:]}"


def is_code(keys: Sequence[str], mail_id: uuid.UUID, answer: str) -> bool:
    """Return whether an answer is the code of a mail, in any case and grouping.

    The key may have been rotated since the mail was written, so the code of each key is compared.
    """
    given = _letters(answer)
    matches = [hmac.compare_digest(_letters(derive_code(key, mail_id)), given) for key in keys]
    return any(matches)


def _letters(text: str) -> str:
    return _OTHERS.sub("", text.upper())
