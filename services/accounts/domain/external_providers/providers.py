"""The providers in OIDC_PROVIDERS, as a process uses them. Before the first sign-in nothing is fetched or imported."""

from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack

from accounts.domain import errors
from accounts.domain.external_providers.provider import Provider
from accounts.settings_providers import Kind, ProviderSettings, ProviderSignUp, SecondFactor


class Providers:
    """All configured providers. Each has connections of its own, so that a slow one delays no other."""

    def __init__(self, settings: Sequence[ProviderSettings]) -> None:
        self._settings = {each.key: each for each in settings}
        self._opened: dict[str, Provider] = {}
        self._stack = AsyncExitStack()

    @property
    def names(self) -> Mapping[str, str]:
        """The names on buttons by the names in URLs, in the order of OIDC_PROVIDERS."""
        return {key: each.name for key, each in self._settings.items()}

    @property
    def sign_up_names(self) -> Mapping[str, str]:
        """Those of the providers whose users may create an account."""
        return {key: each.name for key, each in self._settings.items() if each.sign_up is not ProviderSignUp.NO}

    def confirming_names(self, *, second_factor: bool) -> Mapping[str, str]:
        """Those of the providers with which users confirm that they are there, or their ``second_factor``, too."""
        return {
            key: each.name
            for key, each in self._settings.items()
            if each.kind is Kind.OIDC and not (second_factor and each.second_factor is SecondFactor.ASK)
        }

    def get(self, name: str) -> Provider:
        """Return a provider by its name in URLs.

        Raises:
            ProviderNotFound: there is none.

        """
        if name not in self._settings:
            raise errors.ProviderNotFound
        if name not in self._opened:
            self._opened[name] = self._open(self._settings[name])
        return self._opened[name]

    async def close(self) -> None:
        """Close the connections to all providers."""
        await self._stack.aclose()

    def _open(self, settings: ProviderSettings) -> Provider:
        # They cost memory and start-up time.
        from accounts.domain.external_providers.connection import Connection  # noqa: PLC0415
        from accounts.domain.external_providers.github import GitHubProvider  # noqa: PLC0415
        from accounts.domain.external_providers.oidc import OidcProvider  # noqa: PLC0415

        connection = Connection(settings.key)
        self._stack.push_async_callback(connection.close)
        kinds = {Kind.OIDC: OidcProvider, Kind.GITHUB: GitHubProvider}
        return kinds[settings.kind](settings, connection)
