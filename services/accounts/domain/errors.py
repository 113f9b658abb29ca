"""Refusals of the domain, each named for its rule. They know no HTTP: ``api.problems`` maps them to statuses."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import ClassVar

from accounts.db.errors import is_conflict, is_invalid_value, is_missing_row
from accounts.db.session import CommittedRefusal
from accounts.models import Scope, UserGroup
from accounts.schemas.member_files import RowError


class Refusal(Exception):  # noqa: N818  # each is named for its rule
    """A rule refuses the operation.

    ``code`` is stable, for programs. The docstring's first line, which OpenAPI shows, and ``reason`` are for people.
    """

    code: ClassVar[str]

    def __init__(self, reason: str | None = None) -> None:
        super().__init__(self.code)
        self.reason = reason


class LoginBadCredentials(Refusal, CommittedRefusal):
    """Wrong email or password, or the user is inactive."""

    code = "LOGIN_BAD_CREDENTIALS"


class LoginBadCode(Refusal, CommittedRefusal):
    """The mailed code is wrong or was used, has expired, had too many attempts, or the user was changed since."""

    code = "LOGIN_BAD_CODE"


class SignInByCodeDisabled(Refusal):
    """Sign-in by mailed code is not available (`SIGN_IN_BY_CODE=false`)."""

    code = "SIGN_IN_BY_CODE_DISABLED"


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


class VerifyUserBadToken(Refusal):
    """The token is unknown, used, superseded or expired, or was sent to another email."""

    code = "VERIFY_USER_BAD_TOKEN"


class VerifyUserAlreadyVerified(Refusal):
    """The user is verified already."""

    code = "VERIFY_USER_ALREADY_VERIFIED"


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


class MfaRequired(Refusal, CommittedRefusal):
    """The user has a second factor: finish the sign-in at `/auth/jwt/mfa` or `/auth/cookie/mfa` with `mfa_token`.

    ``factors`` are the kinds of second factors that the user has.
    """

    code = "MFA_REQUIRED"

    def __init__(self, token: str, factors: Sequence[str]) -> None:
        super().__init__()
        self.token = token
        self.factors = factors


class MfaBadToken(Refusal):
    """The sign-in was finished or has expired, or too many attempts failed. Sign in again."""

    code = "MFA_BAD_TOKEN"


class BadSecondFactor(Refusal, CommittedRefusal):
    """The code or the passkey is wrong, was used before, or is not the user's."""

    code = "BAD_SECOND_FACTOR"


class ProviderNotFound(Refusal):
    """No provider with this name is configured."""

    code = "OAUTH_PROVIDER_NOT_FOUND"


class ProviderUnavailable(Refusal):
    """The provider cannot be reached, or answers with something else than its protocol. Try again later."""

    code = "OAUTH_PROVIDER_UNAVAILABLE"


class ProviderRefused(Refusal):
    """The provider does not prove who the user is: its response is invalid, or not for this sign-in."""

    code = "OAUTH_INVALID_RESPONSE"


class ProviderDenied(Refusal):
    """The user, or the provider, has declined the sign-in."""

    code = "OAUTH_DENIED"


class FactorUnavailable(Refusal):
    """The authenticator app cannot be verified now. Use another second factor, or a recovery code."""

    code = "FACTOR_UNAVAILABLE"


class TotpExists(Refusal):
    """The user has an authenticator app. Remove it first."""

    code = "TOTP_EXISTS"


class TotpNotFound(Refusal):
    """The user has no authenticator app, or none that waits for a code; an unconfirmed one expires after an hour."""

    code = "TOTP_NOT_FOUND"


class NoSecondFactor(Refusal):
    """Recovery codes exist only beside another second factor, which the user does not have."""

    code = "NO_SECOND_FACTOR"


class BadPasskey(Refusal, CommittedRefusal):
    """The passkey's response is invalid or was used before, or the passkey is not known here. Begin again."""

    code = "BAD_PASSKEY"


class PasskeysUnavailable(Refusal):
    """Browsers refuse passkeys here: PUBLIC_URL has neither https:// and a host name, nor localhost."""

    code = "PASSKEYS_UNAVAILABLE"


class PasskeyExists(Refusal):
    """The passkey was added before."""

    code = "PASSKEY_EXISTS"


class PasskeyNotFound(Refusal):
    """The user has no such passkey."""

    code = "PASSKEY_NOT_FOUND"


class TooManyPasskeys(Refusal):
    """The user has as many passkeys as are allowed. Remove one first."""

    code = "TOO_MANY_PASSKEYS"


