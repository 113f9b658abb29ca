"""The providers of OIDC_PROVIDERS, as one process uses them. Nothing is fetched, and nothing imported, before a sign-in."""

from collections.abc import Mapping, Sequence

from accounts.domain import errors
from accounts.domain.external_providers.provider import Provider
from accounts.settings_providers import ProviderSettings


class Providers:
    """All configured providers. ``names`` are their names on buttons, by their names in URLs."""

    def __init__(self, settings: Sequence[ProviderSettings]) -> None:
        self._settings = {each.key: each for each in settings}
        self._opened: dict[str, Provider] = {}

    @property
    def names(self) -> Mapping[str, str]:
        """The names on buttons by the names in URLs, in the order of OIDC_PROVIDERS."""
        return {key: each.name for key, each in self._settings.items()}

    def get(self, name: str) -> Provider:
        """Return a provider by its name in URLs.

        Raises:
            ProviderNotFound: there is none.

        """
        if name not in self._settings:
            raise errors.ProviderNotFound
        raise errors.ProviderUnavailable

    async def close(self) -> None:
        """Close the connections to all providers."""
