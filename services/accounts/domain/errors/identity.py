"""Refusals about users: their credentials, their email address, and their deletion."""

from datetime import datetime

from accounts.db.session import CommittedRefusal
from accounts.domain.errors.base import Refusal


class LoginBadCredentials(Refusal, CommittedRefusal):
    """Wrong email or password, or the user is inactive."""

    code = "LOGIN_BAD_CREDENTIALS"


class UpdateUserEmailAlreadyExists(Refusal):
    """Another user has this email."""

    code = "UPDATE_USER_EMAIL_ALREADY_EXISTS"


class UpdateUserInvalidPassword(Refusal):
    """The new password is too weak; `reason` says why."""

    code = "UPDATE_USER_INVALID_PASSWORD"


class ResetPasswordBadToken(Refusal):
    """The token is unknown, used, replaced by a newer one, or expired."""

    code = "RESET_PASSWORD_BAD_TOKEN"


class ResetPasswordInvalidPassword(Refusal):
    """The new password is too weak; `reason` says why. The token stays valid."""

    code = "RESET_PASSWORD_INVALID_PASSWORD"


class ConfirmEmailBadToken(Refusal):
    """The token is unknown, used, superseded or expired, or the account has changed since."""

    code = "CONFIRM_EMAIL_BAD_TOKEN"


class EmailChangeNotFound(Refusal):
    """No change of the user's email waits for its confirmation."""

    code = "EMAIL_CHANGE_NOT_FOUND"


class UndoEmailBadToken(Refusal):
    """The token is unknown, used, or expired."""

    code = "UNDO_EMAIL_BAD_TOKEN"


class BadCurrentPassword(Refusal):
    """The current password is wrong."""

    code = "BAD_CURRENT_PASSWORD"


class ReauthenticationRequired(Refusal):
    """Requires a recent sign-in or, of users without a second factor, the current password in the body.

    ``seconds`` is the maximum age of the sign-in, ``level`` its assurance level.
    """

    code = "REAUTHENTICATION_REQUIRED"

    def __init__(self, seconds: int, level: int = 1) -> None:
        super().__init__()
        self.seconds = seconds
        self.level = level


class EmailUndoOpen(Refusal):
    """The change of email can still be undone from the previous one: the account stays until then, see `reason`."""

    code = "EMAIL_UNDO_OPEN"

    def __init__(self, until: datetime) -> None:
        super().__init__(f"The change can be undone until {until:%Y-%m-%d %H:%M} UTC.")


class UserNotFound(Refusal):
    """The user does not exist."""

    code = "USER_NOT_FOUND"


class LastSuperuser(Refusal):
    """The last active superuser cannot be deleted, deactivated or demoted."""

    code = "LAST_SUPERUSER"


class UserInactive(Refusal):
    """Inactive users cannot own groups."""

    code = "USER_INACTIVE"
