"""A user's passkeys: add, list, rename and remove them."""

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, delete, update
from sqlalchemy.dialects.postgresql import insert
from sqlmodel import col

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.audit.log import Action
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.domain.identity.reauthentication import Reauthentication
from accounts.domain.identity.second_factors import refresh_factors
from accounts.domain.identity.security_notices import report_change
from accounts.domain.passkeys import responses
from accounts.domain.passkeys.assertions import list_passkeys
from accounts.domain.passkeys.challenges import Ceremony, create_challenge, use_challenge
from accounts.domain.passkeys.options import creation_options
from accounts.domain.passkeys.relying_party import relying_party
from accounts.domain.passkeys.responses import NewCredential, Response
from accounts.domain.people import lock_user
from accounts.domain.sessions.assurance import assurance_of
from accounts.domain.sessions.sessions import SessionManager
from accounts.domain.ways_in import require_other_way_in
from accounts.models import CeremonyKind, Method, Passkey, User, UserSession
from accounts.settings import Settings

PASSKEYS_PER_USER = 20
TRANSPORTS = frozenset(["ble", "hybrid", "internal", "nfc", "smart-card", "usb"])  # WebAuthn Level 3, 5.8.4


class PasskeyManager:
    """Operations on a user's passkeys. Methods run in the caller's transaction."""

    def __init__(self, db: Session, passwords: PasswordHasher, settings: Settings) -> None:
        self.db = db
        self.passwords = passwords
        self.settings = settings
        self.sessions = SessionManager(db, settings)

    async def begin(self, user: User, current: UserSession, current_password: str | None = None) -> dict[str, Any]:
        """Begin to add a passkey in a session, and return the options of its creation.

        Raises:
            PasskeysUnavailable: no page could use it.
            BadCurrentPassword: the password is wrong.
            ReauthenticationRequired: no password is given or it is not enough, and the sign-in is not recent.
            Busy: the queue of passwords to verify is full.
            TooManyPasskeys: the user has as many passkeys as are allowed.

        """
        party = relying_party(self.settings)
        await self._reauthenticate(user, current, current_password)
        existing = await self.list(user)
        if len(existing) >= PASSKEYS_PER_USER:
            raise errors.TooManyPasskeys
        challenge = await create_challenge(self.db, Ceremony.in_session(CeremonyKind.REGISTER, current))
        return creation_options(party, challenge, user, existing)

    async def add(self, user: User, current: UserSession, name: str, response: Response) -> Passkey:
        """Add the passkey that was created for the options of ``begin``. The session gets assurance level 2.

        With the first second factor all other sessions end, since they began without one; later they go on. The user is
        told by mail.

        Raises:
            BadPasskey: the response is not valid, or answers no challenge of this session.
            PasskeysUnavailable: no page could use it.
            UserNotFound: the user was deleted or deactivated meanwhile.
            TooManyPasskeys: the user has as many passkeys as are allowed.
            PasskeyExists: the passkey was added before.
            SessionNotFound: the session has ended meanwhile, as by a first second factor in another one.

        """
        challenge = responses.read_challenge(response)
        if not await use_challenge(self.db, Ceremony.in_session(CeremonyKind.REGISTER, current), challenge):
            raise errors.BadPasskey
        created = await responses.verify_creation(response, challenge, relying_party(self.settings))
        user = await lock_user(self.db, user)
        if len(await self.list(user)) >= PASSKEYS_PER_USER:
            raise errors.TooManyPasskeys
        passkey = await self._insert(user, name, created, response)
        if not user.second_factors:
            await self.sessions.revoke_all(user, keep=current)
        await refresh_factors(self.db, user)
        method = Method.SYNCED_KEY if created.backup_eligible else Method.HARDWARE_KEY
        await self.sessions.elevate(current, assurance_of(current).plus(method, Method.USER_VERIFIED))
        await report_change(self.db, user, Action.PASSKEY_ADDED, name=name)
        return passkey

    async def list(self, user: User) -> Sequence[Passkey]:
        """List a user's passkeys, the oldest first."""
        return await list_passkeys(self.db, user)

    async def rename(self, user: User, passkey_id: uuid.UUID, name: str) -> Passkey:
        """Rename one of a user's passkeys.

        Raises:
            PasskeyNotFound: the user has no passkey with this id.

        """
        renamed = update(Passkey).where(*_own(user, passkey_id)).values(name=name).returning(Passkey)
        passkey: Passkey | None = (await self.db.exec(renamed)).scalar_one_or_none()
        if passkey is None:
            raise errors.PasskeyNotFound
        return passkey

    async def remove(
        self, user: User, passkey_id: uuid.UUID, current: UserSession, current_password: str | None = None
    ) -> None:
        """Remove one of a user's passkeys, and end all other sessions, as the device with the passkey may be lost.

        Raises:
            BadCurrentPassword: the password is wrong.
            ReauthenticationRequired: no password is given or it is not enough, and the sign-in is not recent.
            Busy: the queue of passwords to verify is full.
            PasskeyNotFound: the user has no passkey with this id.
            LastWayIn: the user could not sign in without it.

        """
        await self._reauthenticate(user, current, current_password)
        removed = delete(Passkey).where(*_own(user, passkey_id)).returning(col(Passkey.name))
        name: str | None = (await self.db.exec(removed)).scalar_one_or_none()
        if name is None:
            raise errors.PasskeyNotFound
        await require_other_way_in(self.db, user, without=passkey_id)
        await refresh_factors(self.db, user)
        await self.sessions.revoke_all(user, keep=current)
        await report_change(self.db, user, Action.PASSKEY_REMOVED, name=name)

    async def _reauthenticate(self, user: User, current: UserSession, current_password: str | None) -> None:
        recent = timedelta(seconds=self.settings.recent_seconds)
        await Reauthentication(self.db, self.passwords, recent, current).verify_for(user, current_password)

    async def _insert(self, user: User, name: str, created: NewCredential, response: Response) -> Passkey:
        values = {
            "user_id": user.id,
            "credential_id": created.id,
            "public_key": created.public_key,
            "sign_count": created.sign_count,
            "backup_eligible": created.backup_eligible,
            "name": name,
            "transports": _transports(response),
        }
        inserted = insert(Passkey).values(**values).on_conflict_do_nothing(index_elements=["credential_id"])
        passkey: Passkey | None = (await self.db.exec(inserted.returning(Passkey))).scalar_one_or_none()
        if passkey is None:
            raise errors.PasskeyExists
        return passkey


def _own(user: User, passkey_id: uuid.UUID) -> tuple[ColumnElement[bool], ...]:
    return col(Passkey.id) == passkey_id, col(Passkey.user_id) == user.id


def _transports(response: Response) -> Sequence[str]:
    """Return how the authenticator can be reached, as far as the browser says it in words that are known."""
    given = response["response"].get("transports")
    words = given if isinstance(given, list) else []
    return sorted(TRANSPORTS.intersection(filter(lambda each: isinstance(each, str), words)))
