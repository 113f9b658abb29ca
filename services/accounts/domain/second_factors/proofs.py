"""What a second factor is for: it finishes a sign-in, and renews the authentication of a session."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.identity.password_hashing import PasswordHasher
from accounts.domain.invitations.answering import accept_token
from accounts.domain.mailed_codes.verify import use_code
from accounts.domain.opaque_tokens import hash_token
from accounts.domain.passkeys import assertions
from accounts.domain.passkeys.challenges import Ceremony
from accounts.domain.people import lock_user
from accounts.domain.recovery_codes import use_recovery_code
from accounts.domain.second_factors.verify import Verify, verify_factor
from accounts.domain.sessions import pending_sign_ins
from accounts.domain.sessions.assurance import Assurance, assurance_of
from accounts.domain.sessions.sessions import SessionManager
from accounts.domain.totp.codes import verify_code
from accounts.models import CeremonyKind, Method, Scope, User, UserSession
from accounts.schemas.mailed_codes import CodeInput
from accounts.schemas.second_factors import ElevateInput, FactorCodes
from accounts.settings import Settings

# By member of ``FactorAnswer``. Each kind of factor has a line here, and one in ``identity.second_factors``.
# A passkey answers a challenge, which belongs to a ceremony: ``_verifiers`` adds it.
VERIFIERS: dict[str, Verify] = {"code": verify_code, "recovery_code": use_recovery_code}


def _verifiers(ceremony: Ceremony) -> Mapping[str, Verify]:
    return VERIFIERS | {"passkey": partial(assertions.verify_assertion, ceremony=ceremony)}


class FinishedSignIn(NamedTuple):
    """The user of a sign-in, how they were authenticated, the scopes of the session to start, and what follows."""

    user: User
    assurance: Assurance
    scopes: Sequence[Scope]
    return_to: str  # where a browser is sent; empty if the sign-in did not say


class SecondFactorManager:
    """Operations with second factors. Methods run in the caller's transaction."""

    def __init__(self, db: Session, passwords: PasswordHasher, settings: Settings) -> None:
        self.db = db
        self.passwords = passwords
        self.settings = settings
        self.sessions = SessionManager(db, settings)

    async def find_user(self, token: str) -> User:
        """Return the user of a sign-in that waits for a second factor.

        Raises:
            MfaBadToken: there is no such sign-in, or it has expired.

        """
        return await pending_sign_ins.find_user(self.db, token)

    async def begin_passkey(self, token: str) -> dict[str, Any]:
        """Begin to finish a sign-in with a passkey, and return the options.

        Raises:
            MfaBadToken: there is no such sign-in, or it has expired.
            PasskeysUnavailable: no page could use a passkey.
            BadSecondFactor: the user has no passkey.

        """
        user = await self.find_user(token)
        ceremony = Ceremony(CeremonyKind.SECOND, user.id, hash_token(token))
        return await assertions.begin(self.db, self.settings, user, ceremony)

    async def begin_passkey_elevation(self, user: User, current: UserSession) -> dict[str, Any]:
        """Begin to prove a passkey in a session, and return the options. Raises as ``begin_passkey``."""
        ceremony = Ceremony.in_session(CeremonyKind.ELEVATE, current)
        return await assertions.begin(self.db, self.settings, user, ceremony)

    async def finish(self, token: str, answer: FactorCodes) -> FinishedSignIn:
        """Finish a sign-in, whose session is to be started, and accept the invitation that it came with.

        Raises:
            MfaBadToken: there is no such sign-in, it has expired, or too many attempts failed.
            BadSecondFactor: the proof is wrong. The attempt is counted.
            InvitationBadToken: the invitation is not usable.
            InvitationOtherAddress: the invitation was sent to another address or user.

        """
        user = await pending_sign_ins.find_user(self.db, token, lock=True)
        pending = await pending_sign_ins.count_attempt(self.db, token)
        ceremony = Ceremony(CeremonyKind.SECOND, user.id, pending.token_hash)
        methods = await verify_factor(self.db, self.settings, user, answer, _verifiers(ceremony))
        await pending_sign_ins.end(self.db, pending)
        if pending.invitation_hash is not None:
            await accept_token(self.db, pending.invitation_hash, user)
        assurance = Assurance(tuple(map(Method, pending.methods))).plus(*methods)
        return FinishedSignIn(user, assurance, [Scope(scope) for scope in pending.scopes], pending.return_to)

    async def elevate(self, user: User, current: UserSession, proof: ElevateInput) -> None:
        """Authenticate the user of a session again, by a second factor or, without one, the password or a mailed code.

        Raises:
            BadSecondFactor: the proof is wrong, or the user has no such factor.
            BadCurrentPassword: the password is wrong.
            LoginBadCode: the mailed code is wrong or not usable, or of another user.
            SignInByCodeDisabled: SIGN_IN_BY_CODE is false.
            ReauthenticationRequired: the user has a second factor, which neither password nor mailed code replaces.
            Busy: the queue of passwords to verify is full.
            UserNotFound: the user was deleted or deactivated meanwhile.
            SessionNotFound: the session has ended meanwhile.

        """
        if proof.current_password is not None:
            await self._by_password(user, proof.current_password)
            assurance = assurance_of(current)
        elif proof.mailed_code is not None:
            await self._by_mailed_code(user, proof.mailed_code)
            assurance = assurance_of(current)
        else:
            locked = await lock_user(self.db, user)
            ceremony = Ceremony.in_session(CeremonyKind.ELEVATE, current)
            methods = await verify_factor(self.db, self.settings, locked, proof, _verifiers(ceremony))
            assurance = assurance_of(current).plus(*methods)
        await self.sessions.elevate(current, assurance)

    async def _by_password(self, user: User, password: str) -> None:
        self._require_no_factor(user)
        await self.db.release_connection()
        correct, _ = await self.passwords.verify(password, user.hashed_password)
        if not correct:
            raise errors.BadCurrentPassword
        verified = user.hashed_password
        self._require_no_factor(await lock_user(self.db, user))
        if user.hashed_password != verified:  # the lock has read the row again
            raise errors.BadCurrentPassword

    async def _by_mailed_code(self, user: User, proof: CodeInput) -> None:
        self._require_no_factor(await lock_user(self.db, user))
        await use_code(self.db, self.settings, proof.code_token, proof.code, of=user)

    def _require_no_factor(self, user: User) -> None:
        if user.second_factors:
            raise errors.ReauthenticationRequired(self.settings.recent_seconds, 2)
