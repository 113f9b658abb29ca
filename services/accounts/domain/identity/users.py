"""Users: create, get, list, update, sign out and delete, with the rules about credentials and the last superuser."""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import col, select

from accounts.db.session import Session
from accounts.domain import errors, last_owner
from accounts.domain.access_keys.store import AccessKeyStore
from accounts.domain.identity import one_time_tokens, user_search
from accounts.domain.identity.email_change import EmailChangeManager
from accounts.domain.identity.first_passwords import send_first_password
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.domain.identity.reauthentication import Reauthentication, is_sensitive
from accounts.domain.identity.reserved_emails import find_open_undo, refuse_open_undo
from accounts.domain.identity.stored_hashes import UNUSABLE
from accounts.domain.identity.user_adapter import UserAdapter
from accounts.domain.mail import outbox
from accounts.domain.people import require_person
from accounts.domain.sessions.sessions import SessionManager
from accounts.models import MailKind, Purpose, User, UserGroup, UserSession
from accounts.schemas.identity.users import ListedUser, UserCreate, UserQuery, UserUpdate
from accounts.schemas.pagination import Page, read_page
from accounts.settings import Settings


@dataclass(frozen=True, slots=True)
class DeletionObstacles:
    """Groups without another active owner, until when the email address can be changed back, and the last superuser."""

    groups: Sequence[UserGroup]
    undo_until: datetime | None
    is_last_superuser: bool

    @property
    def exist(self) -> bool:
        """Whether there are any."""
        return bool(self.groups or self.undo_until or self.is_last_superuser)


