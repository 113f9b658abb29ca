"""A server that other services reach, with a key pair."""

from collections.abc import Iterator

import pytest

from keys import key_pair
from support.gunicorn import Gunicorn, gunicorn
from support.processes import free_port


@pytest.fixture
def server(fresh_database: str) -> Iterator[Gunicorn]:
    port = str(free_port())
    issuer = f"http://127.0.0.1:{port}"
    with gunicorn(
        fresh_database, 1, API_PORT=port, PUBLIC_URL=issuer, SIGNING_KEY=key_pair(), SIGN_UP="open"
    ) as server:
        yield server
