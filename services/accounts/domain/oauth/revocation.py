"""Token revocation (RFC 7009): the holder of a token may end it, without signing in."""

import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace

from sqlalchemy import ColumnElement, delete
from sqlmodel import col

from accounts.db.session import RequestContext, Session
from accounts.domain import errors
from accounts.domain.access_keys.secret import KeyKind, is_key
from accounts.domain.access_keys.store import AccessKeyStore
from accounts.domain.audit.log import Action, record
from accounts.domain.sessions.access_tokens import KeyRing
from accounts.domain.sessions.session_token import parse_session_token
from accounts.models import SessionKind, UserSession


async def revoke(db: Session, keys: KeyRing, secrets: Sequence[str], token: str) -> None:
    """End the session of an access or refresh token, or delete a personal access token. Others are ignored.

    A refresh token that was used before ends its session, too: the client may not have received its successor.
    """
    if is_key(token):
        await _delete(db, token)
    elif claims := keys.verify(token):
        await _end(db, claims.session_id, col(UserSession.user_id) == claims.user_id)
    elif refresh_token := parse_session_token(token):
        is_bearer = col(UserSession.kind) == SessionKind.BEARER
        is_current = col(UserSession.token_hash) == refresh_token.hash
        conditions = [is_bearer] if refresh_token.is_issued(secrets) else [is_bearer, is_current]
        await _end(db, refresh_token.session_id, *conditions)


async def _delete(db: Session, token: str) -> None:
    store = AccessKeyStore(db)
    found = await store.find(token, KeyKind.PERSONAL)
    if found:
        user, stored = found
        db.context = replace(db.context or RequestContext(), actor_id=user.id)
        with suppress(errors.TokenNotFound):  # another request was faster
            await store.revoke(user, stored.id)


async def _end(db: Session, session_id: uuid.UUID, *conditions: ColumnElement[bool]) -> None:
    statement = delete(UserSession).where(col(UserSession.id) == session_id, *conditions)
    ended = await db.exec(statement.returning(col(UserSession.user_id)))
    for user_id in ended.scalars():
        db.context = replace(db.context or RequestContext(), actor_id=user_id)
        await record(db, Action.SESSION_ENDED, user_id=user_id, session_id=str(session_id))
