"""Measures how many letters a second one worker sends to a mail server (aiosmtpd) on this machine."""

import argparse
import asyncio
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import asyncpg
from aiosmtpd.smtp import SMTP, Envelope, Session

from arguments import at_least
from benchmarks import procfs
from benchmarks.data import create_database, migrate
from benchmarks.servers import environment
from postgres import Cluster, throwaway
from support.certificates import authority

SECURITY = ("none", "starttls")
WARM_UP = 50
# From one to the next, all notices have other recipients: their rate limits are counted, and not reached.
ENQUEUE = """
    INSERT INTO outbox (id, kind, email, language)
    SELECT gen_random_uuid(), 'password_changed', format('first.last.%s@%s.example.com', number, $2::text), 'en'
    FROM generate_series(1, $1::integer) AS number
"""
PATIENCE = 600
POLL = 0.02


def run(arguments: Sequence[str] = ()) -> None:
    """Print letters a second, and the CPU time a letter of the worker, PostgreSQL and the mail server."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks mail", description="Send letters by one worker.")
    parser.add_argument("--letters", type=at_least(1), default=1_000, metavar="N", help="letters to send (1,000)")
    letters = parser.parse_args(arguments).letters
    print(f"{letters:,} letters; CPU ms a letter of\n{'':10}{'letters/s':>10}{'worker':>9}{'SQL':>8}{'server':>9}")
    with throwaway() as cluster, tempfile.TemporaryDirectory() as folder:
        migrate(cluster)
        for security in SECURITY:
            asyncio.run(create_database(cluster, security))
            print(asyncio.run(_measure(cluster, security, letters, Path(folder))), flush=True)


async def _measure(cluster: Cluster, security: str, letters: int, folder: Path) -> str:
    url, postmaster = cluster.url(security), int((cluster.data / "postmaster.pid").read_text().split()[0])
    with (
        _server(security, folder) as (server, settings),
        _worker(url, {**settings, "SMTP_SECURITY": security}) as worker,
    ):
        await _send(url, WARM_UP, "warm-up")
        pids = (worker, postmaster, server)
        before, started = [procfs.cpu_seconds(pid) for pid in pids], time.perf_counter()
        await _send(url, letters, "measured")
        seconds = time.perf_counter() - started
        worked, queried, served = (
            1000 * (procfs.cpu_seconds(pid) - cpu) / letters for pid, cpu in zip(pids, before, strict=True)
        )
    return f"{security:10}{letters / seconds:10.0f}{worked:9.2f}{queried:8.2f}{served:9.2f}"


async def _send(url: str, letters: int, domain: str) -> None:
    """Enqueue letters in one transaction, and wait until the queue is empty."""
    connection = await asyncpg.connect(url)
    async with asyncio.timeout(PATIENCE), connection.transaction():
        await connection.execute(ENQUEUE, letters, domain)
        await connection.execute("NOTIFY outbox")
    async with asyncio.timeout(PATIENCE):
        while await connection.fetchval("SELECT EXISTS (SELECT FROM outbox)"):  # noqa: ASYNC110  # in the database
            await asyncio.sleep(POLL)
    await connection.close()


@contextmanager
def _worker(url: str, settings: Mapping[str, str]) -> Iterator[int]:
    everything = environment(url, "s" * 32, LOG_LEVEL="warning", SMTP_HOST="127.0.0.1", **settings)
    with subprocess.Popen([sys.executable, "-m", "accounts.worker"], env=everything) as process:
        try:
            yield process.pid
        finally:
            process.terminate()


@contextmanager
def _server(security: str, folder: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Run the mail server in a process of its own. Yield its pid, and the settings with which the worker trusts it."""
    certificate = folder / "authority.pem"
    command = [sys.executable, "-m", "benchmarks.mail", security, str(certificate)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            port = process.stdout.readline().strip() if process.stdout else ""
            yield process.pid, {"SMTP_PORT": port, "SMTP_SECURITY": security, "SSL_CERT_FILE": str(certificate)}
        finally:
            process.terminate()


class _Sink:
    """Accepts every mail, and forgets it."""

    async def handle_DATA(self, _server: SMTP, _session: Session, _envelope: Envelope) -> str:  # noqa: N802  # aiosmtpd's name
        return "250 OK"


async def _serve(security: str) -> None:
    context = authority().server if security == "starttls" else None
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(_Sink(), hostname="mail.test", tls_context=context), "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(authority().certificate)
    asyncio.run(_serve(sys.argv[1]))
