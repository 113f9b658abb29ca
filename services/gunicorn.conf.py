"""How gunicorn serves the API. Settings are read here, in the master, so that a wrong one ends it with one line.

With METRICS_PORT, another child of the master serves what the workers count: each has a place, and files in memory.
"""

import asyncio
import atexit
import gc
import os
import shutil
import signal
import sys
import tempfile
from contextlib import suppress
from itertools import count
from pathlib import Path
from typing import Any

from prometheus_client.multiprocess import mark_process_dead
from uvicorn_worker import UvicornWorker

from accounts.api.http_protocol import Protocol
from accounts.observability import logs, metrics_files
from accounts.settings import get_settings

settings = get_settings()


class Worker(UvicornWorker):  # type: ignore[misc]  # uvicorn-worker has no type hints
    """uvicorn, ending requests that outlast a stop before gunicorn kills the worker."""

    CONFIG_KWARGS = {  # noqa: RUF012  # uvicorn-worker reads this class attribute
        "loop": "uvloop",
        "http": Protocol,
        "lifespan": "on",
        "server_header": False,
        # Not uvicorn's default, which believes whoever connects from this machine.
        "forwarded_allow_ips": [str(network) for network in settings.trusted_proxies],
        "timeout_graceful_shutdown": 15,
        "access_log": False,
    }


wsgi_app = "accounts.api.app:create_app()"
# Workers are forked from a master that has imported everything, and share that memory. Nothing is connected before.
preload_app = True
worker_class = Worker
workers = settings.web_concurrency
bind = f"{settings.api_host}:{settings.api_port}"
loglevel = settings.log_level
logconfig_dict = logs.config(settings)
# Stops nest: uvicorn gives up after 15 s, gunicorn after 20 s, Compose (stop_grace_period) after 30 s.
timeout = 30
graceful_timeout = 20
keepalive = 65
max_requests = 100_000
max_requests_jitter = 10_000
# The heartbeat file belongs in memory; the control socket would be one per home directory and needs a writable one.
SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # gunicorn makes an unlinked, unguessable file there
worker_tmp_dir = str(SHARED_MEMORY) if SHARED_MEMORY.is_dir() else None
control_socket_disable = True


def _clear(directory: Path, master: int) -> None:
    """Delete the files at the end of the master, and not of its forks."""
    if os.getpid() == master:
        shutil.rmtree(directory, ignore_errors=True)


# Before anything that counts is imported; a reload finds it imported, and goes on with the same files.
if settings.metrics_port and "accounts.observability.metrics" not in sys.modules:
    shared = Path(tempfile.mkdtemp(prefix="accounts-metrics-", dir=worker_tmp_dir))
    metrics_files.use_files(shared)
    atexit.register(_clear, shared, os.getpid())


def on_starting(server: Any) -> None:
    """Take the port of the metrics, so that one that is taken ends the start."""
    server.exporter_socket, server.exporter = None, 0
    if settings.metrics_port:
        from accounts import metrics_server  # noqa: PLC0415  # it imports what counts

        server.exporter_socket = metrics_server.listen(settings)


def pre_fork(server: Any, worker: Any) -> None:
    """Let no worker's garbage collection write to what it shares with the others, and give it a free place."""
    gc.freeze()
    taken = {each.place for each in server.WORKERS.values()}
    worker.place = next(place for place in map(str, count(1)) if place not in taken)
    if server.exporter_socket and not _alive(server.exporter):
        server.exporter = os.fork() or _export(server)


def post_fork(server: Any, worker: Any) -> None:
    """Count in the worker's place."""
    metrics_files.use_slot(worker.place)
    if server.exporter_socket:
        server.exporter_socket.close()


def child_exit(server: Any, worker: Any) -> None:
    """Forget what a worker had in use: it is dead. What it has counted stays."""
    if server.exporter_socket:
        mark_process_dead(worker.place)  # type: ignore[no-untyped-call]  # prometheus-client's own


def on_exit(server: Any) -> None:
    """End with the last worker."""
    if server.exporter:
        with suppress(ProcessLookupError, ChildProcessError):
            os.kill(server.exporter, signal.SIGTERM)
            os.waitpid(server.exporter, 0)


def _alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return process > 0


def _export(server: Any) -> int:
    """Be the exporter, in the child, for as long as the master lives; nothing else of the master's happens here."""
    from accounts import metrics_server  # noqa: PLC0415  # as above

    for listener in server.LISTENERS:
        listener.close()
    directory = Path(os.environ[metrics_files.DIRECTORY])

    master: int = server.pid

    def orphaned() -> bool:
        return os.getppid() != master

    try:
        asyncio.run(metrics_server.serve(settings, server.exporter_socket, directory, orphaned))
    finally:
        if orphaned():
            shutil.rmtree(directory, ignore_errors=True)
        os._exit(0)
