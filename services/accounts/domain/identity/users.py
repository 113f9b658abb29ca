"""Users: FastAPI Users' manager and adapter, hashing off the event loop and committing nothing."""

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any, override

from fastapi import Request
from fastapi_users import UUIDIDMixin, exceptions
from sqlmodel import col, select
from uuid_utils.compat import uuid7

from accounts.db.session import Session
from accounts.domain import errors, last_owner
from accounts.domain.identity import one_time_tokens, password_policy
from accounts.domain.identity.email_change import Addresses
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.domain.identity.reauthentication import lock_session, reauthenticate
from accounts.domain.identity.sign_in import SignIn
from accounts.domain.identity.user_adapter import UserAdapter, translate_errors
from accounts.domain.invitations.answering import accept_token, require_invitation
from accounts.domain.mail import outbox
from accounts.models import MailKind, Purpose, User, UserSession
from accounts.schemas.identity.users import RegistrationCreate, UserCreate, UserUpdate


class UserManager(UUIDIDMixin, SignIn, Addresses):
    """Rules about users. Every method runs in the session's transaction, which somebody else ends."""

    def __init__(
        self, db: Session, passwords: PasswordHasher, key: str, recent: timedelta = timedelta(minutes=10)
    ) -> None:
        """``key`` makes tokens; ``recent`` is how long a sign-in proves who somebody is."""
        super().__init__(UserAdapter(db, User))
        self.recent = recent
        self.db = db
        self.passwords = passwords
        self.key = key

    async def by_id(self, user_id: uuid.UUID) -> User:
        """Find a user.

        Raises:
            UserNotFound: there is none.

        """
        user = await self.user_db.get(user_id)
        if user is None:
            raise errors.UserNotFound
        return user

    @override
    async def create(self, user_create: UserCreate) -> User:  # type: ignore[override]  # the schema decides what is safe
        """Make a user.

        Raises:
            RegisterUserAlreadyExists: also when two callers race for one address.
            RegisterInvalidPassword: the policy refuses the password.
            Busy: too many passwords are waiting to be hashed.

        """
        with translate_errors(errors.RegisterUserAlreadyExists, errors.RegisterInvalidPassword):
            return await self.user_db.create(await self._hashed(user_create))

    async def register(self, wanted: RegistrationCreate) -> User:
        """Make a user, and mail them a token to verify the address, unless they were invited and so have proven it.

        Where somebody has the address, they are told by mail, and a user is returned who is stored nowhere: only
        whoever reads the mailbox learns which it was.

        Raises:
            RegisterInvalidPassword: the policy refuses the password.
            InvitationBadToken: there is an invitation's token, and it is good for nothing.
            InvitationOtherAddress: the invitation was sent to another address.
            Busy: too many passwords are waiting to be hashed.

        """
        with translate_errors(errors.RegisterUserAlreadyExists, errors.RegisterInvalidPassword):
            values = await self._hashed(wanted)
        if wanted.invitation:
            await require_invitation(self.db, wanted.invitation, wanted.email)
        try:
            async with self.db.begin_nested():
                user = await self.user_db.create(values)
        except exceptions.UserAlreadyExists:
            await outbox.enqueue_to_email_owner(self.db, MailKind.ACCOUNT_EXISTS, wanted.email)
            return _nobody(wanted)
        if wanted.invitation:
            await accept_token(self.db, wanted.invitation, user)
        else:
            await one_time_tokens.send_token(self.db, self.key, user.email, Purpose.VERIFY)
        return user

    async def _hashed(self, user_create: UserCreate) -> dict[str, Any]:
        values = user_create.model_dump()
        password = values.pop("password")
        await self.validate_password(password, user_create)
        return values | {"hashed_password": await self.passwords.hash(password)}

    @override
    async def update(  # type: ignore[override]  # as above
        self, user_update: UserUpdate, user: User, current: UserSession | None = None
    ) -> User:
        """Change what ``user_update`` names; ``current`` is the session of whoever asks.

        A new password ends all other sessions of the user, deactivation all of them, and either is told by mail. A new
        address of one's own takes effect when it is confirmed; superusers change those of others at once.

        Raises:
            BadCurrentPassword: of users who change their own password or address.
            ReauthenticationRequired: of the same.
            UpdateUserEmailAlreadyExists: of another user's; also when two callers race for one address.
            UpdateUserInvalidPassword: the policy refuses the password.
            LastSuperuser: nobody could administer the system any more.
            LastOwner: groups would be left without an active owner.
            UserNotFound: the user was deleted meanwhile.
            Busy: too many passwords are waiting to be hashed.

        """
        values = user_update.model_dump(exclude_unset=True)
        if values.get("email") == user.email:
            del values["email"]
        current_password = values.pop("current_password", None)
        own = _own(user, current) if values.keys() & {"password", "email"} else None
        if own:
            await reauthenticate(self.db, self.passwords, user, own, current_password, self.recent)
        wanted_email = values.pop("email", None) if own else None
        before = user.email, user.is_superuser
        with translate_errors(errors.UpdateUserEmailAlreadyExists, errors.UpdateUserInvalidPassword):
            values = await self._prepared(user, values)
            if own:
                await lock_session(self.db, user, own, self.recent)
            user = await self.user_db.update(user, values)
        if not values.get("is_active", True):
            await self.distrust(user)
        elif values.keys() & {"hashed_password", "email"}:
            await self.distrust(user, current)
        await self._tell(user, values, *before)
        if wanted_email:
            await self.ask_to_confirm(user, wanted_email)
        return user

    async def _tell(self, user: User, values: dict[str, Any], email: str, superuser: bool) -> None:  # noqa: FBT001  # as it was
        if "hashed_password" in values:
            await outbox.enqueue_to_user(self.db, MailKind.PASSWORD_CHANGED, user)
        if user.is_superuser is not superuser:
            detail = {"is_superuser": user.is_superuser}
            await outbox.enqueue_to_user(self.db, MailKind.SUPERUSER_CHANGED, user, **detail)
        if user.email != email:
            await self.tell_before(user, email)
            await one_time_tokens.send_token(self.db, self.key, user.email, Purpose.VERIFY)

    async def _prepared(self, user: User, values: dict[str, Any]) -> dict[str, Any]:
        """Apply the rules to a change, and make of it what is stored."""
        if password := values.pop("password", None):
            await self.validate_password(password, user, values.get("email", ""), values.get("display_name", ""))
            await self.db.release_connection()
            values["hashed_password"] = await self.passwords.hash(password)
        if "email" in values:
            values = {"is_verified": False} | values
        if not (values.get("is_superuser", True) and values.get("is_active", True)):
            await self._refuse_last_superuser(user)
        if not values.get("is_active", True):
            await last_owner.require_other_owners(self.db, user)
        return values

    @override
    async def delete(
        self,
        user: User,
        request: Request | None = None,
        current: UserSession | None = None,
        current_password: str | None = None,
    ) -> None:
        """Delete a user with the memberships, sessions and tokens; ``current`` is the session of whoever asks.

        Raises:
            BadCurrentPassword: of users who delete themselves.
            ReauthenticationRequired: of the same.
            LastSuperuser: nobody could administer the system any more.
            LastOwner: groups would be left without an active owner.
            UserNotFound: the user was deleted meanwhile.
            Busy: too many passwords are waiting to be compared.

        """
        own = _own(user, current)
        if own:
            await reauthenticate(self.db, self.passwords, user, own, current_password, self.recent)
        await self._refuse_last_superuser(user)
        if own:
            await lock_session(self.db, user, own, self.recent)
        await last_owner.require_other_owners(self.db, user)
        with translate_errors(errors.UserNotFound, errors.UserNotFound):
            await self.user_db.delete(user)

    async def _refuse_last_superuser(self, user: User) -> None:
        # Locking all of them makes two superusers who demote each other at the same instant wait for one another; and
        # who was none when read may be the last one by now.
        statement = select(User.id).where(User.is_superuser, User.is_active).order_by(col(User.id))
        if (await self.db.exec(statement.with_for_update(key_share=True))).all() == [user.id]:
            raise errors.LastSuperuser

    @override
    async def validate_password(self, password: str, user: UserCreate | User, *also: str) -> None:  # type: ignore[override]  # as above
        """Apply the policy; ``also`` is what else others may know of the user.

        Raises:
            InvalidPasswordException: with a reason to show.

        """
        about = (user.email, user.display_name, *also)
        if reason := password_policy.find_weakness(password, self.passwords.shortest, about):
            raise exceptions.InvalidPasswordException(reason)


def _own(user: User, current: UserSession | None) -> UserSession | None:
    """The session, if it is the user's own: superusers need not prove anything to change others."""
    return current if current and current.user_id == user.id else None


def _nobody(wanted: RegistrationCreate) -> User:
    """Make a user like one who has just signed up, and store them nowhere."""
    now, proven = datetime.now(UTC), bool(wanted.invitation)
    flags = {"is_active": True, "is_superuser": False, "is_verified": proven}
    return User(
        id=uuid7(), email=wanted.email, display_name=wanted.display_name, created_at=now, updated_at=now, **flags
    )
