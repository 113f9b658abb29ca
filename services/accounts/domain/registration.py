"""Registration: sign-up with or without an invitation.

The response and the work are the same for a free and a taken email address; only the mail differs.
"""

from datetime import UTC, datetime

from uuid_utils.compat import uuid7

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.identity import one_time_tokens
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.domain.identity.user_adapter import UserAdapter
from accounts.domain.invitations.answering import accept_token, require_invitation
from accounts.domain.mail import outbox
from accounts.models import MailKind, Purpose, User
from accounts.schemas.identity.users import RegistrationCreate
from accounts.settings import Settings


class RegistrationManager:
    """Registers users. Methods run in the caller's transaction."""

    def __init__(self, db: Session, passwords: PasswordHasher, settings: Settings) -> None:
        self.db = db
        self.passwords = passwords
        self.key = settings.secret_keys[0]

    async def register(self, registration: RegistrationCreate) -> User:
        """Create a user and send a token that verifies the email address.

        With an invitation, the address is verified already, and the user becomes a member of the group. If the address
        is taken, its owner is notified by mail, and the returned user is not stored.

        Raises:
            RegisterInvalidPassword: the policy refuses the password.
            InvitationBadToken: the invitation's token is not usable.
            InvitationOtherAddress: the invitation was sent to another email address.
            Busy: the queue of passwords to hash is full.

        """
        columns = await self.passwords.new_user_columns(registration)
        if registration.invitation:
            await require_invitation(self.db, registration.invitation, registration.email)
            columns["is_verified"] = True
        try:
            async with self.db.begin_nested():
                user = await UserAdapter(self.db).create(columns)
        except errors.RegisterUserAlreadyExists:
            await outbox.enqueue_to_email_owner(self.db, MailKind.ACCOUNT_EXISTS, registration.email)
            return _unsaved_user(registration)
        if registration.invitation:
            await accept_token(self.db, registration.invitation, user)
        else:
            await one_time_tokens.send_token(self.db, self.key, user.email, Purpose.VERIFY)
        return user


def _unsaved_user(registration: RegistrationCreate) -> User:
    """Return a user that looks like one who has just registered."""
    now = datetime.now(UTC)
    return User(
        id=uuid7(),
        email=registration.email,
        display_name=registration.display_name,
        is_active=True,
        is_superuser=False,
        is_verified=bool(registration.invitation),
        created_at=now,
        updated_at=now,
    )
