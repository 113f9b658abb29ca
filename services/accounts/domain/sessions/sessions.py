"""Sessions: a sign-in is a row. Deleting the row ends the session at its next request."""

import hashlib
import re
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, func, update
from sqlmodel import col, select
from uuid_utils.compat import uuid7

from accounts.db.session import RequestContext, Session
from accounts.db.statements import CompiledStatement
from accounts.domain import errors
from accounts.domain.audit.log import EVENT, Action, event_columns, record
from accounts.domain.client_network import network
from accounts.domain.mail import outbox
from accounts.domain.sessions import pending_sign_ins, session_list
from accounts.domain.sessions.access_tokens import Claims
from accounts.domain.sessions.assurance import Assurance
from accounts.domain.sessions.live_sessions import BY_ID, IS_LIVE, IS_SESSION_OF_CALLER
from accounts.domain.sessions.session_token import SessionToken
from accounts.domain.sessions.token_claims import IssuedSession
from accounts.models import MailKind, Scope, SessionKind, User, UserSession
from accounts.settings import Settings

LAST_SEEN_PRECISION = timedelta(minutes=1)  # for cookies: bearer sessions are seen whenever they are refreshed
VERSIONS = re.compile(r"[\d._]+")

# Concurrent sign-ins of one user wait for each other here, and for a change of the password.
LOCK_UNCHANGED_USER = CompiledStatement(
    'SELECT second_factors FROM "user" '
    "WHERE id = :id AND hashed_password = :seen AND is_active AND owner_group_id IS NULL FOR NO KEY UPDATE"
)
# Returns whether the user has signed in before, and never from this device: the SELECT does not see the INSERTs. And
# when the session starts.
START_SESSION = CompiledStatement(f"""
    WITH beyond AS (
        SELECT id FROM user_session WHERE user_id = :user_id ORDER BY last_seen_at DESC, id DESC OFFSET :others
    ), ended AS (DELETE FROM user_session USING beyond WHERE user_session.id = beyond.id),
    started AS (
        INSERT INTO user_session
            (id, user_id, kind, token_hash, expires_at, user_agent, address, scopes, aal, methods)
        VALUES
            (:id, :user_id, :kind, :token_hash, now() + CAST(:lifetime AS interval), :user_agent, :address, :scopes,
            :aal, :methods)
    ), seen AS (
        INSERT INTO known_device (user_id, fingerprint) VALUES (:user_id, :fingerprint)
        ON CONFLICT (user_id, fingerprint) DO UPDATE SET seen_at = now()
        WHERE known_device.seen_at < now() - interval '1 day'
    ), recorded AS ({EVENT})
    SELECT bool_and(fingerprint <> :fingerprint) IS TRUE, now() FROM known_device WHERE user_id = :user_id
""")  # noqa: S608  # only a constant is interpolated
BY_CLAIMS = select(User, UserSession).where(*IS_SESSION_OF_CALLER)
BY_COOKIE = select(User, UserSession).where(
    BY_ID, col(UserSession.token_hash) == bindparam("token_hash"), col(UserSession.kind) == SessionKind.COOKIE, *IS_LIVE
)


