"""Values for letters, loaded when a letter is composed: current names, and links with tokens that still work."""

import uuid
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from sqlmodel import col, select

from accounts.db.session import Session
from accounts.domain.identity import first_passwords, mailed_tokens, one_time_tokens, pending_registrations
from accounts.domain.mail.languages import best_language
from accounts.domain.mailed_codes import store
from accounts.domain.mailed_codes.codes import derive_code
from accounts.models import AccessKey, Invitation, MailKind, OutboxMail, Purpose, User, UserGroup
from accounts.models.invitations import IS_OPEN
from accounts.schemas.email_addresses import mask_email
from accounts.settings import Settings
from accounts.translations import get_language
from accounts.user_agent import describe_user_agent
from accounts.worker.obsolete_mail import role_is_current

# Kinds with a token: its purpose, and the page that the link opens.
LINKS = {
    MailKind.VERIFY: (Purpose.VERIFY, "verify"),
    MailKind.RESET: (Purpose.RESET, "reset-password"),
    MailKind.CONFIRM_EMAIL: (Purpose.CONFIRM_EMAIL, "confirm-email"),
    MailKind.EMAIL_CHANGED: (Purpose.UNDO_EMAIL, "undo-email"),
}
# What only some mails of a kind have.
OPTIONAL: dict[str, Any] = {
    "previous": False,
    "email_restored": False,
    "factor_name": "",
    "first_password": False,
    "password_required": False,
    "more": 0,
}
WITH_DEVICE = {MailKind.NEW_SIGN_IN, MailKind.SIGN_IN_CODE}
INVITATION_PAGE, SIGN_UP_PAGE = "invitation", "complete-registration"


async def message_context(db: Session, mail: OutboxMail, settings: Settings) -> dict[str, Any] | None:
    """Return the values for a letter by name, or None if it has become obsolete.

    A letter is obsolete if its token was used, revoked or replaced by a newer one, or if it is about a role that the
    user no longer has, or that a user gave who is inactive or deleted by now, or about a revoked access key.
    """
    detail = OPTIONAL | mail.detail
    name, language = await _recipient(db, mail)
    values = {"name": name, "language": language, "at": mail.created_at, **detail, **_page_urls(settings)}
    if mail.kind in WITH_DEVICE:
        gettext = get_language(best_language(language)).gettext
        values |= {"device": describe_user_agent(values["device"], gettext)}
    if load := LOADERS.get(MailKind(mail.kind)):
        return await load(db, mail, settings, values)
    if mail.kind is MailKind.SIGN_UP:
        activated = await pending_registrations.activate(db, settings.secret_keys, mail.id)
        return values | _link(settings, SIGN_UP_PAGE, *activated) if activated else None
    if mail.kind is MailKind.EMAIL_CHANGED:
        values |= {"new_email_hint": mask_email(values.pop("now")), "url": None, "expires_at": None}
        return values | (await _token_link(db, mail, settings) or {})
    if mail.kind is MailKind.ROLE_CHANGED and not await role_is_current(db, mail):
        return None
    if mail.kind in LINKS:
        link = await _token_link(db, mail, settings)
        return values | link if link else None
    return values


def _page_urls(settings: Settings) -> dict[str, str]:
    pages = {"sign_in_url": "sign-in", "reset_url": "forgot-password", "sessions_url": "sessions", "url": ""}
    return {name: f"{settings.account_url}/{page}".rstrip("/") for name, page in pages.items()}


async def _recipient(db: Session, mail: OutboxMail) -> tuple[str, str]:
    """Return the name of the user who gets a mail, and the language that the user chose, else that of the mail."""
    statement = select(User.display_name, User.language).where(col(User.id) == mail.user_id)
    name, language = (await db.exec(statement)).one_or_none() or ("", None)
    return name, language or mail.language


async def _token_link(db: Session, mail: OutboxMail, settings: Settings) -> dict[str, Any] | None:
    purpose, page = LINKS[MailKind(mail.kind)]
    lifetime = first_passwords.LIFETIME if mail.detail.get("first_password") else None
    activated = await one_time_tokens.activate_token(db, settings.secret_keys, mail.id, purpose, lifetime)
    return _link(settings, page, *activated) if activated else None


def _link(settings: Settings, page: str, token: str, expires_at: datetime) -> dict[str, Any]:
    return {"url": _token_url(settings, page, token), "expires_at": expires_at}


async def _invitation(
    db: Session, mail: OutboxMail, settings: Settings, values: dict[str, Any]
) -> dict[str, Any] | None:
    tokens = mailed_tokens.candidate_tokens(settings.secret_keys, mail.id)
    statement = (
        select(Invitation, UserGroup.name, User.display_name)
        .join(UserGroup, col(UserGroup.id) == Invitation.group_id)
        .outerjoin(User, col(User.id) == Invitation.inviter_id)
        .where(Invitation.id == mail.invitation_id, col(Invitation.token_hash).in_(tokens), IS_OPEN)
    )
    row = (await db.exec(statement)).one_or_none()
    if row is None:
        return None
    invitation, group_name, inviter_name = row
    return values | {
        "group_name": group_name,
        "inviter_name": inviter_name or None,
        "role": invitation.role,
        "note": invitation.note,
        "url": _token_url(settings, INVITATION_PAGE, tokens[invitation.token_hash]),
        "expires_at": invitation.expires_at,
    }


async def _expiring_key(db: Session, mail: OutboxMail, _: Settings, values: dict[str, Any]) -> dict[str, Any] | None:
    key = await db.get(AccessKey, uuid.UUID(mail.detail["key_id"]))
    return values | {"key_name": key.name, "expires_at": key.expires_at} if key else None


async def _sign_in_code(
    db: Session, mail: OutboxMail, settings: Settings, values: dict[str, Any]
) -> dict[str, Any] | None:
    expires_at = await store.activate(db, mail.id)
    if expires_at is None:
        return None
    code, site = derive_code(settings.secret_keys[0], mail.id), urlsplit(settings.account_url).netloc
    return values | {"code": code, "expires_at": expires_at, "site": site}


# Kinds whose values take more than a link.
LOADERS = {
    MailKind.INVITATION: _invitation,
    MailKind.TOKEN_EXPIRES: _expiring_key,
    MailKind.SIGN_IN_CODE: _sign_in_code,
}


def _token_url(settings: Settings, page: str, token: str) -> str:
    return f"{settings.account_url}/{page}?{urlencode({'token': token})}"
