"""The way to a provider and back: what the user proves there, and for what purpose."""

from dataclasses import dataclass
from typing import NamedTuple

from accounts.db.session import Session
from accounts.domain import errors
from accounts.domain.external_providers.provider import ExternalUser, Provider
from accounts.domain.external_sign_in import requests
from accounts.domain.external_sign_in.requests import Continuation
from accounts.domain.sessions.assurance import Assurance
from accounts.models import Method, User
from accounts.settings_providers import SecondFactor

BY_PROVIDER = Assurance((Method.FEDERATED,))
FAILURES = {"server_error", "temporarily_unavailable"}  # RFC 6749, 4.1.2.1: the provider's own


class Callback(NamedTuple):
    """The parameters with which a provider sends a user back (RFC 6749, 4.1.2; RFC 9207)."""

    state: str
    code: str | None = None
    iss: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Arrival:
    """What a provider has proven of a user who came back, and what follows."""

    provider: Provider
    external: ExternalUser
    continuation: Continuation

    def assurance(self, user: User) -> Assurance:
        """Return how well the provider has authenticated a user.

        Where the provider is not trusted with it, users with a second factor are asked for it here, whatever the
        provider has asked for. Where it is trusted, it asks each user, or says in each token whether it did (``ACR``).
        """
        settings, proven = self.provider.settings, self.external.level > 1
        if settings.second_factor is SecondFactor.TRUST:
            proven = proven or not settings.acr
        elif user.second_factors:
            proven = False
        return BY_PROVIDER.plus() if proven else BY_PROVIDER


class AuthorizationManager:
    """Sends users to providers, and receives them. Methods run in the caller's transaction.

    ``public_url`` begins the redirect URI. The Host header, which is the client's, does not.
    """

    def __init__(self, db: Session, public_url: str) -> None:
        self.db = db
        self.public_url = public_url

    async def begin(self, provider: Provider, browser: str, continuation: Continuation) -> str:
        """Return the URL to send a browser to.

        Raises:
            ProviderUnavailable: the provider cannot be reached.

        """
        request = requests.create(browser, continuation.purpose)
        await self.db.release_connection()
        url = await provider.authorization_url(request, self._redirect_uri(provider))
        await requests.store(self.db, provider.name, request.state, browser, continuation)
        return url

    async def finish(self, provider: Provider, browser: str, callback: Callback) -> Arrival:
        """Return what a provider proves of a user who comes back.

        Raises:
            OAuthInvalidState: the browser was not sent there, or has been back.
            ProviderDenied: the user or the provider has declined.
            ProviderRefused: the response proves nothing.
            ProviderUnavailable: the provider cannot be reached.

        """
        continuation = await requests.consume(self.db, provider.name, callback.state, browser)
        await self.db.release_connection()  # commits: no second attempt with the same state, whatever happens
        if callback.error:
            raise errors.ProviderUnavailable if callback.error in FAILURES else errors.ProviderDenied
        if callback.code is None:
            raise errors.ProviderRefused
        request = requests.restore(browser, callback.state, continuation.purpose)
        redirect_uri = self._redirect_uri(provider)
        external = await provider.external_user(request, redirect_uri, callback.code, callback.iss)
        return Arrival(provider, external, continuation)

    def _redirect_uri(self, provider: Provider) -> str:
        return f"{self.public_url}/auth/{provider.name}/callback"
