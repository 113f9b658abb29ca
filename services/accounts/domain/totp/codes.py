"""The codes of authenticator apps: TOTP (RFC 6238) with SHA-1, six digits and thirty seconds, as all apps support.

A code of the step before or after is accepted as well, and each code once (RFC 6238, 5.2).
"""

import hmac
import logging
import time
import uuid
from datetime import timedelta

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain import errors
from accounts.domain.sealing import CannotUnseal, unseal
from accounts.models import Method, User
from accounts.settings import Settings

PURPOSE = "totp"
DIGITS, PERIOD = 6, 30
UNCONFIRMED_LIFETIME = timedelta(hours=1)
log = logging.getLogger("accounts")

SELECT_SECRET = CompiledStatement(
    "SELECT secret_sealed FROM totp WHERE user_id = :user_id AND confirmed_at IS NOT NULL"
)
USE_STEP = CompiledStatement("""
    UPDATE totp SET last_step = :step, confirmed_at = coalesce(confirmed_at, now())
    WHERE user_id = :user_id AND last_step < :step
    RETURNING user_id
""")


def code_at(secret: bytes, step: int) -> str:
    """Return the code of a time step (RFC 4226, 5.3)."""
    digest = hmac.digest(secret, step.to_bytes(8), "sha1")
    offset = digest[-1] & 0xF
    number = int.from_bytes(digest[offset : offset + 4]) & 0x7FFF_FFFF
    return f"{number % 10**DIGITS:0{DIGITS}}"


def matching_step(secret: bytes, code: str, now: float) -> int | None:
    """Return the step whose code is ``code``: the current one, the one before or the one after."""
    current = int(now) // PERIOD
    # All three are compared, so that the time does not tell which one it is.
    matches = [step for step in range(current - 1, current + 2) if hmac.compare_digest(code_at(secret, step), code)]
    return max(matches, default=None)


async def verify_code(db: Session, settings: Settings, user: User, code: str) -> tuple[Method, ...]:
    """Verify a code of a user's authenticator app, and accept none of its step again.

    Raises:
        BadSecondFactor: the code is wrong or was used before, or the user has no authenticator app.
        FactorUnavailable: the secret cannot be read.

    """
    rows = await SELECT_SECRET.run(db, user_id=user.id)
    if not rows:
        raise errors.BadSecondFactor
    await use_code(db, user.id, open_secret(settings, user.id, rows[0][0]), code)
    return (Method.TOTP,)


async def use_code(db: Session, user_id: uuid.UUID, secret: bytes, code: str) -> None:
    """Store that a code was used, which confirms the authenticator app.

    Raises:
        BadSecondFactor: the code is wrong, or it or a later one was used before, also by a concurrent request.

    """
    step = matching_step(secret, code.replace(" ", ""), time.time())
    if step is None or not await USE_STEP.run(db, user_id=user_id, step=step):
        raise errors.BadSecondFactor


def open_secret(settings: Settings, user_id: uuid.UUID, sealed: bytes) -> bytes:
    """Return the secret that an authenticator app shares with this service.

    Raises:
        FactorUnavailable: it is sealed with a key that SECRET_KEY no longer has.

    """
    try:
        return unseal(settings.secret_keys, PURPOSE, user_id, sealed)
    except CannotUnseal as error:
        log.error("the authenticator app of user %s is sealed with a key that SECRET_KEY no longer has", user_id)  # noqa: TRY400  # no bug
        raise errors.FactorUnavailable from error
