"""Changing one's address: it is confirmed from the new one, and can be taken back from the old one."""

import uuid

from sqlmodel import col, exists, func, select
from uuid_utils.compat import uuid7

from accounts.domain import errors
from accounts.domain.identity import one_time_tokens
from accounts.domain.identity.user_adapter import translate_errors
from accounts.domain.identity.verification import Recovery
from accounts.domain.mail import outbox
from accounts.domain.mail.outbox import OutgoingMail
from accounts.models import MailKind, Purpose, User
from accounts.models.identity import folded


class Addresses(Recovery):
    """The part of the user manager that changes addresses."""

    async def ask_to_confirm(self, user: User, email: str) -> None:
        """Mail a token to a new address, whose use makes it the user's.

        If somebody else has it, they are told instead; whoever asked cannot tell.
        """
        others = exists().where(func.lower(User.email) == folded(email), col(User.id) != user.id)
        if await self.db.scalar(select(others)):
            await outbox.enqueue_to_email_owner(self.db, MailKind.ACCOUNT_EXISTS, email)
            return
        letter = OutgoingMail(email, user.id)
        await one_time_tokens.store_token(self.db, self.key, letter.id, user, Purpose.CONFIRM_EMAIL, email)
        await outbox.enqueue(self.db, MailKind.CONFIRM_EMAIL, [letter])

    async def confirm_email(self, token: str) -> User:
        """Change the address of a user to the one that a token was sent to, which is verified by it.

        It ends all sessions, and the address before gets a token that takes it back.

        Raises:
            ConfirmEmailBadToken: the token is good for nothing, or not for this.
            UpdateUserEmailAlreadyExists: somebody else has got the address meanwhile.

        """
        found = await one_time_tokens.consume_token(self.db, token, Purpose.CONFIRM_EMAIL)
        if found is None:
            raise errors.ConfirmEmailBadToken
        user, email = found
        before = user.email
        await self._move(user, email)
        await self.tell_before(user, before, uuid7())
        return user

    async def undo_email(self, token: str) -> User:
        """Give the address back to which a token was sent, and mail a token there for a new password.

        Whoever changed it may know the password. It ends all sessions.

        Raises:
            UndoEmailBadToken: the token is good for nothing, or not for this.
            UpdateUserEmailAlreadyExists: somebody else has got the address meanwhile.

        """
        found = await one_time_tokens.consume_token(self.db, token, Purpose.UNDO_EMAIL)
        if found is None:
            raise errors.UndoEmailBadToken
        user, email = found
        await self._move(user, email)
        await one_time_tokens.send_token(self.db, self.key, user.email, Purpose.RESET)
        return user

    async def _move(self, user: User, email: str) -> None:
        with translate_errors(errors.UpdateUserEmailAlreadyExists, errors.UserNotFound):
            await self.user_db.update(user, {"email": email, "is_verified": True})
        await self.distrust(user)

    async def tell_before(self, user: User, before: str, mail_id: uuid.UUID | None = None) -> None:
        """Tell whoever has the address before of the change; under ``mail_id`` they may take it back.

        Only the first of several changes within a week: the address before the second one may be a thief's.
        """
        undo = mail_id is not None and await one_time_tokens.store_token(
            self.db, self.key, mail_id, user, Purpose.UNDO_EMAIL, before, supersede=False
        )
        detail = {"undo": undo, "now": user.email}
        letter = OutgoingMail(before, user.id, detail=detail, id=mail_id or uuid7())
        await outbox.enqueue(self.db, MailKind.EMAIL_CHANGED, [letter])
