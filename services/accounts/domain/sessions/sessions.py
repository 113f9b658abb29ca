"""Sessions: a sign-in is a row, and whoever deletes the row ends it at the next request."""

import hashlib
import hmac
import re
import secrets
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Interval,
    bindparam,
    delete,
    func,
    update,
)
from sqlmodel import col, select
from uuid_utils.compat import uuid7

from accounts.db.session import RequestContext, Session
from accounts.db.statements import CompiledStatement
from accounts.domain import errors
from accounts.domain.audit.log import Action, record
from accounts.domain.client_network import network
from accounts.domain.mail import outbox
from accounts.domain.sessions.access_tokens import Claims
from accounts.domain.sessions.session_token import SECRET_BYTES, SessionToken
from accounts.models import MailKind, SessionKind, User, UserSession
from accounts.observability import metrics
from accounts.settings import Settings

REFRESH_GRACE = timedelta(seconds=10)
LAST_SEEN_PRECISION = timedelta(minutes=1)  # how exact "last seen" is, for sessions that are not refreshed
POPULATE_EXISTING = {"populate_existing": True}  # what another transaction has changed meanwhile counts

VERSIONS = re.compile(r"[\d._]+")
# The user is locked, so that the others are all there are. What it selects is whether the user has signed in before,
# and never from this device: a statement sees what was before it.
START_SESSION = CompiledStatement("""
    WITH beyond AS (
        SELECT id FROM user_session WHERE user_id = :user_id ORDER BY last_seen_at DESC, id DESC OFFSET :others
    ), ended AS (DELETE FROM user_session USING beyond WHERE user_session.id = beyond.id),
    started AS (
        INSERT INTO user_session (id, user_id, kind, token_hash, expires_at, user_agent, address)
        VALUES (:id, :user_id, :kind, :token_hash, now() + CAST(:lifetime AS interval), :user_agent, :address)
    ), seen AS (
        INSERT INTO known_device (user_id, fingerprint) VALUES (:user_id, :fingerprint)
        ON CONFLICT (user_id, fingerprint) DO UPDATE SET seen_at = now()
        WHERE known_device.seen_at < now() - interval '1 day'
    )
    SELECT bool_and(fingerprint <> :fingerprint) IS TRUE FROM known_device WHERE user_id = :user_id
""")


def live_conditions(idle: Any) -> tuple[ColumnElement[bool], ...]:
    """Tell sessions that have neither ended nor been idle for too long, of users who are active."""
    return (
        col(UserSession.expires_at) > func.now(),
        col(UserSession.last_seen_at) > func.now() - idle,
        col(User.id) == col(UserSession.user_id),
        col(User.is_active).is_(True),
    )


# Made once: to put a statement together takes as long as to run it.
IS_LIVE = live_conditions(bindparam("idle", type_=Interval))
BY_ID = col(UserSession.id) == bindparam("session_id")
IS_SESSION_OF_CALLER = (BY_ID, col(User.id) == bindparam("caller_id"), *IS_LIVE)  # which access tokens name
BY_CLAIMS = select(User, UserSession).where(*IS_SESSION_OF_CALLER)
BY_COOKIE = select(User, UserSession).where(
    BY_ID, col(UserSession.token_hash) == bindparam("token_hash"), col(UserSession.kind) == SessionKind.COOKIE, *IS_LIVE
)
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
# Sign-ins of one user wait for each other here, and for a change of the password that would end them.
LOCK_UNCHANGED_USER = CompiledStatement(
    'SELECT id FROM "user" WHERE id = :id AND hashed_password = :seen AND is_active FOR NO KEY UPDATE'
)


async def revoke_sessions(db: Session, user: User, keep: uuid.UUID | None) -> int:
    """End all sessions of a user but the one to ``keep``, in the transaction of what makes them untrustworthy.

    Call it after the user's row is flushed, so that a sign-in at the same instant is either seen or refused.
    """
    theirs = delete(UserSession).where(col(UserSession.user_id) == user.id)
    ended = (await db.exec(theirs if keep is None else theirs.where(col(UserSession.id) != keep))).rowcount
    if ended:
        await record(db, Action.SESSIONS_REVOKED, user_id=user.id, count=ended)
    return ended


