"""A browser that signs in with a provider: it keeps cookies, goes to the provider, and comes back."""

from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from httpx2 import Response

from accounts.domain.external_providers.providers import Providers
from support.evil_provider import EvilProvider
from support.external_sign_in import settings
from support.people import World

CALLBACK = "/auth/evil/callback"
JSON = {"Accept": "application/json"}
HTML = {"Accept": "text/html", "Accept-Language": "en"}


def configure(world: World, provider: EvilProvider, **values: Any) -> None:
    """Have the application sign users in with a provider, by the name ``evil``."""
    world.state["providers"] = Providers([settings(provider.issuer, **values)])


class Browser:
    """One browser. ``address`` is its client IP."""

    def __init__(self, world: World, provider: EvilProvider, address: str = "192.0.2.1") -> None:
        self.provider = provider
        self.client = world.client_at(address)
        self.client.base_url = "https://testserver"

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.client.aclose()

    async def leave(self, path: str = "/auth/evil/authorize", **query: Any) -> dict[str, str]:
        """Go to the provider and sign in there; return the parameters to come back with."""
        response = await self.client.get(path, params=query, headers={"Sec-Fetch-Site": "same-origin"})
        assert response.status_code == 200, response.text
        return self.provider.authorize(response.json()["authorization_url"])

    async def come_back(self, parameters: dict[str, str], headers: dict[str, str] | None = None) -> Response:
        return await self.client.get(CALLBACK, params=parameters, headers=headers or JSON)

    async def sign_in(self, **query: Any) -> Response:
        return await self.come_back(await self.leave(**query))

    async def account(self) -> dict[str, Any]:
        """Sign in with a cookie, and return the account."""
        response = await self.sign_in(kind="cookie")
        assert response.status_code == 303, response.text
        return (await self.client.get("/users/me")).json()  # type: ignore[no-any-return]


def query_of(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))
