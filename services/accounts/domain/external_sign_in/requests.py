"""Users who were sent to a provider. Each is expected back once, within ten minutes, in the same browser.

The browser keeps a secret in a cookie. The nonce and the verifier of PKCE derive from it and from the state, so neither
the database nor the address bar shows what completes a sign-in, and no one can complete it in another browser (login
CSRF, RFC 9700, 4.7).
"""

import hashlib
import hmac
import re
import uuid
from base64 import urlsafe_b64encode
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, insert
from sqlmodel import col, func

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.external_providers.provider import AuthorizationRequest
from accounts.domain.opaque_tokens import create_token, hash_token
from accounts.models import AuthorizationPurpose, PendingAuthorization, Scope, SessionKind

LIFETIME = timedelta(minutes=10)
MAX_AGE = 60  # seconds since the sign-in at the provider that proves the user's presence
SECRET = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Continuation:
    """What the user is sent away for, and what follows. It is stored: the caller who comes back chooses nothing."""

    kind: SessionKind
    return_to: str
    purpose: AuthorizationPurpose = AuthorizationPurpose.SIGN_IN
    scopes: tuple[Scope, ...] = (Scope.ACCOUNT,)
    invitation_hash: bytes | None = None
    session_id: uuid.UUID | None = None


def browser_secret(known: str | None) -> str:
    """Return the secret of a browser: the one that its cookie has, since several tabs may sign in, or a new one."""
    return known if known and SECRET.fullmatch(known) else create_token()


def create(browser: str, purpose: AuthorizationPurpose) -> AuthorizationRequest:
    """Create the secrets of a sign-in."""
    return restore(browser, create_token(), purpose)


def restore(browser: str, state: str, purpose: AuthorizationPurpose) -> AuthorizationRequest:
    """Return the secrets of a sign-in that a browser comes back with."""
    max_age = MAX_AGE if purpose is AuthorizationPurpose.REAUTHENTICATE else None
    return AuthorizationRequest(state, _derive(browser, "nonce", state), _derive(browser, "verifier", state), max_age)


async def store(db: Session, provider: str, state: str, browser: str, continuation: Continuation) -> None:
    """Store that a browser was sent to a provider."""
    values = {
        "state_hash": hash_token(state),
        "browser_hash": hash_token(browser),
        "provider": provider,
        "purpose": continuation.purpose,
        "kind": continuation.kind,
        "scopes": [*continuation.scopes],
        "return_to": continuation.return_to,
        "invitation_hash": continuation.invitation_hash,
        "session_id": continuation.session_id,
    }
    await db.exec(insert(PendingAuthorization).values(**values, expires_at=func.now() + LIFETIME))


async def consume(db: Session, provider: str, state: str, browser: str) -> Continuation:
    """Delete what was stored, and return it. Of concurrent callers, all but one are refused.

    Raises:
        OAuthInvalidState: there is no such sign-in at the provider in this browser, or it has expired.

    """
    row = PendingAuthorization
    consumed = delete(row).where(
        col(row.state_hash) == hash_token(state),
        col(row.browser_hash) == hash_token(browser),
        col(row.provider) == provider,
        col(row.expires_at) > func.now(),
    )
    columns = (row.kind, row.return_to, row.purpose, row.scopes, row.invitation_hash, row.session_id)
    found = (await db.exec(consumed.returning(*map(col, columns)))).one_or_none()
    if found is None:
        raise errors.OAuthInvalidState
    kind, return_to, purpose, scopes, invitation_hash, session_id = found
    return Continuation(kind, return_to, purpose, tuple(map(Scope, scopes)), invitation_hash, session_id)


def _derive(browser: str, name: str, state: str) -> str:
    digest = hmac.digest(browser.encode(), f"{name} {state}".encode(), hashlib.sha256)
    return urlsafe_b64encode(digest).rstrip(b"=").decode()
