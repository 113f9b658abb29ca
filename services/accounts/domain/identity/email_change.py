"""Change of an email address: confirmed from the new address; the previous one can undo it for a week."""

import uuid
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete
from sqlmodel import col, exists, func, or_, select
from sqlmodel.sql.expression import Select
from uuid_utils.compat import uuid7

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.access_keys.store import AccessKeyStore
from accounts.domain.identity import one_time_tokens
from accounts.domain.identity.reserved_emails import email_is_reserved
from accounts.domain.identity.second_factors import delete_factors
from accounts.domain.identity.stored_hashes import UNUSABLE
from accounts.domain.identity.user_adapter import UserAdapter
from accounts.domain.mail import outbox
from accounts.domain.mail.outbox import OutgoingMail
from accounts.domain.sessions.sessions import SessionManager
from accounts.domain.ways_in import delete_identities
from accounts.models import MailKind, OneTimeToken, Purpose, User
from accounts.models.base import folded
from accounts.settings import Settings

# The change is not older: the undo token's lifetime begins when its mail is written, which is tried for about two days.
UNDONE = one_time_tokens.LIFETIME[Purpose.UNDO_EMAIL] + timedelta(days=3)


class PendingEmailChange(NamedTuple):
    """A change of a user's email address that was requested, and not confirmed yet."""

    email: str
    requested_at: datetime


class EmailChangeManager:
    """Changes email addresses. Methods run in the caller's transaction."""

    def __init__(self, db: Session, settings: Settings) -> None:
        self.db = db
        self.key = settings.secret_keys[0]
        self.sessions = SessionManager(db, settings)

    async def pending(self, user: User) -> PendingEmailChange | None:
        """Return a request that was not confirmed yet, for a day.

        It does not show whether another user has the address: both requests store a token, and the time of the mail,
        which one of them sends, does not count.
        """
        row = (await self.db.exec(_select_pending(user))).one_or_none()
        return row and PendingEmailChange(*row)

    async def get(self, user: User) -> PendingEmailChange:
        """Return a request that was not confirmed yet; see ``pending``.

        Raises:
            EmailChangeNotFound: there is none.

        """
        change = await self.pending(user)
        if change is None:
            raise errors.EmailChangeNotFound
        return change

    async def request(self, user: User, email: str) -> None:
        """Send a token to the new email address. If it is taken or reserved, notify its owner instead.

        The token of an earlier request is replaced in both cases: if it still worked, the address would be taken.
        """
        mail = OutgoingMail(email, user.id)
        await one_time_tokens.store_token(self.db, self.key, mail.id, user, Purpose.CONFIRM_EMAIL, email)
        taken = exists().where(func.lower(User.email) == folded(email), col(User.id) != user.id)
        if await self.db.scalar(select(or_(taken, email_is_reserved(email, user.id)))):
            await outbox.enqueue_to_email_owner(self.db, MailKind.ACCOUNT_EXISTS, email)
        else:
            await outbox.enqueue(self.db, MailKind.CONFIRM_EMAIL, [mail])

    async def resend(self, user: User) -> None:
        """Repeat a request that was not confirmed yet. The user reauthenticated for it, and the address is the same.

        The user is locked first, as by ``consume_token``.

        Raises:
            EmailChangeNotFound: there is none.

        """
        pending = _select_pending(user).join(User, col(User.id) == col(OneTimeToken.user_id))
        row = (await self.db.exec(pending.with_for_update(of=User, key_share=True))).one_or_none()
        if row is None:
            raise errors.EmailChangeNotFound
        await self.request(user, PendingEmailChange(*row).email)

    async def cancel(self, user: User) -> None:
        """Revoke the token of a request, if there is one. A mail that waits is not sent without its token.

        It does not say whether there was one: a token that was sent lives longer than one that was not.
        """
        await self.db.exec(delete(OneTimeToken).where(*_is_of(user)))

    async def confirm(self, token: str) -> User:
        """Change the email address to the one that a token was sent to, which verifies it, and end all sessions.

        The previous address is sent a token that undoes the change.

        Raises:
            ConfirmEmailBadToken: the token is not usable for this.
            UpdateUserEmailAlreadyExists: the email address is taken or reserved by now.

        """
        user, email = await one_time_tokens.consume_token(self.db, token, Purpose.CONFIRM_EMAIL) or (None, "")
        if user is None:
            raise errors.ConfirmEmailBadToken
        previous = user.email
        await self._set(user, email)
        await self.notify_previous(user, previous, undo_mail_id=uuid7())
        return user

    async def undo(self, token: str) -> User:
        """Change the email address back to the one that a token was sent to, and end all sessions and access keys.

        The attacker may know the password, and may have added second factors and other ways in. So the password ends,
        and what was added since. A token to reset the password is sent as well. Older factors stay: the one who reads
        the mail of the previous address may be the attacker.

        Raises:
            UndoEmailBadToken: the token is not usable for this.
            UpdateUserEmailAlreadyExists: another user has the email address.

        """
        user, email = await one_time_tokens.consume_token(self.db, token, Purpose.UNDO_EMAIL) or (None, "")
        if user is None:
            raise errors.UndoEmailBadToken
        await self._set(user, email, hashed_password=UNUSABLE)
        await AccessKeyStore(self.db).revoke_all(user)
        await delete_identities(self.db, user, newer_than=UNDONE)
        await delete_factors(self.db, user, newer_than=UNDONE)
        mail = OutgoingMail(email, user.id, detail={"email_restored": True})
        await one_time_tokens.store_token(self.db, self.key, mail.id, user, Purpose.RESET, email)
        await outbox.enqueue(self.db, MailKind.RESET, [mail])
        return user

    async def _set(self, user: User, email: str, **more: str) -> None:
        await UserAdapter(self.db).update(user, {"email": email, "is_verified": True, **more})
        await one_time_tokens.revoke_tokens(self.db, user)
        await self.sessions.revoke_all(user)

    async def notify_previous(self, user: User, previous: str, undo_mail_id: uuid.UUID | None = None) -> None:
        """Notify the previous email address. The mail with id ``undo_mail_id`` has a token that undoes the change.

        Only the first of several changes within a week can be undone: an attacker may own the address that the second
        one replaces.
        """
        undo = undo_mail_id is not None and await one_time_tokens.store_token(
            self.db, self.key, undo_mail_id, user, Purpose.UNDO_EMAIL, previous, supersede=False
        )
        detail = {"undo": undo, "now": user.email}
        mail = OutgoingMail(previous, user.id, detail=detail, id=undo_mail_id or uuid7())
        await outbox.enqueue(self.db, MailKind.EMAIL_CHANGED, [mail])


def _is_of(user: User) -> tuple[ColumnElement[bool], ...]:
    return col(OneTimeToken.user_id) == user.id, col(OneTimeToken.purpose) == Purpose.CONFIRM_EMAIL


def _select_pending(user: User) -> Select[str, datetime]:
    lifetime = one_time_tokens.LIFETIME[Purpose.CONFIRM_EMAIL]
    is_recent = col(OneTimeToken.requested_at) > func.now() - lifetime
    return select(OneTimeToken.email, OneTimeToken.requested_at).where(*_is_of(user), is_recent)
