"""What the rest of the service knows of a provider: how to send a user there, and what it proves of the user."""

from dataclasses import dataclass, field
from typing import Protocol

from accounts.settings_providers import ProviderSettings


@dataclass(frozen=True, slots=True)
class AuthorizationRequest:
    """The secrets of one sign-in. They are created by the caller, for this sign-in only.

    ``state`` and ``nonce`` are random (256 bits), ``verifier`` is 43 to 128 characters (RFC 7636, 4.1). ``max_age`` is
    set to have the user sign in at the provider again, unless they did in the last ``max_age`` seconds.
    """

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)
    max_age: int | None = None


@dataclass(frozen=True, slots=True)
class ExternalUser:
    """What a provider has proven. ``issuer`` and ``subject`` together identify the user; nothing else does.

    ``email`` is normalised as in our own accounts; None if there is none, or if it is no valid address. ``name`` is a
    valid display name, or empty. ``level`` is 2 if the provider is configured to prove a second factor, and has.
    """

    issuer: str
    subject: str
    email: str | None
    email_verified: bool
    name: str
    level: int = 1


class Provider(Protocol):
    """A configured provider."""

    settings: ProviderSettings
    proves_recent_sign_in: bool  # whether it may be asked with ``max_age``

    @property
    def name(self) -> str:
        """Its name in OIDC_PROVIDERS and in URLs."""
        return self.settings.key

    @property
    def display_name(self) -> str:
        """Its name on buttons."""
        return self.settings.name

    @property
    def issuer(self) -> str:
        """Its part of users' identities."""
        return self.settings.issuer

    async def authorization_url(self, request: AuthorizationRequest, redirect_uri: str) -> str:
        """Return the URL to send the user to.

        Raises:
            ProviderUnavailable: the provider cannot be reached, or answers something else.

        """

    async def external_user(
        self, request: AuthorizationRequest, redirect_uri: str, code: str, iss: str | None
    ) -> ExternalUser:
        """Return the user who came back with ``code``. Hold no database connection: it may take seconds.

        Args:
            request: the secrets that the user was sent away with.
            redirect_uri: as in ``authorization_url``.
            code: the parameter of the callback.
            iss: the parameter of the callback (RFC 9207), if there is one.

        Raises:
            ProviderUnavailable: the provider cannot be reached, or answers something else.
            ProviderRefused: the provider does not prove who the user is.

        """
