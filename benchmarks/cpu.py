"""The CPU time of requests, of the server and of PostgreSQL: to compare two ways of writing the same in a minute.

CPU time depends less on other load than durations do. Servers take turns in short rounds, and ratios are those of
rounds next to each other.
"""

import argparse
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from arguments import at_least, positive
from benchmarks import data, statements
from benchmarks.data import Data
from benchmarks.driver import Driver, Result, driver
from benchmarks.peers.environment import PEERS, installed
from benchmarks.running import Running, running
from benchmarks.servers import COMMANDS, environment, server
from benchmarks.target import Target
from benchmarks.workloads import SERVERS, Workloads
from postgres import Cluster, throwaway

HEAD = f"{'':20}{'':10}{'server':>9}{'SQL':>8}{'both':>8}{'spread':>8}{'ratio':>7}{'per s':>9}{'p50 ms':>8}"


def run(arguments: Sequence[str] = ()) -> None:
    """Print the CPU milliseconds of a request for each workload and server."""
    options = parse(arguments)
    with throwaway() as cluster:
        statements.prepare(cluster)
        data.migrate(cluster)
        seeded = data.seed(cluster, options.users)
        postmaster = int((cluster.data / "postmaster.pid").read_text().split()[0])
        with driver(postmaster) as load, servers_of(options, cluster, seeded) as servers:
            print(f"CPU ms a request, {options.users:,} users; ratio: both, to the project\n{HEAD}")
            for workload in options.only:
                results = measure(load, servers, workload, options)
                print("\n".join(lines(workload, results)), flush=True)


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks cpu", description="CPU time per request.")
    parser.add_argument(
        "--users",
        type=at_least(data.LEAST_USERS),
        default=1_000,
        metavar="N",
        help="users in the database (1,000 or more)",
    )
    parser.add_argument("--only", type=_names(SERVERS), default=[*SERVERS], metavar="A,B", help=", ".join(SERVERS))
    names = (*COMMANDS, *PEERS)
    parser.add_argument("--servers", type=_names(names), default=[], metavar="A,B", help=", ".join(names))
    parser.add_argument(
        "--against", type=_checkout, metavar="DIR", help="another checkout, of the same schema: an absolute path"
    )
    parser.add_argument("--workers", type=at_least(1), default=1, metavar="N", help="workers of each server")
    parser.add_argument("--rounds", type=at_least(1), default=5, metavar="N", help="measurements of each workload")
    parser.add_argument("--seconds", type=positive, default=0.6, metavar="S", help="seconds of each measurement")
    options = parser.parse_args(arguments)
    options.servers = list(dict.fromkeys(["project", *options.servers]))
    if {*options.servers} & {*PEERS} and not installed():
        options.servers = [name for name in options.servers if name not in PEERS]
    return options


def _names(known: Iterable[str]) -> Callable[[str], list[str]]:
    def names(given: str) -> list[str]:
        if unknown := {*given.split(",")} - {*known}:
            raise argparse.ArgumentTypeError(f"{', '.join(unknown)}: choose from {', '.join(known)}")
        return given.split(",")

    return names


def _checkout(given: str) -> Path:
    if not (Path(given).is_absolute() and Path(given, "services", "accounts").is_dir()):
        raise argparse.ArgumentTypeError(f"{given}: not the absolute path of a checkout")
    return Path(given)


@contextmanager
def servers_of(options: argparse.Namespace, cluster: Cluster, seeded: Data) -> Iterator[Running]:
    """Run the servers during the block, and that of another checkout."""
    with running(cluster, options.servers, seeded, options.workers) as servers, ExitStack() as stack:
        if options.against:
            settings, services = environment(seeded.url, secrets.token_urlsafe(48)), options.against / "services"
            other = stack.enter_context(server("project", options.workers, settings, services))
            servers["against"] = other, Workloads(Target("project", other.port, other.port, seeded))
        yield servers


def measure(load: Driver, servers: Running, workload: str, options: argparse.Namespace) -> dict[str, list[Result]]:
    """Measure a workload on each server that has it, in turns."""
    results: dict[str, list[Result]] = {name: [] for name in servers if name in {*SERVERS[workload], "against"}}
    for turn in range(1 + options.rounds):
        for name, measured in results.items():
            started, workloads = servers[name]
            result = load.measure(started, workloads.job(workload, options.seconds))
            if turn:  # the first one warms up
                measured.append(result)
    return results


def lines(workload: str, results: Mapping[str, Sequence[Result]]) -> Iterator[str]:
    """Write a line for each server: medians, and the spread of the sum as a share of its median."""
    for name, measured in results.items():
        sums = [each.both for each in measured]
        ratio = median(own / other.both for own, other in zip(sums, results["project"], strict=True))
        spread = (max(sums) - min(sums)) / median(sums)
        cpu, sql, rate, p50 = (
            median(getattr(each, figure) for each in measured) for figure in ("cpu", "database_cpu", "rate", "p50")
        )
        yield (
            f"{workload:20}{name:10}{cpu:9.2f}{sql:8.2f}{median(sums):8.2f}{spread:8.0%}{ratio:7.2f}{rate:9.1f}{p50:8.2f}"
        )
