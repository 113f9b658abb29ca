"""Registration: sign-up with or without an invitation, as SIGN_UP allows it.

The response and the work are the same for a free and a taken email address; only the mail differs.
"""

from datetime import UTC, datetime

from uuid_utils.compat import uuid7

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.identity import one_time_tokens, pending_registrations
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.domain.identity.user_adapter import UserAdapter
from accounts.domain.invitations.answering import accept_token, require_invitation
from accounts.domain.mail import outbox
from accounts.domain.opaque_tokens import hash_token
from accounts.models import MailKind, PendingRegistration, Purpose, User
from accounts.schemas.identity.auth import RegistrationCompletion
from accounts.schemas.identity.users import RegistrationCreate, UserCreate
from accounts.settings import Settings, SignUp


class RegistrationManager:
    """Registers users. Methods run in the caller's transaction."""

    def __init__(self, db: Session, passwords: PasswordHasher, settings: Settings) -> None:
        self.db = db
        self.passwords = passwords
        self.key = settings.secret_keys[0]
        self.sign_up = settings.sign_up

    async def register(self, registration: RegistrationCreate) -> User:
        """Create a user, or mail a token that completes the registration, as SIGN_UP says.

        With an invitation, whose token proves the address, the user is created at once, verified and as a member of
        the group. If the address is taken, its owner is notified by mail, and the returned user is not stored.

        Raises:
            RegisterClosed: SIGN_UP is ``closed``.
            RegisterInvitationRequired: SIGN_UP is ``invited``, and there is no invitation.
            RegisterInvalidPassword: the policy refuses the password.
            InvitationBadToken: the invitation's token is not usable.
            InvitationOtherAddress: the invitation was sent to another email address.
            Busy: the queue of passwords to hash is full.

        """
        if self.sign_up is SignUp.CLOSED:
            raise errors.RegisterClosed
        if registration.invitation or self.sign_up is SignUp.OPEN:
            return await self._create(registration)
        if self.sign_up is SignUp.INVITED:
            raise errors.RegisterInvitationRequired
        await pending_registrations.request(self.db, self.key, registration.email)
        return _unsaved_user(registration)

    async def _create(self, registration: RegistrationCreate) -> User:
        columns = await self.passwords.new_user_columns(registration)
        if registration.invitation:
            await require_invitation(self.db, hash_token(registration.invitation), registration.email)
            columns["is_verified"] = True
        try:
            async with self.db.begin_nested():
                user = await UserAdapter(self.db).create(columns)
        except errors.RegisterUserAlreadyExists:
            await outbox.enqueue_to_email_owner(self.db, MailKind.ACCOUNT_EXISTS, registration.email)
            return _unsaved_user(registration)
        if registration.invitation:
            await accept_token(self.db, hash_token(registration.invitation), user)
        else:
            await one_time_tokens.send_token(self.db, self.key, user.email, Purpose.VERIFY)
        return user

    async def find_pending(self, token: str) -> PendingRegistration:
        """Return the registration that a token completes. The token stays usable.

        Raises:
            RegisterBadToken: the token is not usable for this.

        """
        pending = await pending_registrations.find(self.db, token)
        if pending is None:
            raise errors.RegisterBadToken
        return pending

    async def complete(self, completion: RegistrationCompletion) -> User:
        """Create the verified user of a registration, with what the owner of the mailbox chose.

        Raises:
            RegisterBadToken: the token is not usable for this.
            RegisterInvalidPassword: the policy refuses the password. The token stays usable.
            RegisterUserAlreadyExists: the email address was taken meanwhile.
            Busy: the queue of passwords to hash is full. The token stays usable.

        """
        pending = await self.find_pending(completion.token)
        await self.db.release_connection()
        # Validated already, and the settings of that may have changed since.
        user_create = UserCreate.model_construct(email=pending.email, **completion.model_dump(exclude={"token"}))
        columns = await self.passwords.new_user_columns(user_create)
        if not await pending_registrations.consume(self.db, pending):
            raise errors.RegisterBadToken
        return await UserAdapter(self.db).create(columns | {"is_verified": True})


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