class UserManager:
    """Operations on users. Methods run in the caller's transaction.

    ``current`` is the session of the caller, who reauthenticates with ``current_password`` or by a recent sign-in; see
    ``reauthentication``. These methods raise BadCurrentPassword, ReauthenticationRequired and Busy. Commands have no
    session, and are trusted.
    """

    def __init__(self, db: Session, passwords: PasswordHasher, settings: Settings) -> None:
        self.db = db
        self.passwords = passwords
        self.key = settings.secret_keys[0]
        self.recent = timedelta(seconds=settings.recent_seconds)
        self.adapter = UserAdapter(db)
        self.email_changes = EmailChangeManager(db, settings)
        self.sessions = SessionManager(db, settings)
        self.keys = AccessKeyStore(db)

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

    async def list(self, query: UserQuery) -> Page[ListedUser]:
        """List users, the newest first unless the query searches; see ``user_search.list_users``.

        Raises:
            BadCursor: the cursor does not belong to this list.

        """
        page = await user_search.list_users(self.db, query, ListedUser, user_search.NEWEST_FIRST)
        return read_page(ListedUser, page)

    async def create(
        self, user_create: UserCreate, current: UserSession | None = None, current_password: str | None = None
    ) -> User:
        """Create a user, with the flags that the schema has.

        An active user without a password gets a mail with a link to choose one.

        Raises:
            RegisterUserAlreadyExists: the email address is taken or reserved, also by a concurrent request.
            RegisterInvalidPassword: the policy refuses the password.

        """
        caller = self._reauthentication(current)
        await caller.verify(current_password)
        if not user_create.password:
            columns = user_create.model_dump(exclude={"password"}) | {"hashed_password": UNUSABLE}
        else:
            if current:  # a command may have created other users in this transaction
                await self.db.release_connection()
            columns = await self.passwords.new_user_columns(user_create)
        await caller.verify_again()
        user = await self.adapter.create(columns)
        if not user_create.password and user.is_active:
            await send_first_password(self.db, self.key, user)
        return user

    async def update(self, user_update: UserUpdate, user: User, current: UserSession | None = None) -> User:
        """Change the fields that are set.

        A new password ends all other sessions of the user, deactivation ends all. Access keys are revoked as well,
        unless users change their own password. Mail notifies the user of a new password or email address, and of a
        change to the superuser flag. A user's own new address has to be confirmed before it changes; superusers change
        another user's at once.

        Raises:
            UpdateUserEmailAlreadyExists: the email address is taken or reserved, also by a concurrent request.
            UpdateUserInvalidPassword: the policy refuses the password.
            LastSuperuser: no other superuser is active.
            LastOwner: groups would have no active owner left.
            NotForServiceAccounts: the user is one, and the change is not of the name or ``is_active``.
            UserNotFound: the user was deleted concurrently.

        """
        changes = user_update.model_dump(exclude_unset=True)
        current_password = changes.pop("current_password", None)
        if changes.get("email") == user.email:
            del changes["email"]
        if is_sensitive(user, {name: value for name, value in changes.items() if name != "is_active"}):
            require_person(user)
        caller = self._reauthentication(current if is_sensitive(user, changes) else None)
        await caller.verify(current_password)
        new_email = changes.pop("email", None) if _is_own(user, current) else None
        previous_email, was_superuser = user.email, user.is_superuser
        columns = await self._checked(user, changes, new_email or "")
        await caller.verify_again(user)
        user = await self.adapter.update(user, columns)
        await self._revoke(user, columns, current)
        await self._notify(user, columns, previous_email, was_superuser=was_superuser)
        if new_email:
            await self.email_changes.request(user, new_email)
        return user

    async def _checked(self, user: User, changes: dict[str, Any], new_email: str) -> dict[str, Any]:
        """Apply the rules to a change, and return the columns to store."""
        columns = {"is_verified": False} | changes if "email" in changes else changes.copy()
        if user.is_verified and not columns.get("is_verified", True):
            columns["verified_before"] = True
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
            if deactivated or not _is_own(user, current):
                await self.keys.revoke_all(user)

    async def _notify(self, user: User, columns: dict[str, Any], previous_email: str, *, was_superuser: bool) -> None:
        if "hashed_password" in columns:
            await outbox.enqueue_notice(self.db, MailKind.PASSWORD_CHANGED, user)
        if user.is_superuser is not was_superuser:
            detail = {"is_superuser": user.is_superuser}
            await outbox.enqueue_notice(self.db, MailKind.SUPERUSER_CHANGED, user, **detail)
        if user.email != previous_email:
            await self.email_changes.notify_previous(user, previous_email)
            await one_time_tokens.send_token(self.db, self.key, user.email, Purpose.VERIFY)

    async def delete(self, user: User, current: UserSession | None = None, current_password: str | None = None) -> None:
        """Delete a user with the memberships, sessions and tokens.

        Raises:
            LastSuperuser: no other superuser is active.
            LastOwner: groups would have no active owner left.
            EmailUndoOpen: the caller's own account, whose change of email can still be undone.
            UserNotFound: the user was deleted concurrently.

        """
        caller = self._reauthentication(current)
        await caller.verify(current_password)
        await self._refuse_last_superuser(user)
        await caller.verify_again(user)
        if _is_own(user, current):
            await refuse_open_undo(self.db, user)
        await last_owner.require_other_owners(self.db, user)
        await self.adapter.delete(user)

    async def deletion_obstacles(self, user: User) -> DeletionObstacles:
        """Return what prevents users from deleting their own account. ``delete`` checks it again, with locks."""
        groups = await last_owner.list_solely_owned(self.db, user)
        superusers = select(User.id).where(User.is_superuser, User.is_active).order_by(col(User.id)).limit(2)
        is_last_superuser = user.is_superuser and (await self.db.exec(superusers)).all() == [user.id]
        return DeletionObstacles(groups, await find_open_undo(self.db, user), is_last_superuser)

    async def revoke_sessions(
        self, user: User, current: UserSession | None = None, current_password: str | None = None
    ) -> int:
        """End all sessions of a user, and return how many."""
        await self._reauthentication(current).verify_for(user, current_password)
        return await self.sessions.revoke_all(user)

    async def revoke_keys(
        self, user: User, current: UserSession | None = None, current_password: str | None = None
    ) -> int:
        """Revoke all access keys of a user, with the sessions that a service account has by them; return how many."""
        await self._reauthentication(current).verify_for(user, current_password)
        revoked = await self.keys.revoke_all(user)
        if user.owner_group_id is not None:
            await self.sessions.revoke_all(user)  # after the secrets, which could start a session meanwhile
        return revoked

    def _reauthentication(self, current: UserSession | None) -> Reauthentication:
        return Reauthentication(self.db, self.passwords, self.recent, current)

    async def _refuse_last_superuser(self, user: User) -> None:
        # All superusers are locked, so that two who demote each other wait for one another. The query also
        # finds a user who became a superuser after being read.
        statement = select(User.id).where(User.is_superuser, User.is_active).order_by(col(User.id))
        if (await self.db.exec(statement.with_for_update(key_share=True))).all() == [user.id]:
            raise errors.LastSuperuser


def _is_own(user: User, current: UserSession | None) -> bool:
    return current is not None and current.user_id == user.id
