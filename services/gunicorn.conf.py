"""How gunicorn serves the API. Settings are read here, in the master, so that a wrong one ends it with one line."""

import gc
from pathlib import Path
from typing import Any

from uvicorn_worker import UvicornWorker

from accounts import logs
from accounts.api.server import Protocol
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


def pre_fork(_: Any, __: Any) -> None:
    """Let no worker's garbage collection write to what it shares with the others."""
    gc.freeze()
