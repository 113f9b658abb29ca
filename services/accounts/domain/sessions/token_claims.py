"""The claims of an access token that say how its user signed in, and on request of which groups they are a member."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from accounts.db.statements import CompiledStatement, Database
from accounts.domain.sessions.assurance import Assurance, acr, stored_assurance
from accounts.models import Scope

MAX_GROUPS = 50  # a token is sent with every request, and servers limit the length of headers
# Without the groups that require a higher level: there the user has no rights in this session.
SELECT_ROLES = CompiledStatement("""
    SELECT group_id, role FROM membership JOIN user_group ON user_group.id = group_id
    WHERE user_id = :user_id AND required_aal <= :level ORDER BY group_id LIMIT :beyond
""")


@dataclass(frozen=True, slots=True)
class IssuedSession:
    """What an access token says of a session."""

    id: uuid.UUID
    user_id: uuid.UUID
    scopes: Sequence[str]
    aal: int
    methods: Sequence[str]
    authenticated_at: datetime


FIELDS = tuple(IssuedSession.__dataclass_fields__)


async def sign_in_claims(db: Database, session: IssuedSession) -> dict[str, Any]:
    """Return the claims of a person's session: when and how they signed in (RFC 9068, 2.2.1), and their groups.

    The groups are read if the session has the scope for them. With too many of them, the token says so instead.
    """
    scopes = session.scopes or [Scope.ACCOUNT]  # sessions of earlier releases have none
    claims = {
        "scopes": scopes,
        **authentication_claims(stored_assurance(session.aal, session.methods), session.authenticated_at),
    }
    return claims | await _groups(db, session) if Scope.GROUPS in scopes else claims


def authentication_claims(assurance: Assurance, authenticated_at: datetime) -> dict[str, Any]:
    """Return how, and the last time when, the user of a person's session was authenticated."""
    return {
        "auth_time": int(authenticated_at.timestamp()),
        "acr": acr(assurance.level),
        "amr": assurance.methods,
    }


async def _groups(db: Database, session: IssuedSession) -> dict[str, Any]:
    rows = await SELECT_ROLES.rows(db, user_id=session.user_id, level=session.aal, beyond=MAX_GROUPS + 1)
    roles = {str(group_id): role for group_id, role in rows}
    return {"groups": roles} if len(roles) <= MAX_GROUPS else {"groups_overage": True}
