"""Measures other requests during a storm of sign-ins, and response times for known and unknown email addresses."""

import threading
import time
from collections.abc import Callable
from statistics import median, quantiles
from typing import Any

from benchmarks.api import PASSWORD, Api
from benchmarks.served import served

STORM = 16
CONNECTIONS = 8  # enough to reach every worker
SAMPLES = 400
PAIRS = 100
PATHS = ("/health/live", "/users/me")
Times = dict[str, list[float]]


def run() -> None:
    """Start the service and print both tables."""
    with served() as port:
        idle, stormy, rate = measure(port)
        print(f"\n{'ms':16}{'idle p50':>10}{'p95':>8}{f'{STORM} logins p50':>16}{'p95':>8}{'ratio of p95':>14}")
        for path in PATHS:
            (p50, p95), (storm_p50, storm_p95) = map(percentiles, (idle[path], stormy[path]))
            print(f"{path:16}{p50:10.1f}{p95:8.1f}{storm_p50:16.1f}{storm_p95:8.1f}{storm_p95 / p95:14.1f}")
        print(f"{rate:.0f} logins per second\n")
        api = Api(port)
        _print_medians(api, api.users(1)[0])


def measure(port: int, samples: int = SAMPLES) -> tuple[Times, Times, float]:
    """Return durations by path without and during a storm, in seconds, and the storm's sign-ins per second."""
    user, *emails = Api(port).users(1 + STORM)
    token = Api(port).tokens(user)["access_token"]
    probes = [Api(port, {"Authorization": f"Bearer {token}"}) for _ in range(CONNECTIONS)]
    idle = {path: _sample(probes, path, samples) for path in PATHS}
    stormy, rate = _during_storm(port, emails, lambda: {path: _sample(probes, path, samples) for path in PATHS})
    return idle, stormy, rate


def _sample(probes: list[Api], path: str, samples: int) -> list[float]:
    times = []
    for number in range(samples):
        status, _, seconds = probes[number % len(probes)].request("GET", path)
        if status != 200:
            raise RuntimeError(f"{path} returned {status}")
        times.append(seconds)
        time.sleep(0.005)
    return times


def _during_storm(port: int, emails: list[str], work: Callable[[], Any]) -> tuple[Any, float]:
    over, done = threading.Event(), [0] * len(emails)

    def sign_in(number: int) -> None:
        api = Api(port)
        while not over.is_set():
            done[number] += api.login(emails[number])[0] == 200

    threads = [threading.Thread(target=sign_in, args=(number,)) for number in range(len(emails))]
    for thread in threads:
        thread.start()
    time.sleep(1)
    before, started = sum(done), time.perf_counter()
    try:
        result = work()
        return result, (sum(done) - before) / (time.perf_counter() - started)
    finally:
        over.set()
        for thread in threads:
            thread.join()


def percentiles(times: list[float]) -> tuple[float, float]:
    """Return the median and the 95th percentile of seconds, in milliseconds."""
    return median(times) * 1000, quantiles(times, n=20)[-1] * 1000


def _print_medians(api: Api, known: str) -> None:
    asks: dict[str, Callable[[str], Any]] = {
        "login": lambda email: api.login(email, "not-the-password"),
        "register": lambda email: api.post("/auth/register", email=email, password=PASSWORD),
        "forgot-password": lambda email: api.post("/auth/forgot-password", email=email),
        "request-verify-token": lambda email: api.post("/auth/request-verify-token", email=email),
    }
    print(f"{'median, ms':22}{'known':>8}{'unknown':>9}")
    for name, ask in asks.items():
        times: dict[bool, list[float]] = {True: [], False: []}
        for number in range(PAIRS):  # alternating, so that other load affects both
            for is_known in (True, False):
                times[is_known].append(ask(known if is_known else f"nobody{number}.{name}@example.com")[2])
        print(f"{name:22}{median(times[True]) * 1000:8.1f}{median(times[False]) * 1000:9.1f}")
