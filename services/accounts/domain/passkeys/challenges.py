"""Challenges: random, stored as hashes, for one kind of ceremony of one user, and used once."""

import hashlib
import secrets
import uuid
from dataclasses import dataclass
from datetime import timedelta

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.models import CeremonyKind, UserSession

LIFETIME = timedelta(minutes=5)
CHALLENGE_BYTES = 32

STORE = CompiledStatement("""
    INSERT INTO webauthn_challenge (challenge_hash, kind, user_id, bound_to, expires_at)
    VALUES (:hash, :kind, :user_id, :bound_to, now() + CAST(:lifetime AS interval))
""")
USE = CompiledStatement("""
    DELETE FROM webauthn_challenge
    WHERE challenge_hash = :hash AND kind = :kind AND user_id IS NOT DISTINCT FROM CAST(:user_id AS uuid)
        AND bound_to = :bound_to AND expires_at > now()
    RETURNING true
""")


@dataclass(frozen=True, slots=True)
class Ceremony:
    """What a challenge is for. ``bound_to`` is a session's id, or the hash of a pending sign-in's token."""

    kind: CeremonyKind
    user_id: uuid.UUID | None = None
    bound_to: bytes = b""

    @classmethod
    def in_session(cls, kind: CeremonyKind, session: UserSession) -> "Ceremony":
        """Create the ceremony of a session's user."""
        return cls(kind, session.user_id, session.id.bytes)


SIGN_IN = Ceremony(CeremonyKind.SIGN_IN)


async def create_challenge(db: Session, ceremony: Ceremony) -> bytes:
    """Store the challenge of a ceremony that begins, and return it."""
    challenge = secrets.token_bytes(CHALLENGE_BYTES)
    await STORE.run(db, **_values(ceremony, challenge), lifetime=LIFETIME)
    return challenge


async def use_challenge(db: Session, ceremony: Ceremony, challenge: bytes) -> bool:
    """Delete a challenge. Return whether it was one of this ceremony, and neither used nor expired."""
    return bool(await USE.run(db, **_values(ceremony, challenge)))


def _values(ceremony: Ceremony, challenge: bytes) -> dict[str, object]:
    return {
        "hash": hashlib.sha256(challenge).digest(),
        "kind": ceremony.kind,
        "user_id": ceremony.user_id,
        "bound_to": ceremony.bound_to,
    }
