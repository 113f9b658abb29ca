"""Refusals of signing in with an account of another provider."""

from accounts.domain.errors.base import Refusal


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
