"""Token introspection (RFC 7662): whether an access token is usable now, for services that must see a sign-out at once.

A service learns of the token's user only what the token itself says and, for a group that it names, the user's role.
"""

import uuid
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import BigInteger, Select, SmallInteger, bindparam, select
from sqlmodel import col

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain.access_keys.secret import KeyKind, is_key
from accounts.domain.access_keys.store import AccessKeyStore
from accounts.domain.sessions.access_tokens import AUDIENCE, KeyRing
from accounts.domain.sessions.assurance import acr, stored_assurance
from accounts.domain.sessions.live_sessions import IS_CALLER, IS_SESSION_OF_CALLER
from accounts.domain.sessions.token_claims import authentication_claims
from accounts.models import Membership, Scope, SessionKind, User, UserGroup, UserSession

CLAIMS = ("iss", "aud", "sub", "client_id", "scope", "iat", "exp", "jti", "sid", "auth_time", "acr", "amr")
DEFAULTS = {"client_id": AUDIENCE, "scope": Scope.ACCOUNT, "token_type": "Bearer"}  # also of earlier releases
READS_GROUPS = {Scope.ACCOUNT, Scope.GROUPS, Scope.GROUPS_READ}


def _select_role(level: Any, *others: Any) -> Select[Any]:
    """Select the user's role in a group; none where the group requires a higher assurance level."""
    is_member = col(Membership.group_id) == UserGroup.id, col(Membership.user_id) == col(User.id)
    is_group = col(UserGroup.id) == bindparam("group_id", type_=BigInteger), col(UserGroup.required_aal) <= level
    return select(select(col(Membership.role)).where(*is_member, *is_group).scalar_subquery(), *others)


SELECT_LIVE = CompiledStatement(
    _select_role(
        col(UserSession.aal),
        *(col(UserSession.kind), col(UserSession.aal), col(UserSession.methods), col(UserSession.authenticated_at)),
    ).where(*IS_SESSION_OF_CALLER)
)
SELECT_ROLE = CompiledStatement(_select_role(bindparam("level", type_=SmallInteger)).where(IS_CALLER))


async def introspect(
    db: Session, keys: KeyRing, idle: timedelta, token: str, group_id: int | None = None
) -> dict[str, Any] | None:
    """Return what a token says, and with ``group_id`` the user's role in the group, as ``group_role``.

    The role is None if the user is not a member, if the group requires a higher assurance level than the session has,
    or if the token may not read groups. The level is that of the session now, which may be higher than the token's.

    Args:
        idle: how long a session may stay unused.

    Returns:
        None if the token is not usable: it is unknown or expired, its session has ended, or its user is inactive.

    """
    claims = await _of_key(db, keys, token) if is_key(token) else keys.read(token)
    if claims is None:
        return None
    known = DEFAULTS | {name: claims[name] for name in CLAIMS if name in claims}
    may_read = READS_GROUPS & {*known["scope"].split()}
    values = {"caller_id": uuid.UUID(known["sub"]), "group_id": group_id if may_read else None}
    if "sid" in known:
        rows = await SELECT_LIVE.run(db, **values, session_id=uuid.UUID(known["sid"]), idle=idle)
    else:
        rows = await SELECT_ROLE.run(db, **values, level=claims["level"])
    if not rows:
        return None
    role, *session = rows[0]
    known |= _authentication(*session) if session else {}
    return known if group_id is None else known | {"group_role": role}


def _authentication(kind: str, aal: int, methods: list[str], authenticated_at: datetime) -> dict[str, Any]:
    if kind == SessionKind.SERVICE:
        return {"acr": acr(aal)}
    return authentication_claims(stored_assurance(aal, methods), authenticated_at)


async def _of_key(db: Session, keys: KeyRing, token: str) -> dict[str, Any] | None:
    """Return what a personal access token would say if it were a JWT."""
    found = await AccessKeyStore(db).find(token, KeyKind.PERSONAL)
    if found is None:
        return None
    user, key = found
    times = {"iat": int(key.created_at.timestamp()), "exp": int(key.expires_at.timestamp())}
    ids = {"iss": keys.issuer, "aud": AUDIENCE, "sub": str(user.id), "jti": str(key.id)}
    return {**ids, **times, "scope": " ".join(key.scopes), "acr": acr(key.aal), "level": key.aal}
