"""gunicorn's configuration. Settings are read here, in the master, so that an invalid one ends it with one line.

With METRICS_PORT the workers listen on a second port, for Prometheus, and share what they count in files.
"""

import gc
import os
import resource
import tempfile
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from uvicorn_worker import UvicornWorker

from accounts.api.http_protocol import Protocol
from accounts.observability import logs, metrics_files
from accounts.settings import SettingsError, get_settings
from accounts.settings_addresses import bracketed, trusted_peers

settings = get_settings()


class Worker(UvicornWorker):  # type: ignore[misc]  # uvicorn-worker has no type hints
    """A uvicorn worker that ends slow requests itself when it stops, before gunicorn kills it."""

    CONFIG_KWARGS = {  # noqa: RUF012  # uvicorn-worker reads this class attribute
        "loop": "uvloop",
        "http": Protocol,
        "lifespan": "on",
        "server_header": False,
        # uvicorn's default trusts X-Forwarded-For from every process of this machine.
        "forwarded_allow_ips": trusted_peers(settings.trusted_proxies),
        "timeout_graceful_shutdown": 15,
        "access_log": False,
    }


wsgi_app = "accounts.api.app:create_app()"
bind = [f"{bracketed(settings.api_host)}:{settings.api_port}"]
# Workers are forked from a master that has imported everything, and share that memory. Nothing is connected before.
preload_app = True
worker_class = Worker
workers = settings.web_concurrency
loglevel = settings.log_level
logconfig_dict = logs.config(settings)
# Stop timeouts nest: uvicorn gives up after 15 s, gunicorn after 20 s, Compose (stop_grace_period) after 30 s.
timeout = 30
graceful_timeout = 20
keepalive = 65
max_requests = 100_000
max_requests_jitter = 10_000
# The workers' heartbeat files belong in memory. The control socket needs a writable home directory, and is not used.
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # gunicorn creates unlinked files with unguessable names there
worker_tmp_dir = str(SHARED_MEMORY) if SHARED_MEMORY.is_dir() else None
control_socket_disable = True
# The usual soft limit of 1,024 would let one client take all descriptors of the workers with idle connections.
DESCRIPTORS = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
with suppress(ValueError):  # macOS allows less than its hard limit
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))

if settings.metrics_port == settings.api_port:
    raise SettingsError("accounts: METRICS_PORT is the same as API_PORT")
if settings.metrics_port:
    wsgi_app = "accounts.api.metrics_endpoint:create_app()"
    bind.append(f"{bracketed(settings.metrics_host)}:{settings.metrics_port}")
    if metrics_files.DIRECTORY not in os.environ:  # a reload (SIGHUP) runs this file again, and keeps the files
        metrics_files.use_files(Path(worker_tmp_dir or tempfile.gettempdir()))


def on_starting(_: Any) -> None:
    """End with one line, in production, if an account has the published password of the sample data."""
    # Not at the top: it imports metrics, which count in files only if these were chosen before.
    from accounts.commands.production import refuse_published_password  # noqa: PLC0415

    refuse_published_password("accounts")


def pre_fork(server: Any, worker: Any) -> None:
    """Keep objects out of the worker's garbage collection, so that their memory stays shared, and choose a slot."""
    gc.freeze()
    taken = {other.slot for other in server.WORKERS.values()}
    worker.slot = next(slot for slot in map(str, count(1)) if slot not in taken)


def post_fork(_: Any, worker: Any) -> None:
    """Count in the worker's slot."""
    metrics_files.use_slot(worker.slot)


def child_exit(_: Any, worker: Any) -> None:
    """Drop the gauges of a worker that has ended."""
    if settings.metrics_port:
        metrics_files.free_slot(worker.slot)
