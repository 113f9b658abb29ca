"""Values for letters, loaded when a letter is composed: current names, and links with tokens that still work."""

import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode, urlsplit

from sqlalchemy import ARRAY, LargeBinary, bindparam, func, select
from sqlmodel import col

from accounts.db.statements import CompiledStatement, Database
from accounts.domain.identity import first_passwords, mailed_tokens, one_time_tokens, pending_registrations
from accounts.domain.mail.languages import best_language
from accounts.domain.mail.queue import LeasedMail
from accounts.domain.mailed_codes import store
from accounts.domain.mailed_codes.codes import derive_code
from accounts.models import AccessKey, Invitation, MailKind, Purpose, User, UserGroup
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
SELECT_INVITATION = CompiledStatement(
    select(
        col(UserGroup.name),
        col(User.display_name),
        *(col(column) for column in (Invitation.role, Invitation.note, Invitation.token_hash, Invitation.expires_at)),
    )
    .select_from(Invitation)
    .join(UserGroup, col(UserGroup.id) == Invitation.group_id)
    .outerjoin(User, col(User.id) == Invitation.inviter_id)
    .where(
        col(Invitation.id) == bindparam("id"),
        col(Invitation.token_hash) == func.any(bindparam("hashes", type_=ARRAY(LargeBinary))),
        IS_OPEN,
    )
)
SELECT_KEY = CompiledStatement(
    select(col(AccessKey.name), col(AccessKey.expires_at)).where(col(AccessKey.id) == bindparam("id"))
)


@dataclass(frozen=True, slots=True)
class Source:
    """A mail, and the database from which the values for its letter are read; ``start`` as in ``message_context``."""

    db: Database
    mail: LeasedMail
    settings: Settings
    start: bool


async def message_context(
    db: Database, mail: LeasedMail, settings: Settings, *, start: bool = True
) -> dict[str, Any] | None:
    """Return the values for a letter by name, or None if it has become obsolete.

    A letter is obsolete if its token was used, revoked or replaced by a newer one, or if it is about a role that the
    user no longer has, or that a user gave who is inactive or deleted by now, or about a revoked access key.

    Args:
        start: start the lifetime of the letter's token or code. If not, nothing is written.

    """
    values: dict[str, Any] = {"name": mail.name, "language": mail.language, "at": mail.created_at}
    values |= OPTIONAL | mail.detail | _page_urls(settings)
    if mail.kind in WITH_DEVICE:
        gettext = get_language(best_language(mail.language)).gettext
        values |= {"device": describe_user_agent(values["device"], gettext)}
    if mail.kind is MailKind.EMAIL_CHANGED:
        values |= {"new_email_hint": mask_email(values.pop("now")), "url": None, "expires_at": None}
    if mail.kind not in LOADERS:
        return values
    loaded = await LOADERS[mail.kind](Source(db, mail, settings, start))
    if loaded is None and mail.kind is not MailKind.EMAIL_CHANGED:  # which is sent without a link, too
        return None
    return values | (loaded or {})


def _page_urls(settings: Settings) -> dict[str, str]:
    pages = {"sign_in_url": "sign-in", "reset_url": "forgot-password", "sessions_url": "sessions", "url": ""}
    return {name: f"{settings.account_url}/{page}".rstrip("/") for name, page in pages.items()}


async def _token_link(source: Source) -> dict[str, Any] | None:
    mail, keys = source.mail, source.settings.secret_keys
    purpose, page = LINKS[mail.kind]
    lifetime = first_passwords.LIFETIME if mail.detail.get("first_password") else None
    activated = await one_time_tokens.activate_token(source.db, keys, mail.id, purpose, lifetime, start=source.start)
    return _link(source.settings, page, *activated) if activated else None


async def _sign_up_link(source: Source) -> dict[str, Any] | None:
    keys = source.settings.secret_keys
    activated = await pending_registrations.activate(source.db, keys, source.mail.id, start=source.start)
    return _link(source.settings, SIGN_UP_PAGE, *activated) if activated else None


def _link(settings: Settings, page: str, token: str, expires_at: datetime) -> dict[str, Any]:
    return {"url": _token_url(settings, page, token), "expires_at": expires_at}


async def _invitation(source: Source) -> dict[str, Any] | None:
    tokens = mailed_tokens.candidate_tokens(source.settings.secret_keys, source.mail.id)
    rows = await SELECT_INVITATION.rows(source.db, id=source.mail.invitation_id, hashes=list(tokens))
    for group_name, inviter_name, role, note, token_hash, expires_at in rows:
        link = _link(source.settings, INVITATION_PAGE, tokens[token_hash], expires_at)
        return link | {"group_name": group_name, "inviter_name": inviter_name or None, "role": role, "note": note}
    return None


async def _expiring_key(source: Source) -> dict[str, Any] | None:
    rows = await SELECT_KEY.rows(source.db, id=uuid.UUID(source.mail.detail["key_id"]))
    return dict(zip(("key_name", "expires_at"), rows[0], strict=True)) if rows else None


async def _current_role(source: Source) -> dict[str, Any] | None:
    return {} if await role_is_current(source.db, source.mail) else None


async def _sign_in_code(source: Source) -> dict[str, Any] | None:
    expires_at = await store.activate(source.db, source.mail.id, start=source.start)
    if expires_at is None:
        return None
    code = derive_code(source.settings.secret_keys[0], source.mail.id)
    return {"code": code, "expires_at": expires_at, "site": urlsplit(source.settings.account_url).netloc}


# Kinds whose values are read from other tables than the outbox: None if the letter is obsolete.
LOADERS: dict[MailKind, Callable[[Source], Awaitable[dict[str, Any] | None]]] = {
    **dict.fromkeys(LINKS, _token_link),
    MailKind.SIGN_UP: _sign_up_link,
    MailKind.INVITATION: _invitation,
    MailKind.ROLE_CHANGED: _current_role,
    MailKind.TOKEN_EXPIRES: _expiring_key,
    MailKind.SIGN_IN_CODE: _sign_in_code,
}


def _token_url(settings: Settings, page: str, token: str) -> str:
    return f"{settings.account_url}/{page}?{urlencode({'token': token})}"
