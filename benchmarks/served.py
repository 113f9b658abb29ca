"""The service as in production, on this machine alone: gunicorn, its workers, and a throw-away PostgreSQL."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from accounts.migrations.roles import ROLE
from benchmarks.data import migrate
from benchmarks.servers import environment, server
from postgres import throwaway


@contextmanager
def served() -> Iterator[int]:
    """Serve until the block ends; the value is the port."""
    with throwaway() as cluster:
        migrate(cluster)
        settings = environment(cluster.url(role=ROLE), secrets.token_urlsafe(48))
        with server("project", 2, settings) as running:
            yield running.port
