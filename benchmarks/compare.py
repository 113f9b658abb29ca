"""Compares the project with the libraries' documented way, a good developer's, and the least that is possible."""

import argparse
from collections.abc import Sequence

from arguments import at_least, positive
from benchmarks import data, report, statements, targets
from benchmarks.driver import driver
from benchmarks.findings import Findings
from benchmarks.peers.environment import PEERS, installed
from benchmarks.rounds import Study
from benchmarks.servers import COMMANDS
from benchmarks.verdicts import Verdict
from postgres import throwaway


def run(arguments: Sequence[str] = ()) -> Sequence[Verdict]:
    """Measure, print the tables and save them; return the verdicts."""
    options = parse(arguments)
    findings = measure(options)
    report.publish(findings, {"rounds": options.rounds, "seconds": options.seconds, "users": options.users})
    return [*targets.verdicts(findings)]


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Parse the command line. A run with the defaults takes five minutes."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks compare",
        description="Compare the project with three other implementations.",
    )
    parser.add_argument(
        "--users",
        type=at_least(data.LEAST_USERS),
        nargs="+",
        default=[1_000, 100_000],
        metavar="N",
        help="numbers of users in the database",
    )
    parser.add_argument("--workers", type=at_least(1), nargs="+", default=[1], metavar="N", help="workers per server")
    parser.add_argument(
        "--rounds", type=at_least(1), default=3, metavar="N", help="number of measurements of each workload"
    )
    parser.add_argument("--seconds", type=positive, default=0.4, metavar="S", help="seconds per measurement")
    parser.add_argument("--peers", action="store_true", help=f"also {' and '.join(PEERS)}, which are installed first")
    parser.add_argument("--every", action="store_true", help="measure everything at every size")
    return parser.parse_args(arguments)


def measure(options: argparse.Namespace) -> Findings:
    """Create the data and measure everything on one PostgreSQL."""
    findings, names = Findings(), [*COMMANDS]
    if options.peers and installed():
        names += PEERS
    with throwaway() as cluster:
        statements.prepare(cluster)
        data.migrate(cluster)
        sizes = [data.seed(cluster, users) for users in sorted(options.users)]
        findings.seeding = {size.users: size.seeding for size in sizes}
        findings.copying = {size.users: size.copying for size in sizes}
        postmaster = int((cluster.data / "postmaster.pid").read_text().split()[0])
        with driver(postmaster) as load:
            study = Study(cluster, load, findings, options.rounds, options.seconds, names)
            for each in sizes:
                whole = options.every or each is sizes[0]
                for workers in options.workers if whole else options.workers[:1]:
                    study.compare(each, workers, hashing=whole)
            study.scaling(sizes)
        study.storm(sizes[0])
    return findings
