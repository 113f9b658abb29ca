"""Token introspection (RFC 7662): whether an access token is usable now, for services that must see a sign-out at once.

A service learns of the token's user only what the token itself says and, for a group that it names, the user's role.
"""

import uuid
from datetime import timedelta
from typing import Any

from sqlalchemy import BigInteger, bindparam, select
from sqlmodel import col

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement
from accounts.domain.access_keys.secret import KeyKind, is_key
from accounts.domain.access_keys.store import AccessKeyStore
from accounts.domain.sessions.access_tokens import AUDIENCE, KeyRing
from accounts.domain.sessions.live_sessions import IS_CALLER, IS_SESSION_OF_CALLER
from accounts.models import Membership, Scope, User

CLAIMS = ("iss", "aud", "sub", "client_id", "scope", "iat", "exp", "jti", "sid", "auth_time", "acr", "amr")
DEFAULTS = {"client_id": AUDIENCE, "scope": Scope.ACCOUNT, "token_type": "Bearer"}  # also of earlier releases
READS_GROUPS = {Scope.ACCOUNT, Scope.GROUPS, Scope.GROUPS_READ}
ROLE = (
    select(col(Membership.role))
    .where(col(Membership.group_id) == bindparam("group_id", type_=BigInteger), col(Membership.user_id) == col(User.id))
    .scalar_subquery()
)
SELECT_LIVE = CompiledStatement(select(ROLE).where(*IS_SESSION_OF_CALLER))
SELECT_ROLE = CompiledStatement(select(ROLE).where(IS_CALLER))


async def introspect(
    db: Session, keys: KeyRing, idle: timedelta, token: str, group_id: int | None = None
) -> dict[str, Any] | None:
    """Return what a token says, and with ``group_id`` the user's role in the group, as ``group_role``.

    The role is None if the user is not a member, or the token may not read groups.

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
    rows = (
        await SELECT_LIVE.run(db, **values, session_id=uuid.UUID(known["sid"]), idle=idle)
        if "sid" in known
        else await SELECT_ROLE.run(db, **values)
    )
    if not rows:
        return None
    return known if group_id is None else known | {"group_role": rows[0][0]}


async def _of_key(db: Session, keys: KeyRing, token: str) -> dict[str, Any] | None:
    """Return what a personal access token would say if it were a JWT."""
    found = await AccessKeyStore(db).find(token, KeyKind.PERSONAL)
    if found is None:
        return None
    user, key = found
    times = {"iat": int(key.created_at.timestamp()), "exp": int(key.expires_at.timestamp())}
    ids = {"iss": keys.issuer, "aud": AUDIENCE, "sub": str(user.id), "jti": str(key.id)}
    return {**ids, **times, "scope": " ".join(key.scopes)}
