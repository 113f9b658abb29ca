"""The servers of a run, all on one PostgreSQL."""

import secrets
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

from benchmarks.data import Data
from benchmarks.peers import environment as peers
from benchmarks.servers import Server, environment, server
from benchmarks.target import Target
from benchmarks.workloads import Workloads
from postgres import Cluster

Running = dict[str, tuple[Server, Workloads]]


@contextmanager
def running(cluster: Cluster, names: Sequence[str], data: Data, workers: int) -> Iterator[Running]:
    """Run servers during the block; the floor accepts the project's tokens. Peers have databases of their own."""
    settings = environment(data.url, secrets.token_urlsafe(48))
    with ExitStack() as stack:
        servers = {}
        for name in names:
            command = peers.command(name) if name in peers.PEERS else None
            own = {"DATABASE_URL": peers.database(cluster, name, data)} if command else {}
            servers[name] = stack.enter_context(server(name, workers, settings | own, command=command))
        ports = {name: each.port for name, each in servers.items()}
        issuers = ports | ({"floor": ports["project"]} if "floor" in ports else {})
        yield {name: (each, Workloads(Target(name, each.port, issuers[name], data))) for name, each in servers.items()}
