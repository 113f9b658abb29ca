"""Refresh token rotation with reuse detection (RFC 9700, 4.14.2).

Each refresh token works once and is replaced by its successor. The replaced token returns the same successor for ten
more seconds, for a second tab or a client that lost the response. Any later use suggests theft and ends the
session.
"""

import hmac
from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy import bindparam, func, update
from sqlmodel import col, select

from accounts.db.session import Session
from accounts.db.statements import POPULATE_EXISTING
from accounts.domain import errors
from accounts.domain.audit.log import Action, record
from accounts.domain.sessions.live_sessions import BY_ID, IS_LIVE, live_conditions
from accounts.domain.sessions.session_token import SessionToken
from accounts.models import SessionKind, UserSession
from accounts.observability import metrics

REFRESH_GRACE = timedelta(seconds=10)
ROTATE = (
    update(UserSession)
    .where(
        BY_ID,
        col(UserSession.token_hash) == bindparam("used_hash"),
        col(UserSession.kind) == SessionKind.BEARER,
        *IS_LIVE,
    )
    .values(
        token_hash=bindparam("next_hash"),
        rotated_at=func.clock_timestamp(),
        last_seen_at=func.clock_timestamp(),
        address=bindparam("client"),
    )
    .returning(UserSession)
)


async def rotate(
    db: Session, token: SessionToken, keys: Sequence[str], idle: timedelta
) -> tuple[UserSession, SessionToken]:
    """Exchange a refresh token for its successor.

    Args:
        keys: secrets that derive successors, the newest first.
        idle: how long a session may stay unused.

    Returns:
        The session and its new refresh token.

    Raises:
        RefreshBadToken: this service did not issue the token, or its session has ended.
        RefreshTokenReused: the token was used before. Its session is ended now.

    """
    successor = token.successor(keys[0])
    values = {
        "session_id": token.session_id,
        "used_hash": token.hash,
        "next_hash": successor.hash,
        "client": db.client_ip,
        "idle": idle,
    }
    rotated = (await db.exec(ROTATE, params=values, execution_options=POPULATE_EXISTING)).scalars().one_or_none()
    return (rotated, successor) if rotated else await _reuse(db, token, keys, idle)


async def _reuse(
    db: Session, token: SessionToken, keys: Sequence[str], idle: timedelta
) -> tuple[UserSession, SessionToken]:
    in_grace = col(UserSession.rotated_at) > func.clock_timestamp() - REFRESH_GRACE
    statement = select(UserSession, in_grace).where(
        col(UserSession.id) == token.session_id, col(UserSession.kind) == SessionKind.BEARER, *live_conditions(idle)
    )
    row = (await db.exec(statement.with_for_update(of=UserSession), execution_options=POPULATE_EXISTING)).first()
    if row is None:
        raise errors.RefreshBadToken
    session, recent = row
    for successor in map(token.successor, keys):  # an older key may have derived it
        if recent and hmac.compare_digest(session.token_hash, successor.hash):
            return session, successor
    if not token.is_issued(keys):  # access tokens show the session's id, so anyone who sees one can invent a token
        raise errors.RefreshBadToken
    metrics.REFRESH_REUSED.inc()
    await db.delete(session)
    await record(db, Action.REFRESH_REUSED, user_id=session.user_id, session_id=str(session.id))
    raise errors.RefreshTokenReused
