"""The service as in production: gunicorn with two workers, on a throw-away PostgreSQL."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from accounts.migrations.roles import ROLE
from benchmarks.data import migrate
from benchmarks.servers import environment, server
from postgres import throwaway


@contextmanager
def served() -> Iterator[int]:
    """Run the service during the block, and yield its port."""
    with throwaway() as cluster:
        migrate(cluster)
        settings = environment(cluster.url(role=ROLE), secrets.token_urlsafe(48))
        with server("project", 2, settings) as running:
            yield running.port
