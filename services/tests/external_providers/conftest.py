"""A provider that may be evil, and this service as its client."""

from collections.abc import AsyncIterator, Iterator

import pytest

from accounts.domain.external_providers.provider import AuthorizationRequest, ExternalUser, Provider
from support.evil_provider import EvilProvider, evil_provider
from support.external_sign_in import SignIn, opened, signed_in


@pytest.fixture
def evil() -> Iterator[EvilProvider]:
    with evil_provider() as evil:
        yield evil


@pytest.fixture
async def provider(evil: EvilProvider) -> AsyncIterator[Provider]:
    async with opened(evil.issuer, client_secret="secret") as provider:
        yield provider


@pytest.fixture
def sign_in(provider: Provider, evil: EvilProvider) -> SignIn:
    async def sign_in(request: AuthorizationRequest | None = None, **callback: str | None) -> ExternalUser:
        return await signed_in(provider, evil, request, **callback)

    return sign_in