class OAuthInvalidState(Refusal):
    """The sign-in was finished or has expired, or began in another browser. Begin again."""

    code = "OAUTH_INVALID_STATE"


class OAuthNotAvailableEmail(Refusal):
    """The provider names no email that an account here can have."""

    code = "OAUTH_NOT_AVAILABLE_EMAIL"


class OAuthEmailUnverified(Refusal):
    """The provider does not say that the email is the user's."""

    code = "OAUTH_EMAIL_UNVERIFIED"


class OAuthUserAlreadyExists(Refusal):
    """A user with this email exists: sign in as before, then connect the account of the provider."""

    code = "OAUTH_USER_ALREADY_EXISTS"


class OAuthSignUpClosed(Refusal):
    """No user is connected with this account of the provider, which creates no accounts here."""

    code = "OAUTH_SIGN_UP_CLOSED"


class OAuthIdentityTaken(Refusal):
    """Another user is connected with this account of the provider, or the user with another account there."""

    code = "OAUTH_IDENTITY_TAKEN"


class OAuthBadReturnTo(Refusal):
    """`return_to` is neither an account page nor a URL of PAGES_URL or CORS_ORIGINS."""

    code = "OAUTH_BAD_RETURN_TO"


class IdentityNotFound(Refusal):
    """The user has no such identity."""

    code = "IDENTITY_NOT_FOUND"


class LastWayIn(Refusal):
    """Without it, the user could no longer sign in: set a password, or add another way to sign in, first."""

    code = "LAST_WAY_IN"


class EmailUndoOpen(Refusal):
    """The change of email can still be undone from the previous one: the account stays until then, see `reason`."""

    code = "EMAIL_UNDO_OPEN"

    def __init__(self, until: datetime) -> None:
        super().__init__(f"The change can be undone until {until:%Y-%m-%d %H:%M} UTC.")


class AssuranceRequired(Refusal):
    """Requires a session with a second factor, or an access key that was created in one."""

    code = "ASSURANCE_REQUIRED"


class VerifiedEmailRequired(Refusal):
    """Requires a verified email: others receive mail in the caller's name."""

    code = "VERIFIED_EMAIL_REQUIRED"


class UserNotFound(Refusal):
    """The user does not exist."""

    code = "USER_NOT_FOUND"


class LastSuperuser(Refusal):
    """The last active superuser cannot be deleted, deactivated or demoted."""

    code = "LAST_SUPERUSER"


class GroupNotFound(Refusal):
    """The group does not exist, or the caller may not see it."""

    code = "GROUP_NOT_FOUND"


class GroupForbidden(Refusal):
    """Requires a higher role in the group."""

    code = "GROUP_FORBIDDEN"


class GroupNameTaken(Refusal):
    """Another public group has this name, ignoring case."""

    code = "GROUP_NAME_TAKEN"


class MemberNotFound(Refusal):
    """The user is not a member of the group."""

    code = "MEMBER_NOT_FOUND"


class LastOwner(Refusal):
    """The groups in `groups` have no other active owner: add one, or delete the groups, first."""

    code = "LAST_OWNER"

    def __init__(self, groups: Sequence[UserGroup]) -> None:
        names = ", ".join(f"{group.name} ({group.id})" for group in groups)
        super().__init__(f"These groups have no other active owner: {names}")
        self.groups = groups


class NotForServiceAccounts(Refusal):
    """Service accounts own no groups, have neither email nor password, and neither send nor get invitations."""

    code = "NOT_FOR_SERVICE_ACCOUNTS"


class UserInactive(Refusal):
    """Inactive users cannot own groups."""

    code = "USER_INACTIVE"


class ServiceAccountNotFound(Refusal):
    """The group has no such service account."""

    code = "SERVICE_ACCOUNT_NOT_FOUND"


class TooManyServiceAccounts(Refusal):
    """The group has as many service accounts as it may have. Delete one first."""

    code = "TOO_MANY_SERVICE_ACCOUNTS"


class SecretNotFound(Refusal):
    """The service account has no such secret."""

    code = "SECRET_NOT_FOUND"


class TooManySecrets(Refusal):
    """The service account has as many secrets as it may have. Revoke one first."""

    code = "TOO_MANY_SECRETS"


class InvalidClient(Refusal):
    """Unknown client, wrong or expired secret, an inactive service account, or no client authentication."""

    code = "INVALID_CLIENT"


