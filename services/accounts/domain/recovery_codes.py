"""Recovery codes: each replaces another second factor once, when that is lost (NIST SP 800-63B, look-up secrets).

A code has 80 random bits, so that a plain hash suffices: they cannot all be tried. Users have them only beside another
factor, and get the first ones with it.
"""

import hashlib
import secrets

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain import errors
from accounts.domain.audit.log import Action
from accounts.domain.identity.second_factors import refresh_factors
from accounts.domain.identity.security_notices import report_change
from accounts.models import Method, User
from accounts.settings import Settings

CODES, CHARACTERS, GROUP = 10, 16, 4
# Crockford's base 32: without I, L, O and U. What people may read instead of another character is read as that one.
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
READ_AS = str.maketrans({"O": "0", "I": "1", "L": "1", "-": None, " ": None})

REPLACE = CompiledStatement("""
    WITH deleted AS (DELETE FROM recovery_code WHERE user_id = :user_id)
    INSERT INTO recovery_code (user_id, code_hash) SELECT :user_id, unnest(CAST(:hashes AS bytea[]))
""")
USE = CompiledStatement(
    "DELETE FROM recovery_code WHERE user_id = :user_id AND code_hash = :code_hash RETURNING user_id"
)
COUNT = CompiledStatement("SELECT count(*) FROM recovery_code WHERE user_id = :user_id")


async def create_recovery_codes(db: Session, user: User) -> list[str]:
    """Create ten codes for a locked user, in place of all others. They are returned here and never again."""
    codes = [_create() for _ in range(CODES)]
    await REPLACE.run(db, user_id=user.id, hashes=[_hash(code) for code in codes])
    await refresh_factors(db, user)
    return codes


async def create_missing_codes(db: Session, user: User) -> list[str]:
    """Create codes after a locked user got another second factor; return none if there are some already."""
    [(left,)] = await COUNT.run(db, user_id=user.id)
    if not left:
        return await create_recovery_codes(db, user)
    await refresh_factors(db, user)
    return []


async def use_recovery_code(db: Session, _: Settings, user: User, code: str) -> tuple[Method, ...]:
    """Verify a code of a locked user and delete it. The use is recorded, and reported by mail.

    Raises:
        BadSecondFactor: the code is wrong, or was used before.

    """
    if not await USE.run(db, user_id=user.id, code_hash=_hash(code)):
        raise errors.BadSecondFactor
    await refresh_factors(db, user)
    await report_change(db, user, Action.RECOVERY_CODE_USED)
    return (Method.RECOVERY_CODE,)


def _create() -> str:
    characters = "".join(secrets.choice(ALPHABET) for _ in range(CHARACTERS))
    return "-".join(characters[start : start + GROUP] for start in range(0, CHARACTERS, GROUP))


def _hash(code: str) -> bytes:
    return hashlib.sha256(code.upper().translate(READ_AS).encode()).digest()
