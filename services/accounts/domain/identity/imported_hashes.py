"""Which password hashes an import may store: those that can be verified, at no more than the highest costs."""

import re

from accounts.domain.identity.foreign_hashes import read_foreign_hash
from accounts.domain.identity.password_hashing import UNUSABLE, has_acceptable_cost

_B64 = "[A-Za-z0-9+/]"
COMPLETE = re.compile(
    rf"\$argon2(?:id|i|d)\$(?:v=(?:16|19)\$)?m=\d+,t=[1-9]\d*,p=[1-9]\d*\${_B64}{{11,86}}\${_B64}{{22,86}}"
    r"|\$2[aby]\$(?:0[4-9]|[12]\d|3[01])\$[A-Za-z0-9./]{53}"
)
FAST = re.compile(
    r"(?i)(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{128}|(?:unsalted_)?(?:md5|sha1)\$.*|\{s?sha\}.*)"
)
DJANGO_PREFIX = re.compile(r"argon2(?=\$argon2)|bcrypt\$(?=\$2)")
RESET = "Leave hashed_password out, so that the user resets the password"


class UnusableHash(Exception):  # noqa: N818  # of the file, not of the program
    """A hash cannot be imported. ``type`` is for programs, ``message`` for people; neither has the hash."""

    def __init__(self, type: str, message: str) -> None:
        super().__init__(message)
        self.type = type
        self.message = message


def to_stored_hash(hashed: str | None) -> str:
    """Return what is stored for a hash in a file; for none, what no password matches.

    Raises:
        UnusableHash: it is of an unknown kind, malformed, too fast to compute, or too expensive.

    """
    if not hashed or hashed.startswith(UNUSABLE):  # Django's mark of an unusable password
        return UNUSABLE
    stored = DJANGO_PREFIX.sub("", hashed, count=1)
    if FAST.fullmatch(stored):
        raise UnusableHash("hash_too_fast", f"MD5 and plain SHA hashes are guessed too easily. {RESET}")
    if not (COMPLETE.fullmatch(stored) or read_foreign_hash(stored)):
        raise UnusableHash("hash_unknown", f"This is not a hash that can be verified. {RESET}")
    if not has_acceptable_cost(stored):
        raise UnusableHash("hash_too_expensive", f"Verifying this hash takes too much time or memory. {RESET}")
    return stored
