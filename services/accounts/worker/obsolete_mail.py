"""Mail that is not sent any more: whether a notice of a role still holds, and whether the key of a token is missing."""

from sqlalchemy import Boolean, ColumnElement, bindparam, or_
from sqlmodel import col, exists, select

from accounts.db.session import Session
from accounts.db.statements import CompiledStatement, Database
from accounts.domain.identity import one_time_tokens, pending_registrations
from accounts.domain.mail.queue import LeasedMail
from accounts.models import (
    Invitation,
    MailKind,
    Membership,
    OneTimeToken,
    PendingRegistration,
    Purpose,
    User,
    UserGroup,
)
from accounts.models.invitations import IS_OPEN

SELECT_ROLE = CompiledStatement(
    select(Membership.role).where(
        col(UserGroup.id) == bindparam("group_id"),
        col(Membership.group_id) == UserGroup.id,
        col(Membership.user_id) == bindparam("user_id"),
        col(Membership.role) == bindparam("role"),
        or_(
            bindparam("by_user", type_=Boolean).is_(False),
            exists().where(col(User.id) == bindparam("sender_id"), col(User.is_active).is_(True)),
        ),
    )
)


async def role_is_current(db: Database, mail: LeasedMail) -> bool:
    """Return whether the user still has the role of a notice, and the user who gave it is still active."""
    detail = mail.detail
    if "group_id" not in detail:  # enqueued by an earlier release
        return True
    if detail["role"] == detail["was"]:  # it was changed back
        return False
    values = {"user_id": mail.user_id, "sender_id": mail.sender_id, "by_user": bool(detail.get("by_user"))}
    return bool(await SELECT_ROLE.rows(db, group_id=detail["group_id"], role=detail["role"], **values))


async def lacks_key(db: Session, mail: LeasedMail) -> bool:
    """Return whether the token of a mail that is obsolete is still stored: then it was derived from another key.

    The transaction that enqueued the mail stored the token, so both have the same time, to the microsecond. A token
    that replaced it has a later one. A token whose lifetime has begun is not recognised.
    """
    if mail.kind in {MailKind.ROLE_CHANGED, MailKind.TOKEN_EXPIRES, MailKind.SIGN_IN_CODE}:
        return False
    return bool(await db.scalar(select(exists().where(*_stored_with(mail)))))


def _stored_with(mail: LeasedMail) -> list[ColumnElement[bool]]:
    if mail.kind is MailKind.INVITATION:
        return [col(Invitation.id) == mail.invitation_id, col(Invitation.updated_at) == mail.created_at, IS_OPEN]
    if mail.kind is MailKind.SIGN_UP:
        expires_at = mail.created_at + pending_registrations.LIFETIME
        return [col(PendingRegistration.email) == mail.email, col(PendingRegistration.expires_at) == expires_at]
    return [
        col(OneTimeToken.user_id) == mail.user_id,
        col(OneTimeToken.purpose) == mail.kind,
        col(OneTimeToken.expires_at) == mail.created_at + one_time_tokens.LIFETIME[Purpose(mail.kind)],
    ]
