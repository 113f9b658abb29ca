"""Mail that is not sent any more: whether a notice of a role still holds, and whether the key of a token is missing."""

from sqlalchemy import ColumnElement
from sqlmodel import col, exists, select

from accounts.db.session import Session
from accounts.domain.identity import one_time_tokens, pending_registrations
from accounts.models import (
    Invitation,
    MailKind,
    Membership,
    OneTimeToken,
    OutboxMail,
    PendingRegistration,
    Purpose,
    User,
    UserGroup,
)
from accounts.models.invitations import IS_OPEN


async def role_is_current(db: Session, mail: OutboxMail) -> bool:
    """Return whether the user still has the role of a notice, and the user who gave it is still active."""
    detail = mail.detail
    if "group_id" not in detail:  # enqueued by an earlier release
        return True
    conditions = [
        col(UserGroup.id) == detail["group_id"],
        col(Membership.group_id) == UserGroup.id,
        col(Membership.user_id) == mail.user_id,
        col(Membership.role) == detail["role"],
        col(Membership.role) != detail["was"],  # it may have been changed back
    ]
    if detail.get("by_user"):
        conditions.append(exists().where(col(User.id) == mail.sender_id, col(User.is_active).is_(True)))
    return (await db.exec(select(Membership.role).where(*conditions))).first() is not None


async def lacks_key(db: Session, mail: OutboxMail) -> bool:
    """Return whether the token of a mail that is obsolete is still stored: then it was derived from another key.

    The transaction that enqueued the mail stored the token, so both have the same time, to the microsecond. A token
    that replaced it has a later one. A token whose lifetime has begun is not recognised.
    """
    if mail.kind in {MailKind.ROLE_CHANGED, MailKind.TOKEN_EXPIRES, MailKind.SIGN_IN_CODE}:
        return False
    return bool(await db.scalar(select(exists().where(*_stored_with(mail)))))


def _stored_with(mail: OutboxMail) -> list[ColumnElement[bool]]:
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
