"""Refusals of signing up and of verifying an email address."""

from accounts.domain.errors.base import Refusal


class RegisterUserAlreadyExists(Refusal):
    """A user with this email exists already."""

    code = "REGISTER_USER_ALREADY_EXISTS"


class RegisterInvalidPassword(Refusal):
    """The password is too weak; `reason` says why."""

    code = "REGISTER_INVALID_PASSWORD"


class RegisterInvitationRequired(Refusal):
    """Accounts are created with an invitation only."""

    code = "REGISTER_INVITATION_REQUIRED"


class RegisterClosed(Refusal):
    """Accounts are created by superusers only."""

    code = "REGISTER_CLOSED"


class RegisterBadToken(Refusal):
    """The token is unknown, used, replaced by a newer one, or expired."""

    code = "REGISTER_BAD_TOKEN"


class VerifyUserBadToken(Refusal):
    """The token is unknown, used, superseded or expired, or was sent to another email."""

    code = "VERIFY_USER_BAD_TOKEN"


class VerifyUserAlreadyVerified(Refusal):
    """The user is verified already."""

    code = "VERIFY_USER_ALREADY_VERIFIED"


class VerifiedEmailRequired(Refusal):
    """Requires a verified email: others receive mail in the caller's name."""

    code = "VERIFIED_EMAIL_REQUIRED"