class InvalidScope(Refusal):
    """The client's secret does not have the requested scope."""

    code = "INVALID_SCOPE"


class AlreadyMember(Refusal):
    """The user, or the user with this email, is a member of the group."""

    code = "ALREADY_MEMBER"


class InvitationExists(Refusal):
    """The email or the user has an open invitation to the group, which can be resent or revoked."""

    code = "INVITATION_EXISTS"


class InvitationNotFound(Refusal):
    """The group, or the caller's verified email, has no such open invitation."""

    code = "INVITATION_NOT_FOUND"


class InvitationBadToken(Refusal):
    """The token is unknown, used, replaced by a newer one, or expired, or the invitation was revoked."""

    code = "INVITATION_BAD_TOKEN"


class InvitationOtherAddress(Refusal):
    """The invitation was sent to another email."""

    code = "INVITATION_OTHER_ADDRESS"


class ImportInvalid(Refusal):
    """The file has invalid lines, which `errors` lists. Nothing was imported."""

    code = "IMPORT_INVALID"

    def __init__(self, faults: Sequence[RowError]) -> None:
        super().__init__()
        self.faults = faults


class TooManyInvitations(Refusal):
    """The file invites more people than a user may invite in a day. Nothing was imported."""

    code = "TOO_MANY_INVITATIONS"

    def __init__(self, limit: int) -> None:
        super().__init__(f"The file invites more than {limit} people.")


class ImportInProgress(Refusal):
    """Another import by the caller, into the group, or of users is in progress. Try again after `Retry-After`."""

    code = "IMPORT_IN_PROGRESS"


class BadCursor(Refusal):
    """The cursor does not come from a `Link` header of this list."""

    code = "BAD_CURSOR"


class Busy(Refusal):
    """The server is busy. Try again shortly."""

    code = "BUSY"


class TooManyAttempts(Refusal):
    """Too many attempts. `Retry-After` says when to try again.

    ``seconds`` is the time to wait. The exhausted limit is ``attempts`` in ``period`` seconds.
    """

    code = "TOO_MANY_ATTEMPTS"

    def __init__(self, seconds: int, attempts: int, period: int) -> None:
        super().__init__(f"Try again in {seconds} seconds.")
        self.seconds = seconds
        self.attempts = attempts
        self.period = period


class NotReady(Refusal):
    """The database is unavailable, does not match, or accepts no writes; `reason` says which."""

    code = "NOT_READY"


class RefreshBadToken(Refusal):
    """The refresh token is unknown, or its session has ended."""

    code = "REFRESH_BAD_TOKEN"


class RefreshTokenReused(Refusal, CommittedRefusal):
    """The refresh token was used before and may be stolen. Its session was ended."""

    code = "REFRESH_TOKEN_REUSED"


class SessionNotFound(Refusal):
    """The user has no such session."""

    code = "SESSION_NOT_FOUND"


class CrossSite(Refusal):
    """The request comes from a page of another site."""

    code = "CROSS_SITE"


class NotWithAKey(Refusal):
    """Only a person who is signed in may do this: neither an access key nor a service account."""

    code = "NOT_WITH_A_KEY"


class InsufficientScope(Refusal):
    """The access key or access token lacks the scope that the operation requires."""

    code = "INSUFFICIENT_SCOPE"

    def __init__(self, scope: Scope) -> None:
        super().__init__()
        self.scope = scope


class TokenNotFound(Refusal):
    """The user has no such access key."""

    code = "TOKEN_NOT_FOUND"


class ScopeRequiresSuperuser(Refusal):
    """Only superusers can have access keys with one of these scopes."""

    code = "SCOPE_REQUIRES_SUPERUSER"


class TooManyKeys(Refusal):
    """The user has as many access keys as are allowed. Delete one first."""

    code = "TOO_MANY_KEYS"


class Conflict(Refusal):
    """Other rows stand against the change, or the row was changed or deleted meanwhile."""

    code = "CONFLICT"


class InvalidValue(Refusal):
    """A value does not fit: it is too long, out of range, not one of those allowed, or cannot be stored."""

    code = "INVALID_VALUE"


class NotFound(Refusal):
    """The row does not exist."""

    code = "NOT_FOUND"


# Refusals for errors of the database that no manager foresees. Raise a refusal of your own where you can: it says more.
UNFORESEEN: dict[Callable[[BaseException], bool], type[Refusal]] = {
    is_conflict: Conflict,
    is_invalid_value: InvalidValue,
    is_missing_row: NotFound,
}
