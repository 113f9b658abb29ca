"""Compares the service with a key pair and with a secret that signs access tokens. Both take turns on one database."""

import secrets
from contextlib import ExitStack
from statistics import median

from benchmarks import data
from benchmarks.driver import Result, driver
from benchmarks.servers import environment, server
from benchmarks.target import Target
from benchmarks.workloads import Workloads
from keys import key_pair
from postgres import throwaway

USERS = 1_000
ROUNDS = 40  # short ones, so that other load affects both alike
SECONDS = 0.3
WORKLOADS = ("users/me", "members signed in", "refresh", "login")


def run() -> None:
    """Measure, and print the rates and the processor time of each workload, and their ratios in pairs of rounds."""
    with throwaway() as cluster, ExitStack() as stack:
        data.migrate(cluster)
        seeded = data.seed(cluster, USERS)
        postmaster = int((cluster.data / "postmaster.pid").read_text().split()[0])
        load = stack.enter_context(driver(postmaster))
        servers = {}
        for name, key in (("HS256", ""), ("ES256", key_pair())):
            settings = environment(seeded.url, secrets.token_urlsafe(48), SIGNING_KEY=key)
            started = stack.enter_context(server("project", 1, settings))
            servers[name] = started, Workloads(Target("project", started.port, started.port, seeded))
        print(f"\n{'':20}{'HS256/s':>10}{'ES256/s':>10}{'rate':>8}{'HS256 ms':>10}{'ES256 ms':>10}{'CPU':>8}")
        for workload in WORKLOADS:
            results: dict[str, list[Result]] = {name: [] for name in servers}
            for turn in range(1 + ROUNDS):
                for name, (started, workloads) in servers.items():
                    result = load.measure(started, workloads.job(workload, SECONDS))
                    if turn:  # the first one warms up
                        results[name].append(result)
            print(f"{workload:20}{_columns(results, 'rate', 10, 0)}{_columns(results, 'cpu', 10, 2)}")


def _columns(results: dict[str, list[Result]], figure: str, width: int, digits: int) -> str:
    secret, pair = ([getattr(result, figure) for result in results[name]] for name in ("HS256", "ES256"))
    ratio = median(own / other for own, other in zip(pair, secret, strict=True))
    return f"{median(secret):{width}.{digits}f}{median(pair):{width}.{digits}f}{ratio:8.3f}"
