"""Refusals of second factors, passkeys and mailed codes."""

from collections.abc import Sequence

from accounts.db.session import CommittedRefusal
from accounts.domain.errors.base import Refusal


class LoginBadCode(Refusal, CommittedRefusal):
    """The mailed code is wrong or was used, has expired, had too many attempts, or the user was changed since."""

    code = "LOGIN_BAD_CODE"


class SignInByCodeDisabled(Refusal):
    """Sign-in by mailed code is not available (`SIGN_IN_BY_CODE=false`)."""

    code = "SIGN_IN_BY_CODE_DISABLED"


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


class AssuranceRequired(Refusal):
    """Requires a session with a second factor, or an access key that was created in one."""

    code = "ASSURANCE_REQUIRED"
