"""What the domain refuses, each named for the rule that it states. No error knows HTTP; ``api.errors`` does."""

from collections.abc import Sequence
from typing import ClassVar

from accounts.db.session import CommittedRefusal
from accounts.models import UserGroup
from accounts.schemas.member_files import RowError


class Refusal(Exception):  # noqa: N818  # each is named for its rule
    """A rule said no. ``code`` is stable, for programs; the docstring's first line and ``reason`` are for people."""

    code: ClassVar[str]

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(self.code)
        self.reason = reason


class LoginBadCredentials(Refusal, CommittedRefusal):
    """The address or the password is wrong, or the user is inactive."""

    code = "LOGIN_BAD_CREDENTIALS"


class RegisterUserAlreadyExists(Refusal):
    """There is a user with this e-mail address."""

    code = "REGISTER_USER_ALREADY_EXISTS"


class RegisterInvalidPassword(Refusal):
    """The password is too weak; the reason says why."""

    code = "REGISTER_INVALID_PASSWORD"


class UpdateUserEmailAlreadyExists(Refusal):
    """Another user has this e-mail address."""

    code = "UPDATE_USER_EMAIL_ALREADY_EXISTS"


class UpdateUserInvalidPassword(Refusal):
    """The new password is too weak; the reason says why."""

    code = "UPDATE_USER_INVALID_PASSWORD"


class ResetPasswordBadToken(Refusal):
    """The token is unknown, used, superseded or expired."""

    code = "RESET_PASSWORD_BAD_TOKEN"


class ResetPasswordInvalidPassword(Refusal):
    """The new password is too weak; the reason says why, and the token stays usable."""

    code = "RESET_PASSWORD_INVALID_PASSWORD"


class VerifyUserBadToken(Refusal):
    """The token is unknown, used, superseded or expired, or was sent to another address."""

    code = "VERIFY_USER_BAD_TOKEN"


class ConfirmEmailBadToken(Refusal):
    """The token is unknown, used, superseded or expired, or something has changed that it rested on."""

    code = "CONFIRM_EMAIL_BAD_TOKEN"


class UndoEmailBadToken(Refusal):
    """The token is unknown, used or expired."""

    code = "UNDO_EMAIL_BAD_TOKEN"


class BadCurrentPassword(Refusal):
    """The current password is wrong."""

    code = "BAD_CURRENT_PASSWORD"


class ReauthenticationRequired(Refusal):
    """The current password is needed in the body, or a sign-in that is no older than some minutes.

    ``seconds`` is how old it may be.
    """

    code = "REAUTHENTICATION_REQUIRED"

    def __init__(self, seconds: int) -> None:
        super().__init__()
        self.seconds = seconds


class UserNotFound(Refusal):
    """There is no such user."""

    code = "USER_NOT_FOUND"


class LastSuperuser(Refusal):
    """The last active superuser cannot be deleted, deactivated or demoted."""

    code = "LAST_SUPERUSER"


class GroupNotFound(Refusal):
    """There is no such group, or none that the caller may see."""

    code = "GROUP_NOT_FOUND"


class GroupForbidden(Refusal):
    """It takes a higher role in the group than the caller has."""

    code = "GROUP_FORBIDDEN"


class GroupNameTaken(Refusal):
    """Another public group has this name, in whatever letter case."""

    code = "GROUP_NAME_TAKEN"


class MemberNotFound(Refusal):
    """The group has no such member."""

    code = "MEMBER_NOT_FOUND"


class LastOwner(Refusal):
    """Nobody else owns the groups named here who could sign in: they need another owner, or to be deleted, before."""

    code = "LAST_OWNER"

    def __init__(self, groups: Sequence[UserGroup]) -> None:
        names = ", ".join(f"{group.name} ({group.id})" for group in groups)
        super().__init__(f"Nobody else who could sign in owns these groups: {names}")
        self.groups = groups


class UserInactive(Refusal):
    """Somebody who cannot sign in cannot own a group."""

    code = "USER_INACTIVE"


class AlreadyMember(Refusal):
    """A member of the group has this e-mail address."""

    code = "ALREADY_MEMBER"


class InvitationExists(Refusal):
    """The address has an open invitation into the group: it can be resent or revoked."""

    code = "INVITATION_EXISTS"


class InvitationNotFound(Refusal):
    """There is no such open invitation of the group, or of the caller's verified address."""

    code = "INVITATION_NOT_FOUND"


class InvitationBadToken(Refusal):
    """The token is unknown, used, superseded or expired, or the invitation was revoked."""

    code = "INVITATION_BAD_TOKEN"


class InvitationOtherAddress(Refusal):
    """The invitation was sent to another address than the user's."""

    code = "INVITATION_OTHER_ADDRESS"


class ImportInvalid(Refusal):
    """The file is refused as a whole; `errors` says what is wrong with which of its lines."""

    code = "IMPORT_INVALID"

    def __init__(self, faults: Sequence[RowError]) -> None:
        super().__init__()
        self.faults = faults


class BadCursor(Refusal):
    """The cursor is none that a `next` link of this list carries."""

    code = "BAD_CURSOR"


class Busy(Refusal):
    """Too much is waiting to be done; try again shortly."""

    code = "BUSY"


class TooManyAttempts(Refusal):
    """Too many attempts were made lately; the reason says when to try again.

    ``seconds`` is the time to wait, and ``attempts`` in ``period`` seconds the limit that was reached.
    """

    code = "TOO_MANY_ATTEMPTS"

    def __init__(self, seconds: int, attempts: int, period: int) -> None:
        super().__init__(f"Try again in {seconds} seconds.")
        self.seconds = seconds
        self.attempts = attempts
        self.period = period


class NotReady(Refusal):
    """The database is away, or its schema is not the one that this code needs; the reason says which."""

    code = "NOT_READY"


class RefreshBadToken(Refusal):
    """The refresh token is unknown, or its session has ended."""

    code = "REFRESH_BAD_TOKEN"


class RefreshTokenReused(Refusal, CommittedRefusal):
    """The refresh token was used before, so it may be stolen; its session is ended."""

    code = "REFRESH_TOKEN_REUSED"


class SessionNotFound(Refusal):
    """There is no such session of the user."""

    code = "SESSION_NOT_FOUND"


class CrossSite(Refusal):
    """Another site's page sent the cookie along."""

    code = "CROSS_SITE"
