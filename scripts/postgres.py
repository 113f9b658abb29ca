"""PostgreSQL from the binaries of a wheel: a durable cluster for development, throw-away clusters for tests.

Clients connect through a unix socket in a private directory, so there is neither a port nor a password.
"""

import os
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from signal import SIGINT, SIGQUIT, Signals
from urllib.parse import quote

from daemon import Daemon, locked, tail
from postgres_host import PORT, PostgresError, owner, program, run, server_environment, sockets, unprivileged

__all__ = ["DURABLE", "NAME", "Cluster", "PostgresError", "throwaway"]

NAME = "accounts"
PATIENCE = 60.0
INITDB = (
    f"--username={NAME}",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--auth=trust",
    "--no-instructions",
)
LASTING = {"listen_addresses": "", "port": PORT, "timezone": "UTC", "log_timezone": "UTC", "max_connections": "100"}
VOLATILE = LASTING | {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}
DURABLE = VOLATILE | {"synchronous_commit": "on"}  # commits survive a crash of the server, not of the machine
# Blocks until its owner ends, even by SIGKILL; then stops the server of pid file $1 and deletes the other arguments.
WATCHDOG = """
file=$1; shift; read -r _
{ read -r pid <"$file" && kill -QUIT "$pid"; } 2>/dev/null
for try in 1 2 3 4 5 6 7 8 9 10; do
    [ -e "$file" ] && sleep 0.2
done
for try in 1 2 3 4 5 6 7 8 9 10; do
    rm -rf "$@" 2>/dev/null && break
    sleep 0.2
done
"""


class Cluster:
    """A PostgreSQL server whose files are all in one directory. Role and database are named "accounts"."""

    def __init__(self, home: Path, settings: Mapping[str, str] = LASTING) -> None:
        self.home = home.resolve()
        self.data = self.home / "data"
        self.log = self.home / "postgres.log"
        self.sockets = sockets(self.home)
        self._daemon = Daemon(self.home / "pid", self.log)
        self._settings = {"unix_socket_directories": str(self.sockets), **settings}

    def url(self, database: str = NAME, role: str = NAME) -> str:
        """Return the URL of ``database``, which PGHOST and PGPORT do not override."""
        return f"postgresql://{role}@/{database}?host={quote(str(self.sockets), safe='/')}&port={PORT}"

    def ready(self) -> bool:
        """Return whether the server accepts connections."""
        if not self._daemon.running():
            return False
        probe = [program("pg_isready"), "-q", "-d", self.url()]
        return subprocess.run(probe, env=server_environment(), check=False).returncode == 0

    def start(self) -> None:
        """Create the cluster if it is missing, and start the server if it is not running.

        Raises:
            PostgresError: no binaries, data of another version, or the server does not start.

        """
        self.home.mkdir(mode=0o700, parents=True, exist_ok=True)
        with locked(self.home / "lock", PATIENCE):
            if self.ready():
                return
            if not self.data.exists():
                self._create()
            self._check()
            self._serve()

    def stop(self, request: Signals = SIGINT) -> None:
        """Stop the server and disconnect its clients; data is kept. SIGQUIT skips the checkpoint."""
        if self._daemon.running():
            with locked(self.home / "lock", PATIENCE):
                self._daemon.stop(request)

    def _create(self) -> None:
        fresh = self.home / "data.new"  # renamed when complete, so that an interrupted initdb leaves nothing behind
        shutil.rmtree(fresh, ignore_errors=True)
        sync = ["--no-sync"] if self._settings.get("fsync") == "off" else []
        prefix = unprivileged(self.home)
        run("initdb", "-D", str(fresh), *sync, *INITDB, prefix=prefix)
        create = f"CREATE DATABASE {NAME}\n"
        run("postgres", "--single", "-D", str(fresh), "postgres", given=create, prefix=prefix)
        fresh.rename(self.data)

    def _check(self) -> None:
        if (uid := self.data.stat().st_uid) != (expected := owner(self.home)):
            raise PostgresError(f"{self.data} belongs to user {uid}, but PostgreSQL would run as user {expected}")
        found = (self.data / "PG_VERSION").read_text().strip()
        own = re.findall(r"\d+", run("postgres", "--version"))[0]
        if found != own:
            raise PostgresError(f"{self.data} is data of PostgreSQL {found}, and this is {own}: dump it with {found}")

    def _serve(self) -> None:
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        if self.sockets.is_symlink() or self.sockets.stat().st_uid != os.geteuid():
            raise PostgresError(f"{self.sockets} belongs to another user")
        # Left by a killed server: a running one would hold our lock. PostgreSQL refuses to start if the pid was reused.
        for stale in (self.data / "postmaster.pid", *self.sockets.glob(".s.PGSQL.*")):
            stale.unlink(missing_ok=True)
        options = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        command = [*unprivileged(self.home), program("postgres"), "-D", str(self.data), *options]
        self._daemon.start(command, cwd=self.home, environment=server_environment())
        try:
            self._wait()
        except BaseException:
            self._daemon.stop(SIGQUIT)
            raise

    def _wait(self) -> None:
        deadline = time.monotonic() + PATIENCE
        while not self.ready():
            if self._daemon.ended() or time.monotonic() > deadline:
                raise PostgresError(f"PostgreSQL did not start. Last lines of {self.log}:\n{tail(self.log)}")
            time.sleep(0.02)


@contextmanager
def throwaway(settings: Mapping[str, str] = VOLATILE) -> Iterator[Cluster]:
    """Run a cluster for tests: fast, not durable, and deleted however this process ends."""
    home = Path(tempfile.mkdtemp(prefix="accounts-")).resolve()
    cluster = Cluster(home, settings)
    watchdog = ["sh", "-c", WATCHDOG, "sh", *map(str, (cluster.data / "postmaster.pid", home, cluster.sockets))]
    with subprocess.Popen(watchdog, stdin=subprocess.PIPE, start_new_session=True, cwd="/"):
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop(SIGQUIT)
