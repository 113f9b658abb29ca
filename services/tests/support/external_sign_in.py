"""This service as the client of a provider, as routes use it."""

import secrets
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from accounts.domain.external_providers import cached
from accounts.domain.external_providers.provider import AuthorizationRequest, ExternalUser, Provider
from accounts.domain.external_providers.providers import Providers
from accounts.settings_providers import ProviderSettings
from support.evil_provider import EvilProvider

REDIRECT_URI = "https://accounts.example.com/auth/evil/callback"
SignIn = Callable[..., Awaitable[ExternalUser]]


def authorization_request(max_age: int | None = None) -> AuthorizationRequest:
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    return AuthorizationRequest(state, nonce, verifier, max_age)


def settings(issuer: str, **values: Any) -> ProviderSettings:
    given: dict[str, Any] = {"key": "evil", "issuer": issuer, "client_id": "accounts", "_env_prefix": "OIDC_EVIL_"}
    return ProviderSettings(**given | values)


@asynccontextmanager
async def opened(issuer: str, **values: Any) -> AsyncIterator[Provider]:
    providers = Providers([settings(issuer, **values)])
    try:
        yield providers.get("evil")
    finally:
        await providers.close()


async def signed_in(
    provider: Provider, evil: EvilProvider, request: AuthorizationRequest | None = None, **callback: str | None
) -> ExternalUser:
    """Sign in as a browser does, with changed parameters of the callback."""
    request = request or authorization_request()
    given = evil.authorize(await provider.authorization_url(request, REDIRECT_URI)) | callback
    return await provider.external_user(request, REDIRECT_URI, str(given["code"]), given["iss"])


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Have that many seconds pass for documents that are kept."""
    monkeypatch.setattr(cached, "_now", lambda: time.monotonic() + seconds)
