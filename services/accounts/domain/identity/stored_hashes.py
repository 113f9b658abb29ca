"""Which password hashes may be stored and verified: those that take no more than the highest costs."""

import re
from functools import lru_cache

from accounts.domain.identity.foreign_hashes import BCRYPT, BCRYPT_ROUNDS, read_foreign_hash

UNUSABLE = "!"  # stored in place of a hash, it verifies no password
# The highest costs of a stored hash, or a row that was imported or tampered with could exhaust memory or time. Argon2:
# the memory in KiB and the lanes of Django's defaults, and the work (memory times passes) of FastAPI Users' ones.
ARGON2 = re.compile(r"\$argon2(?:id|i|d)\$(?:v=\d+\$)?m=(\d{1,9}),t=(\d{1,9}),p=(\d{1,9})\$", re.ASCII)
ARGON2_MEMORY, ARGON2_LANES, ARGON2_WORK = 100 * 1024, 8, 4 * 64 * 1024
BCRYPT_COST_LENGTH = len("$2b$12$")
BCRYPT_COST = re.compile(r"\$2[abxy]\$(\d\d)\$", re.ASCII)
_B64 = "[A-Za-z0-9+/]"
# With the part that states the costs of Argon2.
COMPLETE = re.compile(
    rf"(\$argon2(?:id|i|d)\$(?:v=(?:16|19)\$)?m=[1-9]\d*,t=[1-9]\d*,p=[1-9]\d*\$){_B64}{{11,86}}\${_B64}{{22,86}}"
    rf"|{BCRYPT}",
    re.ASCII,
)
FAST = re.compile(
    r"(?i)(?:[0-9a-f]{32}|[0-9a-f]{40}|[0-9a-f]{64}|[0-9a-f]{128}|(?:unsalted_)?(?:md5|sha1)\$.*|\{s?sha\}.*)"
)
DJANGO_PREFIX = re.compile(r"^(?:argon2(?=\$argon2)|bcrypt\$(?=\$2))")
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
    stored = DJANGO_PREFIX.sub("", hashed) if hashed[0] != "$" else hashed
    if complete := COMPLETE.fullmatch(stored):
        affordable = _is_affordable(complete[1] or stored[:BCRYPT_COST_LENGTH])
    elif FAST.fullmatch(stored):
        raise UnusableHash("hash_too_fast", f"MD5 and plain SHA hashes are guessed too easily. {RESET}")
    elif foreign := read_foreign_hash(stored):
        affordable = foreign.affordable
    else:
        raise UnusableHash("hash_unknown", f"This is not a hash that can be verified. {RESET}")
    if not affordable:
        raise UnusableHash("hash_too_expensive", f"Verifying this hash takes too much time or memory. {RESET}")
    return stored


def has_acceptable_cost(hashed: str) -> bool:
    """Return whether a hash can be read, and verifying it takes no more than the highest costs."""
    if argon2 := ARGON2.match(hashed):
        memory, passes, lanes = map(int, argon2.groups())
        return memory <= ARGON2_MEMORY and lanes <= ARGON2_LANES and memory * passes <= ARGON2_WORK
    if bcrypt := BCRYPT_COST.match(hashed):
        return int(bcrypt[1]) <= BCRYPT_ROUNDS
    foreign = read_foreign_hash(hashed)
    return foreign is not None and foreign.affordable


_is_affordable = lru_cache(maxsize=32)(
    has_acceptable_cost
)  # of the part that states the costs, which many hashes share
