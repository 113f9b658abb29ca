"""What a mail is about, looked up when it is written: names as they are now, and links with tokens that still work."""

from typing import Any
from urllib.parse import urlencode

from sqlmodel import col, select

from accounts.db.session import Session
from accounts.domain.identity import one_time_tokens
from accounts.domain.sessions.user_agent import describe_user_agent
from accounts.models import Invitation, MailKind, OutboxMail, Purpose, User, UserGroup
from accounts.models.invitations import IS_OPEN
from accounts.settings import Settings

# What each kind brings: a token for this, and a link to this page.
LINKS = {
    MailKind.VERIFY: (Purpose.VERIFY, "verify"),
    MailKind.RESET: (Purpose.RESET, "reset-password"),
    MailKind.CONFIRM_EMAIL: (Purpose.CONFIRM_EMAIL, "confirm-email"),
    MailKind.EMAIL_CHANGED: (Purpose.UNDO_EMAIL, "undo-email"),
}
INVITATION_PAGE = "invitation"


async def message_context(db: Session, mail: OutboxMail, settings: Settings) -> dict[str, Any] | None:
    """Give everything that the letter says, by name; None if there is nothing to say any more.

    That is so where the token that it would bring was used, superseded or revoked.
    """
    told = {"name": await _name(db, mail), "at": mail.created_at, **mail.detail, **_pages(settings)}
    if mail.kind is MailKind.INVITATION:
        return await _invitation(db, mail, settings, told)
    if mail.kind is MailKind.EMAIL_CHANGED:
        told |= {"new_email_hint": _hint(told.pop("now")), "url": None, "expires_at": None}
        return told | (await _link(db, mail, settings) or {})
    if mail.kind is MailKind.NEW_SIGN_IN:
        return told | {"device": describe_user_agent(told["device"])}
    if mail.kind in LINKS:
        link = await _link(db, mail, settings)
        return told | link if link else None
    return told


def _pages(settings: Settings) -> dict[str, str]:
    pages = {"sign_in_url": "sign-in", "reset_url": "forgot-password", "sessions_url": "sessions", "url": ""}
    return {name: f"{settings.account_url}/{page}".rstrip("/") for name, page in pages.items()}


async def _name(db: Session, mail: OutboxMail) -> str:
    statement = select(User.display_name).where(col(User.id) == mail.user_id)
    return (await db.exec(statement)).one_or_none() or ""


async def _link(db: Session, mail: OutboxMail, settings: Settings) -> dict[str, Any] | None:
    purpose, page = LINKS[MailKind(mail.kind)]
    renewed = await one_time_tokens.activate_token(db, settings.secret_keys, mail.id, purpose)
    if renewed is None:
        return None
    token, expires_at = renewed
    return {"url": _url(settings, page, token), "expires_at": expires_at}


async def _invitation(db: Session, mail: OutboxMail, settings: Settings, told: dict[str, Any]) -> dict[str, Any] | None:
    sent = one_time_tokens.candidate_tokens(settings.secret_keys, mail.id)
    statement = (
        select(Invitation, UserGroup.name, User.display_name)
        .join(UserGroup, col(UserGroup.id) == Invitation.group_id)
        .outerjoin(User, col(User.id) == Invitation.inviter_id)
        .where(Invitation.id == mail.invitation_id, col(Invitation.token_hash).in_(sent), IS_OPEN)
    )
    found = (await db.exec(statement)).one_or_none()
    if found is None:
        return None
    invitation, group_name, inviter_name = found
    return told | {
        "group_name": group_name,
        "inviter_name": inviter_name or None,
        "role": invitation.role,
        "note": invitation.note,
        "url": _url(settings, INVITATION_PAGE, sent[invitation.token_hash]),
        "expires_at": invitation.expires_at,
    }


def _url(settings: Settings, page: str, token: str) -> str:
    return f"{settings.account_url}/{page}?{urlencode({'token': token})}"


def _hint(email: str) -> str:
    """Show an address to somebody who may not be its owner: enough to know it by, and not to write to."""
    local, _, domain = email.rpartition("@")
    return f"{local[:1]}…@{domain}"
