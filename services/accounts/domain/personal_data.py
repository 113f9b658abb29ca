"""Export of personal data: everything that is stored about a user, except secrets.

A new entity takes a line in ``parts`` and a field of ``PersonalData``. A test fails for data about users that is
neither exported nor listed in the test with a reason.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy import ColumnElement
from sqlmodel import col, select

from accounts.db.session import Session
from accounts.domain.audit import history
from accounts.domain.invitations.answering import sent_to
from accounts.domain.keyset import Keyset
from accounts.models import (
    AccessKey,
    ExternalIdentity,
    Invitation,
    KnownDevice,
    MailKind,
    MemberImport,
    Membership,
    OneTimeToken,
    OutboxMail,
    Passkey,
    Purpose,
    Totp,
    User,
    UserGroup,
    UserSession,
)
from accounts.schemas.identity.users import UserRead
from accounts.schemas.pagination import Page, PageQuery
from accounts.schemas.personal_data import (
    InvitationForMe,
    PersonalAccessKey,
    PersonalDataHead,
    PersonalDevice,
    PersonalIdentity,
    PersonalImport,
    PersonalInvitation,
    PersonalMail,
    PersonalMembership,
    PersonalPasskey,
    PersonalSession,
    PersonalToken,
    PersonalTotp,
    StoredRow,
)

NOT_SHOWN = [
    "user.hashed_password",
    "user_session.token_hash",
    "access_key.secret_hash",
    "one_time_token.token_hash",
    "invitation.token_hash",
    "totp.secret_sealed",
]
# Functions that write a key into a cursor and parse it, for types where ``str`` and the type itself cannot.
CURSOR_CODECS: dict[type, tuple[Callable[[Any], str], Callable[[str], Any]]] = {bytes: (bytes.hex, bytes.fromhex)}
ReadPage = Callable[[Session, PageQuery], Awaitable[Page[Any]]]


def head(user: User) -> PersonalDataHead:
    """Return the members of the export that are not lists."""
    return PersonalDataHead(exported_at=datetime.now(UTC), not_shown=NOT_SHOWN, user=UserRead.model_validate(user))


def parts(user: User) -> dict[str, ReadPage]:
    """Return the lists of the export by name, each as the function that reads a page of it.

    A requested change of the email address is left out: it would show whether another user has the address.
    """
    return {
        "memberships": _part(
            PersonalMembership,
            col(Membership.group_id),
            col(Membership.user_id) == user.id,
            col(UserGroup.id) == Membership.group_id,
            group_name=col(UserGroup.name),
        ),
        "sessions": _part(PersonalSession, col(UserSession.id), col(UserSession.user_id) == user.id),
        "access_keys": _part(PersonalAccessKey, col(AccessKey.id), col(AccessKey.user_id) == user.id),
        "passkeys": _part(PersonalPasskey, col(Passkey.id), col(Passkey.user_id) == user.id),
        "external_identities": _part(
            PersonalIdentity, col(ExternalIdentity.id), col(ExternalIdentity.user_id) == user.id
        ),
        "one_time_tokens": _part(
            PersonalToken,
            col(OneTimeToken.purpose),
            col(OneTimeToken.user_id) == user.id,
            col(OneTimeToken.purpose) != Purpose.CONFIRM_EMAIL,
        ),
        "totp": _part(PersonalTotp, col(Totp.user_id), col(Totp.user_id) == user.id),
        "devices": _part(PersonalDevice, col(KnownDevice.fingerprint), col(KnownDevice.user_id) == user.id),
        "mails": _part(
            PersonalMail,
            col(OutboxMail.id),
            col(OutboxMail.user_id) == user.id,
            col(OutboxMail.kind) != MailKind.CONFIRM_EMAIL,
        ),
        "invitations_for_me": _part(
            InvitationForMe,
            col(Invitation.id),
            sent_to(user),
            col(UserGroup.id) == Invitation.group_id,
            group_name=col(UserGroup.name),
        ),
        "invitations_by_me": _part(PersonalInvitation, col(Invitation.id), col(Invitation.inviter_id) == user.id),
        "member_imports": _part(PersonalImport, col(MemberImport.id), col(MemberImport.actor_id) == user.id),
        "events": partial(history.list_activity, user=user),
    }


def _part(schema: type[StoredRow], key: Any, *conditions: ColumnElement[bool], **joined: Any) -> ReadPage:
    """Return the function that reads a page of the rows that meet ``conditions``, in the order of ``key``.

    Args:
        schema: names the columns to read, of the entity of ``key`` or of ``joined``.
        key: a unique column.

    """
    columns = [
        joined[name].label(name) if name in joined else getattr(key.class_, name) for name in schema.model_fields
    ]
    statement = select(*columns).where(*conditions)
    to_text, from_text = CURSOR_CODECS.get(key.type.python_type, (str, key.type.python_type))
    order = Keyset((key,), text=lambda row: to_text(getattr(row, key.key)), parse=lambda text: (from_text(text),))

    async def read_page(db: Session, query: PageQuery) -> Page[Any]:
        page = await order.page(db, statement, query)
        return replace(page, rows=[schema.model_validate(row) for row in page.rows])

    return read_page
