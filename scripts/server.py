"""Runs the API and the worker as background processes of this machine."""

import hashlib
import json
import socket
import sys
import time
from errno import EADDRINUSE
from functools import cached_property
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException
from pathlib import Path

import branded_files
from daemon import Daemon, tail
from environment import EXAMPLE, PROVIDER_VARIABLE, ROOT, address, read, url

STATE = ROOT / ".local"
SERVICES = ROOT / "services"
READY_PATIENCE = 60.0


class ServerError(Exception):
    """The API cannot start; the message says why and what to do."""


class Server:
    """gunicorn and the mail worker, with the variables of ``environment``."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.log = STATE / "api.log"
        self.worker_log = STATE / "worker.log"
        self._daemon = Daemon(STATE / "api.pid", self.log)
        self._worker = Daemon(STATE / "worker.pid", self.worker_log)
        self._settings = STATE / "api.settings"
        self._heartbeat = STATE / "worker.heartbeat"
        self._environment = environment

    @cached_property
    def _address(self) -> tuple[str, int]:
        try:
            return address(self._environment)
        except ValueError as error:
            raise ServerError(str(error)) from None

    @property
    def host(self) -> str:
        """The host that gunicorn binds to; 0.0.0.0 means all of this machine's addresses."""
        return (self._environment.get("API_HOST") or "127.0.0.1").strip("[]")

    @property
    def port(self) -> int:
        """The port that gunicorn binds to."""
        return self._address[1]

    @property
    def url(self) -> str:
        """The URL at which this machine reaches the API."""
        return url(self._environment)

    def running(self) -> bool:
        """Return whether any of gunicorn's processes is alive."""
        return self._daemon.running()

    def current(self) -> bool:
        """Return whether API and worker run with the current settings and code."""
        if not (self._daemon.whole() and self._worker.whole()) or self._recorded() != self.fingerprint():
            return False
        return unchanged_since(self._settings)

    def readiness(self) -> str:
        """Return why the API is not ready; empty if it is."""
        connection = HTTPConnection(*self._address, timeout=5)  # urllib would use HTTP_PROXY
        try:
            connection.request("GET", "/health/ready")
            response = connection.getresponse()
            body = response.read()
            return "" if response.status == HTTPStatus.OK else _reason(response.status, body)
        except (OSError, HTTPException) as error:
            return f"{self.url} is not reachable: {error}"
        finally:
            connection.close()

    def require_port(self) -> None:
        """Check that the port is free, or in use by the running API.

        Raises:
            ServerError: another process uses the port, or this user must not bind to it.

        """
        if self.running() and self._recorded().startswith(self._bound()):
            return
        try:
            family = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)[0][0]
            with socket.socket(family, socket.SOCK_STREAM) as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind((self.host, self.port))
        except socket.gaierror as error:
            raise ServerError(f"API_HOST={self.host}: {error.strerror}") from None
        except OSError as error:
            why = "is in use" if error.errno == EADDRINUSE else f"cannot be used ({error.strerror})"
            other = self.port % 65535 + 1
            raise ServerError(f"port {self.port} of {self.host} {why}; choose another one: API_PORT={other}") from None

    def start(self, owner: dict[str, str]) -> None:
        """Start API and worker, and wait until the API is ready.

        Args:
            owner: variables for the worker, which connects as the owner of the schema.

        Raises:
            ServerError: one ended, or was not ready within a minute. Both are stopped.

        """
        self._daemon.start([sys.executable, "-m", "gunicorn"], cwd=SERVICES, environment=self._environment)
        self.start_worker(owner)
        self._settings.write_text(self.fingerprint())
        try:
            self._wait()
        except BaseException:
            self.stop()
            raise

    def start_worker(self, owner: dict[str, str]) -> None:
        """Start the worker, which sends mail, unless it is running."""
        if not self._worker.running():
            self._heartbeat.unlink(missing_ok=True)
            work = [sys.executable, "-m", "accounts.worker", "--heartbeat", str(self._heartbeat)]
            self._worker.start(work, cwd=SERVICES, environment=self._environment | owner | self._next_port())

    def _next_port(self) -> dict[str, str]:
        port = self._environment.get("METRICS_PORT", "")  # the API has this one
        return {"METRICS_PORT": str(int(port) + 1)} if port.isascii() and port.isdecimal() and int(port) else {}

    def stop(self) -> None:
        """Stop both, after they have finished requests and mails in progress."""
        self.stop_api()
        self._worker.stop()

    def stop_api(self) -> None:
        """Stop the API only."""
        self._daemon.stop()

    def _wait(self) -> None:
        deadline = time.monotonic() + READY_PATIENCE
        while reason := self.readiness() or self._worker_readiness():
            for name, daemon in (("API", self._daemon), ("worker", self._worker)):
                if daemon.ended():
                    raise ServerError(
                        f"the {name} ended while starting. Last lines of {daemon.log}:\n{tail(daemon.log)}"
                    )
            if time.monotonic() > deadline:
                log = self.log if self.readiness() else self.worker_log
                raise ServerError(f"not ready after a minute: {reason}. Last lines of {log}:\n{tail(log)}")
            time.sleep(0.1)

    def _worker_readiness(self) -> str:
        return "" if self._heartbeat.exists() else "the worker has not read the queue of mail"

    def _recorded(self) -> str:
        return self._settings.read_text() if self._settings.exists() else ""

    def _bound(self) -> str:
        return f"{self.host}:{self.port} "

    def fingerprint(self) -> str:
        """Return the address, and a hash of the settings and of the files that they name."""
        providers = sorted(filter(PROVIDER_VARIABLE.fullmatch, self._environment))
        settings = {name: self._environment.get(name) for name in [*read(EXAMPLE), "DATABASE_URL", *providers]}
        used = json.dumps([settings, branded_files.fingerprint(self._environment)])
        return self._bound() + hashlib.sha256(used.encode()).hexdigest()


def unchanged_since(stamp: Path) -> bool:
    """Return whether the code is older than a file, by its time of change (ctime), which cannot be set back."""
    moment = stamp.stat().st_mtime_ns
    sources = [*SERVICES.glob("*.py"), *SERVICES.glob("*.lock"), *(SERVICES / "accounts").rglob("*.*")]
    return all(path.stat().st_ctime_ns < moment for path in sources if path.suffix != ".pyc")


def _reason(status: int, body: bytes) -> str:
    try:
        problem = json.loads(body)
        return str(problem.get("reason") or problem["detail"])
    except (ValueError, KeyError, AttributeError):
        return f"/health/ready returned {status}"
