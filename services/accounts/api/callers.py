"""The caller of a request: a person with a session, or a program with an access key or a service account's token."""

import uuid
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Self

from fastapi import Request

from accounts.api.scopes import require_scope
from accounts.db.session import CallerLevel, LastProof, RequestContext, Session
from accounts.domain.access_keys.secret import KeyKind, is_key
from accounts.domain.access_keys.store import AccessKeyStore
from accounts.domain.sessions.access_tokens import Claims
from accounts.domain.sessions.sessions import SessionManager
from accounts.models import AccessKey, Scope, SessionKind, User, UserSession

PERSON = frozenset([Scope.ACCOUNT])
Credential = UserSession | AccessKey


@dataclass(frozen=True, slots=True)
class CallerSummary:
    """What every page may show of the signed-in user, also after a rollback."""

    id: uuid.UUID
    is_superuser: bool
    language: str | None  # the user's own

    @classmethod
    def of(cls, user: User) -> Self:
        """Return the summary of a user."""
        return cls(user.id, user.is_superuser, user.language)


async def find_by_bearer(request: Request, sessions: SessionManager, token: str) -> tuple[User, Credential] | None:
    """Get the user, and the live session of an access token or the access key, in one statement."""
    if is_key(token):
        return await AccessKeyStore(sessions.db).find(token, KeyKind.PERSONAL)
    claims = request.state.keys.verify(token)
    return await sessions.by_claims(claims) if claims else None


def admit(request: Request, db: Session, user: User, credential: Credential) -> None:
    """Set the user as the caller of the request and its transaction, if the credential suffices for the route.

    ``request.state.viewer`` says who it is, and ``current_session`` is the session of a person, or None for programs.

    Raises:
        NotWithAKey: no program may call the route.
        InsufficientScope: the scope that the route requires is missing.

    """
    person = credential if isinstance(credential, UserSession) and credential.kind != SessionKind.SERVICE else None
    scopes = PERSON if person else frozenset(credential.scopes)
    state = request.state
    state.current_session, state.scopes = person, scopes
    # For pages and the access log: after a rollback, the expired objects cannot be read.
    state.viewer = CallerSummary.of(user)
    state.claims = Claims(user.id, credential.id, scopes)
    key_id = credential.id if isinstance(credential, AccessKey) else None
    level = CallerLevel(credential.aal, state.settings.superuser_aal)
    proof = LastProof(person.authenticated_at, timedelta(seconds=state.settings.recent_seconds)) if person else None
    context = db.context or RequestContext()
    languages = user.language or context.accept_language
    context = replace(context, actor_id=user.id, key_id=key_id, accept_language=languages)
    db.context = replace(context, caller_level=level, last_proof=proof)
    require_scope(request, scopes)
