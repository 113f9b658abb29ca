"""Users: create, get, list, update and delete, with the rules about credentials and the last superuser."""

import uuid
from datetime import timedelta
from typing import Any

from sqlmodel import col, select

from accounts.db.session import Session
from accounts.domain import errors, last_owner
from accounts.domain.identity import one_time_tokens, user_search
from accounts.domain.identity.email_change import EmailChangeManager
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.domain.identity.reauthentication import lock_session, reauthenticate
from accounts.domain.identity.user_adapter import UserAdapter
from accounts.domain.mail import outbox
from accounts.domain.sessions.sessions import SessionManager
from accounts.models import MailKind, Purpose, User, UserSession
from accounts.schemas.identity.users import UserCreate, UserQuery, UserUpdate
from accounts.schemas.pagination import Page
from accounts.settings import Settings


class UserManager:
    """Operations on users. Methods run in the caller's transaction."""

    def __init__(self, db: Session, passwords: PasswordHasher, settings: Settings) -> None:
        self.db = db
        self.passwords = passwords
        self.key = settings.secret_keys[0]
        self.recent = timedelta(seconds=settings.recent_seconds)
        self.adapter = UserAdapter(db)
        self.email_changes = EmailChangeManager(db, settings)
        self.sessions = SessionManager(db, settings)

    async def get(self, user_id: uuid.UUID) -> User:
        """Get a user by id.

        Raises:
            UserNotFound: there is none.

        """
        user = await self.adapter.get(user_id)
        if user is None:
            raise errors.UserNotFound
        return user

    async def get_by_email(self, email: str) -> User:
        """Get a user by email address, in any letter case.

        Raises:
            UserNotFound: there is none.

        """
        user = await self.adapter.get_by_email(email)
        if user is None:
            raise errors.UserNotFound
        return user

    async def list(self, query: UserQuery) -> Page[User]:
        """List users; see ``user_search.list_users``.

        Raises:
            BadCursor: the cursor does not belong to this list.

        """
        return await user_search.list_users(self.db, query)

    async def create(self, user_create: UserCreate) -> User:
        """Create a user, with the flags that the schema has.

        Raises:
            RegisterUserAlreadyExists: the email address is taken, also by a concurrent request.
            RegisterInvalidPassword: the policy refuses the password.
            Busy: the queue of passwords to hash is full.

        """
        return await self.adapter.create(await self.passwords.new_user_columns(user_create))

    async def update(self, user_update: UserUpdate, user: User, current: UserSession | None = None) -> User:
        """Change the fields that are set. ``current`` is the caller's session.

        A new password ends all other sessions of the user, deactivation ends all. Mail notifies the user of a new
        password or email address, and of a change to the superuser flag. A user's own new address has to be confirmed
        before it changes; superusers change another user's at once.

        Raises:
            BadCurrentPassword: for users who change their own password or email address.
            ReauthenticationRequired: likewise.
            UpdateUserEmailAlreadyExists: another user has the email address, also by a concurrent request.
            UpdateUserInvalidPassword: the policy refuses the password.
            LastSuperuser: no other superuser is active.
            LastOwner: groups would have no active owner left.
            UserNotFound: the user was deleted concurrently.
            Busy: the queue of passwords to hash is full.

        """
        changes = user_update.model_dump(exclude_unset=True)
        current_password = changes.pop("current_password", None)
        if changes.get("email") == user.email:
            del changes["email"]
        own = _own_session(user, current) if changes.keys() & {"password", "email"} else None
        if own:
            await reauthenticate(self.db, self.passwords, user, own, current_password, self.recent)
        new_email = changes.pop("email", None) if own else None
        previous_email, was_superuser = user.email, user.is_superuser
        columns = await self._checked(user, changes, new_email or "")
        if own:
            await lock_session(self.db, user, own, self.recent)
        user = await self.adapter.update(user, columns)
        await self._revoke(user, columns, current)
        await self._notify(user, columns, previous_email, was_superuser=was_superuser)
        if new_email:
            await self.email_changes.request(user, new_email)
        return user

    async def _checked(self, user: User, changes: dict[str, Any], new_email: str) -> dict[str, Any]:
        """Apply the rules to a change, and return the columns to store."""
        columns = {"is_verified": False} | changes if "email" in changes else changes.copy()
        if password := columns.pop("password", None):
            await self.db.release_connection()
            about = user.email, user.display_name, changes.get("email", new_email), changes.get("display_name", "")
            hashed = await self.passwords.hash_new(password, about, errors.UpdateUserInvalidPassword)
            columns["hashed_password"] = hashed
        if not (columns.get("is_superuser", True) and columns.get("is_active", True)):
            await self._refuse_last_superuser(user)
        if not columns.get("is_active", True):
            await last_owner.require_other_owners(self.db, user)
        return columns

    async def _revoke(self, user: User, columns: dict[str, Any], current: UserSession | None) -> None:
        deactivated = not columns.get("is_active", True)
        if deactivated or columns.keys() & {"hashed_password", "email"}:
            await one_time_tokens.revoke_tokens(self.db, user)
            await self.sessions.revoke_all(user, keep=None if deactivated else current)

    async def _notify(self, user: User, columns: dict[str, Any], previous_email: str, *, was_superuser: bool) -> None:
        if "hashed_password" in columns:
            await outbox.enqueue_to_user(self.db, MailKind.PASSWORD_CHANGED, user)
        if user.is_superuser is not was_superuser:
            detail = {"is_superuser": user.is_superuser}
            await outbox.enqueue_to_user(self.db, MailKind.SUPERUSER_CHANGED, user, **detail)
        if user.email != previous_email:
            await self.email_changes.notify_previous(user, previous_email)
            await one_time_tokens.send_token(self.db, self.key, user.email, Purpose.VERIFY)

    async def delete(self, user: User, current: UserSession | None = None, current_password: str | None = None) -> None:
        """Delete a user with the memberships, sessions and tokens. ``current`` is the caller's session.

        Raises:
            BadCurrentPassword: for users who delete themselves.
            ReauthenticationRequired: likewise.
            LastSuperuser: no other superuser is active.
            LastOwner: groups would have no active owner left.
            UserNotFound: the user was deleted concurrently.
            Busy: the queue of passwords to verify is full.

        """
        own = _own_session(user, current)
        if own:
            await reauthenticate(self.db, self.passwords, user, own, current_password, self.recent)
        await self._refuse_last_superuser(user)
        if own:
            await lock_session(self.db, user, own, self.recent)
        await last_owner.require_other_owners(self.db, user)
        await self.adapter.delete(user)

    async def _refuse_last_superuser(self, user: User) -> None:
        # All superusers are locked, so that two who demote each other wait for one another. The query also
        # finds a user who became a superuser after being read.
        statement = select(User.id).where(User.is_superuser, User.is_active).order_by(col(User.id))
        if (await self.db.exec(statement.with_for_update(key_share=True))).all() == [user.id]:
            raise errors.LastSuperuser


def _own_session(user: User, current: UserSession | None) -> UserSession | None:
    """Return ``current`` if it is the user's own: superusers change other users without reauthentication."""
    return current if current and current.user_id == user.id else None
