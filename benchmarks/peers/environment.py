"""The peers' environment in ``.local/bench/peers``, which is created when it is first used, and their databases."""

import asyncio
import subprocess
import sys
from pathlib import Path

import asyncpg

from benchmarks.data import PASSWORD, Data
from benchmarks.servers import environment
from postgres import Cluster

DIRECTORY = Path(__file__).parents[2] / ".local" / "bench" / "peers"
PYTHON = DIRECTORY / "bin" / "python"
PEERS = ("crudauth", "fullauth")
REQUIREMENTS = (
    "crudauth==0.8.2",
    "fastapi-fullauth[sqlmodel]==0.18.0",
    "asyncpg",
    "gunicorn",
    "httptools",
    "uvicorn-worker",
    "uvloop",
)


def installed() -> bool:
    """Return whether the peers are installed, after trying to; print why they are not."""
    if (DIRECTORY / "installed").exists():
        return True
    try:
        subprocess.run([sys.executable, "-m", "venv", DIRECTORY], check=True, capture_output=True)
        command = [str(PYTHON), "-m", "pip", "install", "--quiet", *REQUIREMENTS]
        subprocess.run(command, check=True, capture_output=True, text=True)
    except subprocess.CalledProcessError as error:
        reason = (error.stderr or error.stdout or str(error)).strip().splitlines()[-1:]
        print(f"Without {' and '.join(PEERS)}, which cannot be installed: {reason}")
        return False
    (DIRECTORY / "installed").touch()
    return True


def command(name: str) -> tuple[str, ...]:
    """Return the command that serves a peer."""
    options = ("--config", "python:benchmarks.plain", "--access-logfile", "-")
    return (str(PYTHON), "-m", "gunicorn", *options, f"benchmarks.peers.{name}_app:app")


def database(cluster: Cluster, name: str, data: Data) -> str:
    """Create the database of a peer, with as many users as ``data``; return its URL."""
    database = f"{name}_{data.users}"
    url = cluster.url(database)
    if asyncio.run(_create(cluster.url("postgres"), database)):
        module = f"benchmarks.peers.{name}_app"
        settings = environment(url, "s" * 32)
        subprocess.run(
            [PYTHON, "-m", module, str(data.users), PASSWORD], env=settings, check=True, stderr=subprocess.DEVNULL
        )
        asyncio.run(_vacuum(url))
    return url


async def _create(url: str, database: str) -> bool:
    connection = await asyncpg.connect(url)
    try:
        if await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", database):
            return False
        await connection.execute(f"CREATE DATABASE {database}")
        return True
    finally:
        await connection.close()


async def _vacuum(url: str) -> None:
    connection = await asyncpg.connect(url)
    await connection.execute("VACUUM ANALYZE")
    await connection.close()
