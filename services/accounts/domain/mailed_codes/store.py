"""Stores requests for codes. Each belongs to the client that sent it, so others can neither use nor replace it.

A request for an unknown email is stored, too: otherwise the time that a wrong code takes would tell which one it is.
"""

import json
import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, exists, func, update
from sqlmodel import col, select
from uuid_utils.compat import uuid7

from accounts.db.session import RequestContext, Session
from accounts.db.statements import ASYNCHRONOUS_COMMIT, POPULATE_EXISTING, CompiledStatement, Database
from accounts.domain.mail.outbox import CHANNEL, request_language
from accounts.domain.opaque_tokens import create_token, hash_token
from accounts.models import MailedCode, MailKind, User
from accounts.models.base import COLLATION
from accounts.models.mail import URGENT_TURN

LIFETIME = timedelta(minutes=10)
MAIL_TTL = timedelta(hours=1)  # a code that is mailed later is of no use: its page is gone
ATTEMPTS_MAX = 5
# Locks the user, who could otherwise be deleted before the code is inserted.
REQUEST = CompiledStatement(f"""
    WITH needs AS (
        SELECT id, email, updated_at FROM "user"
        WHERE lower(email) = lower(CAST(:email AS text) COLLATE "{COLLATION}") AND is_active AND owner_group_id IS NULL
        FOR KEY SHARE
    ), requested AS (
        INSERT INTO mailed_code (token_hash, user_id, user_updated_at, mail_id, expires_at)
        SELECT CAST(:token_hash AS bytea), needs.id, needs.updated_at, CAST(:mail_id AS uuid),
            now() + CAST(:lifetime AS interval)
        FROM (SELECT) AS one LEFT JOIN needs ON true
    ), posted AS (
        INSERT INTO outbox (id, kind, email, user_id, turn, language, detail)
        SELECT CAST(:mail_id AS uuid), '{MailKind.SIGN_IN_CODE}', email, id, {URGENT_TURN}, :language,
            CAST(:detail AS jsonb)
        FROM needs
    )
    SELECT pg_notify('{CHANNEL}', '')
""")  # noqa: S608  # only constants are interpolated

_SENDABLE = (
    col(MailedCode.mail_id) == bindparam("mail_id"),
    col(MailedCode.expires_at) > func.now() - MAIL_TTL,
    col(MailedCode.attempts) < ATTEMPTS_MAX,
    exists().where(col(User.id) == MailedCode.user_id, col(User.updated_at) == MailedCode.user_updated_at),
)
FIND = CompiledStatement(select(MailedCode.expires_at).where(*_SENDABLE))
_started = update(MailedCode).where(*_SENDABLE).values(expires_at=func.now() + LIFETIME)
START = CompiledStatement(_started.returning(col(MailedCode.expires_at)))


@dataclass(frozen=True, slots=True)
class Attempted:
    """A request for a code, at one attempt: the id of its mail, and whether a right code would be accepted."""

    mail_id: uuid.UUID
    usable: bool


async def request(db: Session, email: str) -> str:
    """Mail a code to the active user with an email address, if there is one; return the token that the code needs.

    One statement is run in all cases, and the commit does not wait for the disk.
    """
    token, context = create_token(), db.context or RequestContext()
    await db.exec(ASYNCHRONOUS_COMMIT)
    await REQUEST.run(
        db,
        email=email,
        token_hash=hash_token(token),
        mail_id=uuid7(),
        lifetime=LIFETIME,
        language=request_language(db),
        detail=json.dumps({"device": context.user_agent, "address": context.client_ip}),
    )
    return token


async def activate(db: Database, mail_id: uuid.UUID, *, start: bool = True) -> datetime | None:
    """Start the lifetime of a code when its mail is written; return when it expires. Without ``start``, only find it.

    Returns None if it is obsolete: it was used, its user was changed, or the mail has waited for too long.
    """
    rows = await (START if start else FIND).rows(db, mail_id=mail_id)
    return rows[0][0] if rows else None


async def lock_user(db: Session, token: str, *conditions: ColumnElement[bool]) -> User | None:
    """Lock the active user of a token who meets the conditions, unless the user was changed since the request.

    The user is locked before the request, as by a deletion of the user, which would otherwise deadlock with it.
    """
    statement = select(User).join(MailedCode, col(MailedCode.user_id) == User.id)
    statement = statement.where(
        col(MailedCode.token_hash) == hash_token(token),
        col(User.updated_at) == MailedCode.user_updated_at,
        col(User.is_active),
        *conditions,
    )
    locked = statement.with_for_update(of=User, key_share=True)
    return (await db.exec(locked, execution_options=POPULATE_EXISTING)).one_or_none()


async def count_attempt(db: Session, token: str) -> Attempted | None:
    """Count an attempt, whether or not the code can still be used. The row stays locked."""
    counted = func.least(col(MailedCode.attempts) + 1, ATTEMPTS_MAX + 1)
    statement: Any = update(MailedCode).where(col(MailedCode.token_hash) == hash_token(token)).values(attempts=counted)
    usable = (col(MailedCode.attempts) <= ATTEMPTS_MAX) & (col(MailedCode.expires_at) > func.now())
    row = (await db.exec(statement.returning(col(MailedCode.mail_id), usable))).one_or_none()
    return Attempted(*row) if row else None


async def delete_all(db: Session, user: User) -> None:
    """Delete the used code of a user, and all others that wait."""
    await db.exec(delete(MailedCode).where(col(MailedCode.user_id) == user.id))
