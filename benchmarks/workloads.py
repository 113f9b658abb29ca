"""The workloads: which servers get them, and the jobs of the load process."""

from http import HTTPStatus
from typing import Any

from benchmarks.changes import CHANGES
from benchmarks.data import PLACES
from benchmarks.peers.environment import PEERS
from benchmarks.peers.requests import PeerRequests
from benchmarks.reads import READS, one_page
from benchmarks.target import Target

CONNECTIONS = 16
HASHING = 8
HASHING_SECONDS = 1.0  # at least
ALL = ("project", "good", "textbook", "floor")
SERVERS = dict.fromkeys((*READS, *CHANGES), ALL[:2]) | {
    "members": ALL,
    "members signed in": ALL,
    "users/me": (*ALL, *PEERS),
    "login": (*ALL[:3], *PEERS),
    "register": ALL[:3],
    "refresh": (*ALL[:2], *PEERS),
}
HASHED = ("login", "register")
PAGES = {"first page": None, "middle page": PLACES // 2, "last page": -1}  # places in the keys of a list
LISTS = ("members", "groups", "users")
SCALED = (*(f"{name}, {page}" for name in LISTS for page in PAGES), *(name for name in READS if name not in LISTS))


class Workloads:
    """The jobs for a server, which are created once: their users sign in when a job is first asked for."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._peer = PeerRequests(target.server, target.port)
        self._jobs: dict[str, dict[str, Any]] = {}

    def job(self, workload: str, seconds: float, connections: int = CONNECTIONS) -> dict[str, Any]:
        """Return the job for the load process: ``workload`` for ``seconds``."""
        if workload not in self._jobs:
            self._jobs[workload] = self._create(workload)
        job = {"port": self.target.port, "status": HTTPStatus.OK, **self._jobs[workload]}
        job |= {"seconds": seconds, "connections": connections}
        if workload in HASHED:
            job |= {"connections": min(connections, HASHING), "seconds": max(seconds, HASHING_SECONDS)}
        return job

    def _create(self, workload: str) -> dict[str, Any]:
        if self.target.server in PEERS:
            return self._peer.job(workload)
        if workload in CHANGES:
            return CHANGES[workload](self.target)
        if workload in READS:
            return {"requests": READS[workload](self.target)}
        name, page = workload.split(", ")
        place = PAGES[page]
        key = None if place is None else self.target.data.keys[name][place]
        return {"requests": one_page(self.target, name, key)}
