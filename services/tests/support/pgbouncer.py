"""The real PgBouncer with the project's configuration, in front of a PostgreSQL that asks the API for its password."""

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from signal import SIGQUIT

import asyncpg

from accounts.migrations.roles import ROLE
from postgres import NAME, VOLATILE, Cluster, throwaway
from postgres_host import PORT, unprivileged
from support.processes import free_port
from support.project import ROOT
from support.waiting import PATIENCE, wait_until

CONFIGURATION = ROOT / "deploy" / "pgbouncer" / "pgbouncer.ini"
PASSWORD = 'excalibur "and" avalon'
NEEDED = (1, 21)  # the first with prepared statements in transaction mode
HBA = f"local all {NAME} trust\nlocal all {ROLE} scram-sha-256\n"


@cache
def pgbouncer() -> str | None:
    """Return the path of PgBouncer 1.21 or later: in the variable PGBOUNCER, or on PATH."""
    found = os.environ.get("PGBOUNCER") or shutil.which("pgbouncer", path=f"{os.environ.get('PATH')}:/usr/sbin")
    if not found:
        return None
    text = subprocess.run([found, "--version"], check=True, capture_output=True, text=True).stdout
    version = re.search(r"PgBouncer (\d+)\.(\d+)", text)
    return found if version and tuple(map(int, version.groups())) >= NEEDED else None


@dataclass
class Pooled:
    """A PostgreSQL server, and PgBouncer in front of it."""

    cluster: Cluster
    port: int

    @property
    def url(self) -> str:
        """How the API connects, without its password."""
        return f"postgresql://{ROLE}@127.0.0.1:{self.port}/{NAME}"

    async def connect(self) -> asyncpg.Connection:
        """Connect through PgBouncer as the API's role, and ask for no limits."""
        return await asyncpg.connect(self.url, password=PASSWORD)


@contextmanager
def pooled() -> Iterator[Pooled]:
    """Start both. The database is empty, and the role of the API does not exist yet."""
    with tempfile.TemporaryDirectory(prefix="pgbouncer-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        (home / "hba").write_text(HBA)
        with throwaway(VOLATILE | {"hba_file": str(home / "hba")}) as cluster:
            running = Pooled(cluster, free_port())
            process = _start(running, home)
            try:
                socket = home / f".s.PGSQL.{running.port}"
                wait_until("PgBouncer listens", lambda: process.poll() is not None or socket.exists())
                assert process.poll() is None, "PgBouncer has ended"
                yield running
            finally:
                process.send_signal(SIGQUIT)  # without waiting for clients
                process.wait(PATIENCE)


def _start(pooled: Pooled, home: Path) -> subprocess.Popen[bytes]:
    (home / "pgbouncer.ini").write_text(_configuration(pooled, home))
    (home / "users").write_text('"{}" "{}"\n'.format(ROLE, PASSWORD.replace('"', '""')))
    if os.geteuid() == 0:
        home.chmod(0o777)  # for its socket, as another user
    command = [*unprivileged(pooled.cluster.home), str(pgbouncer()), str(home / "pgbouncer.ini")]
    return subprocess.Popen(command, cwd="/")


def _configuration(pooled: Pooled, home: Path) -> str:
    """Return the project's configuration with the addresses of this machine."""
    text = CONFIGURATION.read_text()
    changes = {
        "accounts": f"host={pooled.cluster.sockets} port={PORT}",
        "listen_addr": "127.0.0.1",
        "listen_port": str(pooled.port),
        "unix_socket_dir": str(home),
        "auth_file": str(home / "users"),
    }
    for name, value in changes.items():
        text, count = re.subn(rf"^{name} =.*$", f"{name} = {value}", text, flags=re.MULTILINE)
        assert count == 1, name
    return text
