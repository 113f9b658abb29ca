"""Refresh token rotation with reuse detection (RFC 9700, 4.14.2).

Each refresh token works once and is replaced by its successor. The replaced token returns the same successor for ten
more seconds, for a second tab or a client that lost the response. Any later use suggests theft and ends the
session.
"""

import hmac
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import String, bindparam, func, update
from sqlmodel import col, select

from accounts.db.engine import ConnectDriver
from accounts.db.session import RequestContext, Session, Sessionmaker, transaction
from accounts.db.statements import POPULATE_EXISTING, CompiledStatement, Database
from accounts.domain import errors
from accounts.domain.audit.log import Action, record
from accounts.domain.sessions.live_sessions import BY_ID, IS_LIVE, live_conditions
from accounts.domain.sessions.session_token import SessionToken
from accounts.domain.sessions.token_claims import FIELDS, IssuedSession
from accounts.models import SessionKind, UserSession
from accounts.observability import metrics

REFRESH_GRACE = timedelta(seconds=10)


COLUMNS = [getattr(UserSession, name) for name in FIELDS]
ROTATE = CompiledStatement(
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
        address=bindparam("client", type_=String),
    )
    .returning(*COLUMNS)
)


@dataclass(frozen=True, slots=True)
class Refreshing:
    """Exchanges refresh tokens.

    Args:
        connect: the driver's connections. A token that was not used before takes one statement, without a transaction.
        sessionmaker: transactions, for all other tokens.
        keys: secrets that derive successors, the newest first.
        idle: how long a session may stay unused.

    """

    connect: ConnectDriver
    sessionmaker: Sessionmaker
    keys: Sequence[str]
    idle: timedelta

    @asynccontextmanager
    async def exchange(
        self, token: SessionToken | None, context: RequestContext
    ) -> AsyncIterator[tuple[Database, IssuedSession, SessionToken]]:
        """Exchange a refresh token for its successor.

        Yields:
            The connection on which that was done, the session, and its new refresh token. What is still to be read for
            the response is read there: waiting for another connection may fail, and the token has been used.

        Raises:
            RefreshBadToken: the token is malformed or invented, or its session has ended.
            RefreshTokenReused: the token was used before. Its session is ended now.

        """
        if token is None:
            raise errors.RefreshBadToken
        successor = token.successor(self.keys[0])
        values = {"used_hash": token.hash, "next_hash": successor.hash, "client": context.client_ip}
        async with self.connect() as connection:
            rows = await ROTATE.fetch(connection, **values, session_id=token.session_id, idle=self.idle)
            if rows:
                yield connection, IssuedSession(**rows[0]), successor
        if not rows:
            async with transaction(self.sessionmaker, context) as db:
                yield db, *await _reuse(db, token, self.keys, self.idle)


async def _reuse(
    db: Session, token: SessionToken, keys: Sequence[str], idle: timedelta
) -> tuple[IssuedSession, SessionToken]:
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
            return IssuedSession(**{name: getattr(session, name) for name in FIELDS}), successor
    if not token.is_issued(keys):  # access tokens show the session's id, so anyone who sees one can invent a token
        raise errors.RefreshBadToken
    metrics.REFRESH_REUSED.inc()
    await db.delete(session)
    await record(db, Action.REFRESH_REUSED, user_id=session.user_id, session_id=str(session.id))
    raise errors.RefreshTokenReused