class SessionManager:
    """Operations on sessions. Methods run in the caller's transaction."""

    def __init__(self, db: Session, settings: Settings) -> None:
        self.db = db
        self.settings = settings
        self.idle = settings.session_idle

    async def start(
        self, user: User, kind: SessionKind, assurance: Assurance, scopes: Sequence[Scope] = (Scope.ACCOUNT,)
    ) -> tuple[IssuedSession, SessionToken]:
        """Start a session for a user who was authenticated. The least recently seen ones beyond the limit end.

        Args:
            assurance: how the user was authenticated.
            scopes: those of the session's access tokens.

        Returns:
            The session and its token.

        Raises:
            LoginBadCredentials: the password has been changed, or the user deactivated, since the verification.
            MfaRequired: the user has a second factor, and the assurance is of level 1. The sign-in waits for it.

        """
        unchanged = await LOCK_UNCHANGED_USER.run(self.db, id=user.id, seen=user.hashed_password)
        if not unchanged:
            raise errors.LoginBadCredentials
        ((factors,),) = unchanged
        if factors and assurance.level == 1:
            raise errors.MfaRequired(await pending_sign_ins.store(self.db, user, assurance, scopes), factors)
        return await self._start(user, kind, assurance, scopes)

    async def _start(
        self, user: User, kind: SessionKind, assurance: Assurance, scopes: Sequence[Scope]
    ) -> tuple[IssuedSession, SessionToken]:
        token = SessionToken.create(uuid7(), self.settings.secret_keys[0])
        context = self.db.context or RequestContext()
        issued: dict[str, Any] = {
            "id": token.session_id,
            "user_id": user.id,
            "scopes": [*scopes],
            "aal": assurance.level,
            "methods": [*assurance.methods],
        }
        detail = {"session_id": str(token.session_id), "methods": issued["methods"]}
        recorded = event_columns(self.db, Action.SESSION_STARTED, user_id=user.id, **detail)
        ((new_device, now),) = await START_SESSION.run(
            self.db,
            **(issued | recorded),
            kind=kind,
            token_hash=token.hash,
            lifetime=timedelta(seconds=self.settings.session_seconds),
            user_agent=context.user_agent,
            fingerprint=_fingerprint(context),
            others=self.settings.sessions_per_user - 1,
        )
        if new_device:
            device = {"device": context.user_agent, "address": context.client_ip}
            await outbox.enqueue_notice(self.db, MailKind.NEW_SIGN_IN, user, **device)
        return IssuedSession(**issued, authenticated_at=now), token

    async def elevate(self, session: UserSession, assurance: Assurance) -> None:
        """Store that the user of a session was authenticated once more: now, and with ``assurance``.

        A cookie is replaced (ASVS 5.0, 7.2.4), so that a copy of it does not rise with the session. Access tokens say
        so after the next refresh, which replaces the refresh token.

        Raises:
            SessionNotFound: the session has ended.

        """
        elevated = update(UserSession).where(col(UserSession.id) == session.id)
        values = {"aal": assurance.level, "methods": [*assurance.methods], "authenticated_at": func.clock_timestamp()}
        if session.kind == SessionKind.COOKIE:
            cookie = SessionToken.renewed(session.id, session.token_hash, self.settings.secret_keys[0])
            values["token_hash"], self.db.new_cookie = cookie.hash, str(cookie)
        if not (await self.db.exec(elevated.values(**values))).rowcount:
            raise errors.SessionNotFound
        await record(self.db, Action.SESSION_ELEVATED, user_id=session.user_id, session_id=str(session.id))

    async def by_claims(self, claims: Claims) -> tuple[User, UserSession] | None:
        """Get the user and the live session that an access token names, in one statement."""
        values = {"session_id": claims.session_id, "caller_id": claims.user_id, "idle": self.idle}
        return (await self.db.exec(BY_CLAIMS, params=values)).first()

    async def by_cookie(self, token: SessionToken) -> tuple[User, UserSession] | None:
        """Get the user and the live session of a cookie; update ``last_seen_at`` at most once a minute."""
        values = {"session_id": token.session_id, "token_hash": token.hash, "idle": self.idle}
        row = (await self.db.exec(BY_COOKIE, params=values)).first()
        if row and datetime.now(UTC) - row[1].last_seen_at > LAST_SEEN_PRECISION:
            seen = update(UserSession).where(col(UserSession.id) == token.session_id)
            await self.db.exec(seen.values(last_seen_at=func.now()))
        return row

    async def list(self, user: User, limit: int | None = None) -> Sequence[UserSession]:
        """List a user's live sessions, newest first. Only service accounts have more than ``SESSIONS_PER_USER``."""
        statement = select(UserSession).where(*session_list.OF_USER).order_by(*session_list.NEWEST_FIRST).limit(limit)
        return (await self.db.exec(statement, params={"user_id": user.id, "idle": self.idle})).all()

    async def revoke(self, user: User, session_id: uuid.UUID) -> None:
        """End one of a user's sessions.

        Raises:
            SessionNotFound: the user has no session with this id.

        """
        statement = delete(UserSession).where(col(UserSession.id) == session_id, col(UserSession.user_id) == user.id)
        if not (await self.db.exec(statement)).rowcount:
            raise errors.SessionNotFound
        await record(self.db, Action.SESSION_ENDED, user_id=user.id, session_id=str(session_id))

    async def revoke_all(self, user: User, keep: UserSession | None = None) -> int:
        """End all sessions of a user except ``keep``, and all pending sign-ins; return how many sessions.

        After a change of the password or the status, flush the user first: a concurrent sign-in is then either ended
        here or refused by ``start``.
        """
        await pending_sign_ins.revoke_all(self.db, user)
        sessions = delete(UserSession).where(col(UserSession.user_id) == user.id)
        if keep:
            sessions = sessions.where(col(UserSession.id) != keep.id)
        ended = (await self.db.exec(sessions)).rowcount
        if ended:
            await record(self.db, Action.SESSIONS_REVOKED, user_id=user.id, count=ended)
        return ended


def _fingerprint(context: RequestContext) -> bytes:
    """Identify a device by its network and its browser, ignoring the browser's version."""
    return hashlib.sha256(f"{network(context.client_ip)}\n{VERSIONS.sub('', context.user_agent)}".encode()).digest()
