"""An issuer, and a verifier of its tokens."""

from collections.abc import AsyncIterator, Iterator

import pytest

from accounts_client import Verifier, keys
from issuer import Clock, Issuer, serve


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    with serve() as issuer:
        yield issuer


@pytest.fixture
async def verifier(issuer: Issuer) -> AsyncIterator[Verifier]:
    verifier = Verifier(issuer.url, credentials="acc_pat_of_this_service")
    yield verifier
    await verifier.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(keys, "monotonic", clock)
    return clock
