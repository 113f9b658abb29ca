"""The claims of an access token that say how its user signed in, and on request of which groups they are a member."""

from typing import Any

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain.sessions.assurance import assurance_of
from accounts.models import Scope, UserSession

MAX_GROUPS = 50  # a token is sent with every request, and servers limit the length of headers
SELECT_ROLES = CompiledStatement(
    "SELECT group_id, role FROM membership WHERE user_id = :user_id ORDER BY group_id LIMIT :beyond"
)


async def sign_in_claims(db: Session, session: UserSession) -> dict[str, Any]:
    """Return the claims of a person's session: when and how they signed in (RFC 9068, 2.2.1), and their groups.

    The groups are read if the session has the scope for them. With too many of them, the token says so instead.
    """
    assurance = assurance_of(session)
    scopes = session.scopes or [Scope.ACCOUNT]  # sessions of earlier releases have none
    claims = {
        "scopes": scopes,
        "auth_time": int(session.authenticated_at.timestamp()),
        "acr": f"aal{assurance.level}",
        "amr": assurance.methods,
    }
    return claims | await _groups(db, session) if Scope.GROUPS in scopes else claims


async def _groups(db: Session, session: UserSession) -> dict[str, Any]:
    rows = await SELECT_ROLES.run(db, user_id=session.user_id, beyond=MAX_GROUPS + 1)
    roles = {str(group_id): role for group_id, role in rows}
    return {"groups": roles} if len(roles) <= MAX_GROUPS else {"groups_overage": True}
