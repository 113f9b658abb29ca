"""The targets of a comparison: ratios within one run, CPU milliseconds, and memory."""

from collections.abc import Iterator
from statistics import median

from benchmarks.findings import Findings, Key
from benchmarks.verdicts import Verdict

RATES = (
    ("members", "textbook", 10.0),
    ("members", "floor", 0.5),
    ("members signed in", "floor", 0.4),
    ("users/me", "floor", 0.5),
    ("login", "argon2 alone", 0.88),
)
# Of the server and PostgreSQL together; lists for a page of 50.
CPU_MS = {
    "refresh": 1.2,
    "groups": 1.0,
    "group": 1.0,
    "my groups": 1.0,
    "sessions": 1.0,
    "invitations": 1.0,
    "my invitations": 1.0,
    "users": 1.0,
    "search": 1.0,
    "update me": 2.0,
    "change role": 2.0,
}
LOGIN_MS, STORM, GROWTH, SEEDING = 2.0, 1.5, 1.15, 0.5
WORKER_MB, MASTER_MB, READY_SECONDS = 75, 60, 1


def verdicts(findings: Findings) -> Iterator[Verdict]:
    """Compare the measurements with their targets: rates and CPU times are those of the first run of servers."""
    run = findings.groups()[0]
    yield from _rates(findings, run)
    yield from _cpu(findings, run)
    for path, ratios in findings.storm.items():
        yield Verdict(f"{path}: p95 in a storm of sign-ins / idle", median(ratios), STORM, most=True)
    for workload, times in findings.scaling.items():
        if len(times) > 1:
            name = f"{workload}: p50, {max(times):,} / {min(times):,} users"
            yield Verdict(name, findings.growth(workload), GROWTH, most=True)
    largest = max(findings.seeding)
    yield Verdict(f"seeding / COPY, {largest:,} users", findings.seeding[largest] / findings.copying[largest], SEEDING)
    yield Verdict("worker: private MB", max(findings.memory["project"]), WORKER_MB, most=True)
    yield Verdict("master: resident MB", max(findings.masters["project"]), MASTER_MB, most=True)
    yield Verdict("seconds until ready", median(findings.ready["project"]), READY_SECONDS, most=True)


def _rates(findings: Findings, run: tuple[int, int]) -> Iterator[Verdict]:
    for workload, other, target in RATES:
        if (measured := findings.ratio(*run, workload, other)) is not None:
            yield Verdict(f"{workload}: rate / {other}", measured, target)


def _cpu(findings: Findings, run: tuple[int, int]) -> Iterator[Verdict]:
    for workload, target in CPU_MS.items():
        key: Key = (*run, workload, "project")
        yield Verdict(f"{workload}: CPU ms", findings.middle(key, "both"), target, most=True)
        yield Verdict(f"{workload}: CPU / good", findings.cpu_ratio(*run, workload, "good"), 1, most=True)
    login, argon2 = (findings.results[*run, "login", name] for name in ("project", "argon2 alone"))
    beyond = median(whole.both - hashing.both for whole, hashing in zip(login, argon2, strict=True))
    yield Verdict("login without its hash: CPU ms", beyond, LOGIN_MS, most=True)