class SessionManager:
    """Rules about sessions. Every method runs in the session's transaction, which somebody else ends."""

    def __init__(self, db: Session, settings: Settings) -> None:
        self.db = db
        self.context = db.context or RequestContext()
        self.settings = settings
        self.idle = timedelta(seconds=settings.session_idle_seconds)

    async def start(self, user: User, kind: SessionKind) -> SessionToken:
        """Begin a session for a user whose password was right; the longest unseen beyond the cap end.

        Raises:
            LoginBadCredentials: the password was changed, or the user deactivated, since it was looked at.

        """
        await self._lock(user)
        token = SessionToken(uuid7(), secrets.token_bytes(SECRET_BYTES))
        values: dict[str, Any] = {
            "id": token.session_id,
            "user_id": user.id,
            "kind": kind,
            "token_hash": token.hash,
            "lifetime": timedelta(seconds=self.settings.session_seconds),
            "user_agent": self.context.user_agent,
            "address": self.context.client_ip,
            "others": self.settings.sessions_per_user - 1,
        }
        values["fingerprint"] = _fingerprint(values["address"], values["user_agent"])
        ((unfamiliar,),) = await START_SESSION.run(self.db, **values)
        await record(self.db, Action.SESSION_STARTED, user_id=user.id, session_id=str(token.session_id))
        if unfamiliar:
            where = {"device": values["user_agent"], "address": values["address"]}
            await outbox.enqueue_to_user(self.db, MailKind.NEW_SIGN_IN, user, **where)
        return token

    async def _lock(self, user: User) -> None:
        if not await LOCK_UNCHANGED_USER.run(self.db, id=user.id, seen=user.hashed_password):
            raise errors.LoginBadCredentials

    async def refresh(self, token: SessionToken | None) -> tuple[UserSession, SessionToken]:
        """Use a refresh token, and get the next.

        Raises:
            RefreshBadToken: nobody made it, or its session has ended.
            RefreshTokenReused: it was used before; its session is ended now.

        """
        if token is None:
            raise errors.RefreshBadToken
        successor = token.successor(self.settings.secret_keys[0])
        values = {
            "session_id": token.session_id,
            "used_hash": token.hash,
            "next_hash": successor.hash,
            "client": self.context.client_ip,
            "idle": self.idle,
        }
        used = (await self.db.exec(ROTATE, params=values, execution_options=POPULATE_EXISTING)).scalars().one_or_none()
        return (used, successor) if used else await self._used_before(token)

    async def _used_before(self, token: SessionToken) -> tuple[UserSession, SessionToken]:
        in_grace = col(UserSession.rotated_at) > func.clock_timestamp() - REFRESH_GRACE
        statement = select(UserSession, in_grace).where(
            col(UserSession.id) == token.session_id,
            col(UserSession.kind) == SessionKind.BEARER,
            *live_conditions(self.idle),
        )
        row = (
            await self.db.exec(statement.with_for_update(of=UserSession), execution_options=POPULATE_EXISTING)
        ).first()
        if row is None:
            raise errors.RefreshBadToken
        found, recent = row
        for successor in map(token.successor, self.settings.secret_keys):  # it may be older than the newest key
            if recent and hmac.compare_digest(found.token_hash, successor.hash):
                return found, successor
        metrics.REFRESH_REUSED.inc()
        await self.db.delete(found)
        await record(self.db, Action.REFRESH_REUSED, user_id=found.user_id, session_id=str(found.id))
        raise errors.RefreshTokenReused

    async def by_claims(self, claims: Claims) -> tuple[User, UserSession] | None:
        """Find the user and the live session that an access token names, by one statement."""
        values = {"session_id": claims.session_id, "caller_id": claims.user_id, "idle": self.idle}
        return (await self.db.exec(BY_CLAIMS, params=values)).first()

    async def by_cookie(self, token: SessionToken) -> tuple[User, UserSession] | None:
        """Find the user and the live session that a cookie stands for, and note, now and then, that it was seen."""
        values = {"session_id": token.session_id, "token_hash": token.hash, "idle": self.idle}
        found = (await self.db.exec(BY_COOKIE, params=values)).first()
        if found and datetime.now(UTC) - found[1].last_seen_at > LAST_SEEN_PRECISION:
            seen = update(UserSession).where(col(UserSession.id) == token.session_id)
            await self.db.exec(seen.values(last_seen_at=func.now()))
        return found

    async def list(self, user: User) -> Sequence[UserSession]:
        """List a user's live sessions, the newest first."""
        statement = select(UserSession).where(col(UserSession.user_id) == user.id, *live_conditions(self.idle))
        return (await self.db.exec(statement.order_by(col(UserSession.id).desc()))).all()

    async def end(self, user: User, session_id: uuid.UUID) -> None:
        """End one of a user's sessions.

        Raises:
            SessionNotFound: the user has none with this id.

        """
        statement = delete(UserSession).where(col(UserSession.id) == session_id, col(UserSession.user_id) == user.id)
        if not (await self.db.exec(statement)).rowcount:
            raise errors.SessionNotFound
        await record(self.db, Action.SESSION_ENDED, user_id=user.id, session_id=str(session_id))


def _fingerprint(address: str, user_agent: str) -> bytes:
    """Know a device by its network and its browser, whatever the version."""
    return hashlib.sha256(f"{network(address)}\n{VERSIONS.sub('', user_agent)}".encode()).digest()
