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

from accounts.db.session import Session
from accounts.db.statements import Prepared
from accounts.domain import errors
from accounts.domain.audit.log import Action, of_client, record
from accounts.domain.client_network import network
from accounts.domain.mail import outbox
from accounts.domain.sessions.access_tokens import Claims
from accounts.domain.sessions.session_token import SECRET_BYTES, Token
from accounts.models import MailKind, SessionKind, User, UserSession
from accounts.models.sessions import ADDRESS_LENGTH, USER_AGENT_LENGTH
from accounts.observability import metrics
from accounts.settings import Settings

GRACE = timedelta(seconds=10)
SEEN = timedelta(minutes=1)  # how exact "last seen" is, for sessions that are not refreshed
FRESH = {"populate_existing": True}  # what another transaction has changed meanwhile counts

VERSIONS = re.compile(r"[\d._]+")
# The user is locked, so that the others are all there are. What it selects is whether the user has signed in before,
# and never from this device: a statement sees what was before it.
START = Prepared("""
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


def live(idle: Any) -> tuple[ColumnElement[bool], ...]:
    """Tell sessions that have neither ended nor been idle for too long, of users who are active."""
    return (
        col(UserSession.expires_at) > func.now(),
        col(UserSession.last_seen_at) > func.now() - idle,
        col(User.id) == col(UserSession.user_id),
        col(User.is_active).is_(True),
    )


# Made once: to put a statement together takes as long as to run it.
LIVE = live(bindparam("idle", type_=Interval))
BY_ID = col(UserSession.id) == bindparam("session_id")
BY_TOKEN = (BY_ID, col(User.id) == bindparam("caller_id"), *LIVE)  # which access tokens name
BY_CLAIMS = select(User, UserSession).where(*BY_TOKEN)
BY_COOKIE = select(User, UserSession).where(
    BY_ID, col(UserSession.token_hash) == bindparam("token_hash"), col(UserSession.kind) == SessionKind.COOKIE, *LIVE
)
USE = (
    update(UserSession)
    .where(
        BY_ID, col(UserSession.token_hash) == bindparam("used_hash"), col(UserSession.kind) == SessionKind.BEARER, *LIVE
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
AS_SEEN = Prepared('SELECT id FROM "user" WHERE id = :id AND hashed_password = :seen AND is_active FOR NO KEY UPDATE')


async def revoke_others(session: Session, user: User, keep: uuid.UUID | None) -> int:
    """End all sessions of a user but the one to ``keep``, in the transaction of what makes them untrustworthy.

    Call it after the user's row is flushed, so that a sign-in at the same instant is either seen or refused.
    """
    theirs = delete(UserSession).where(col(UserSession.user_id) == user.id)
    ended = (await session.exec(theirs if keep is None else theirs.where(col(UserSession.id) != keep))).rowcount
    if ended:
        await record(session, Action.SESSIONS_REVOKED, user_id=user.id, count=ended)
    return ended


class SessionManager:
    """Rules about sessions. Every method runs in the session's transaction, which somebody else ends."""

    def __init__(self, session: Session, settings: Settings) -> None:
        self.session = session
        self.settings = settings
        self.idle = timedelta(seconds=settings.session_idle_seconds)

    async def start(self, user: User, kind: SessionKind) -> Token:
        """Begin a session for a user whose password was right; the longest unseen beyond the cap end.

        Raises:
            LoginBadCredentials: the password was changed, or the user deactivated, since it was looked at.

        """
        await self._lock(user)
        token = Token(uuid7(), secrets.token_bytes(SECRET_BYTES))
        values: dict[str, Any] = {
            "id": token.session_id,
            "user_id": user.id,
            "kind": kind,
            "token_hash": token.hash,
            "lifetime": timedelta(seconds=self.settings.session_seconds),
            "user_agent": of_client(self.session, "user_agent", USER_AGENT_LENGTH),
            "address": of_client(self.session, "address", ADDRESS_LENGTH),
            "others": self.settings.sessions_per_user - 1,
        }
        values["fingerprint"] = _fingerprint(values["address"], values["user_agent"])
        ((unfamiliar,),) = await START.run(self.session, **values)
        await record(self.session, Action.SESSION_STARTED, user_id=user.id, session_id=str(token.session_id))
        if unfamiliar:
            where = {"device": values["user_agent"], "address": values["address"]}
            await outbox.post_to(self.session, MailKind.NEW_SIGN_IN, user, **where)
        return token

    async def _lock(self, user: User) -> None:
        if not await AS_SEEN.run(self.session, id=user.id, seen=user.hashed_password):
            raise errors.LoginBadCredentials

    async def refresh(self, token: Token | None) -> tuple[UserSession, Token]:
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
            "client": of_client(self.session, "address", ADDRESS_LENGTH),
            "idle": self.idle,
        }
        used = (await self.session.exec(USE, params=values, execution_options=FRESH)).scalars().one_or_none()
        return (used, successor) if used else await self._used_before(token)

    async def _used_before(self, token: Token) -> tuple[UserSession, Token]:
        in_grace = col(UserSession.rotated_at) > func.clock_timestamp() - GRACE
        statement = select(UserSession, in_grace).where(
            col(UserSession.id) == token.session_id, col(UserSession.kind) == SessionKind.BEARER, *live(self.idle)
        )
        row = (await self.session.exec(statement.with_for_update(of=UserSession), execution_options=FRESH)).first()
        if row is None:
            raise errors.RefreshBadToken
        found, recent = row
        for successor in map(token.successor, self.settings.secret_keys):  # it may be older than the newest key
            if recent and hmac.compare_digest(found.token_hash, successor.hash):
                return found, successor
        metrics.REFRESH_REUSED.inc()
        await self.session.delete(found)
        await record(self.session, Action.REFRESH_REUSED, user_id=found.user_id, session_id=str(found.id))
        raise errors.RefreshTokenReused

    async def by_claims(self, claims: Claims) -> tuple[User, UserSession] | None:
        """Find the user and the live session that an access token names, by one statement."""
        values = {"session_id": claims.session_id, "caller_id": claims.user_id, "idle": self.idle}
        return (await self.session.exec(BY_CLAIMS, params=values)).first()

    async def by_cookie(self, token: Token) -> tuple[User, UserSession] | None:
        """Find the user and the live session that a cookie stands for, and note, now and then, that it was seen."""
        values = {"session_id": token.session_id, "token_hash": token.hash, "idle": self.idle}
        found = (await self.session.exec(BY_COOKIE, params=values)).first()
        if found and datetime.now(UTC) - found[1].last_seen_at > SEEN:
            seen = update(UserSession).where(col(UserSession.id) == token.session_id)
            await self.session.exec(seen.values(last_seen_at=func.now()))
        return found

    async def list(self, user: User) -> Sequence[UserSession]:
        """List a user's live sessions, the newest first."""
        statement = select(UserSession).where(col(UserSession.user_id) == user.id, *live(self.idle))
        return (await self.session.exec(statement.order_by(col(UserSession.id).desc()))).all()

    async def end(self, user: User, session_id: uuid.UUID) -> None:
        """End one of a user's sessions.

        Raises:
            SessionNotFound: the user has none with this id.

        """
        statement = delete(UserSession).where(col(UserSession.id) == session_id, col(UserSession.user_id) == user.id)
        if not (await self.session.exec(statement)).rowcount:
            raise errors.SessionNotFound
        await record(self.session, Action.SESSION_ENDED, user_id=user.id, session_id=str(session_id))


def _fingerprint(address: str, user_agent: str) -> bytes:
    """Know a device by its network and its browser, whatever the version."""
    return hashlib.sha256(f"{network(address)}\n{VERSIONS.sub('', user_agent)}".encode()).digest()
