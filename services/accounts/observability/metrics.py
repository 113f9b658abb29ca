"""What is counted and timed, for Prometheus. Each process counts for itself; ``shared_counts`` makes one of several.

Labels come from the code alone, never from what somebody sent: there are as many series as there are routes and rules.
"""

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
HASH_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)

REQUESTS = Histogram(
    "accounts_http_request_duration_seconds",
    "Requests by the template of their route; status 0 is no answer.",
    ["method", "route", "status"],
    buckets=REQUEST_BUCKETS,
)
CONNECTIONS = Gauge(
    "accounts_database_connections_in_use", "Connections taken out of the pools.", multiprocess_mode="livesum"
)
CONNECTIONS_LIMIT = Gauge(
    "accounts_database_connections_limit", "Connections that the pools may hold.", multiprocess_mode="livesum"
)
POOL_TIMEOUTS = Counter("accounts_database_pool_timeouts", "Waits for a connection that were given up.")
HASHES_PENDING = Gauge(
    "accounts_password_hashes_pending", "Hashes at work or waiting for a thread.", multiprocess_mode="livesum"
)
HASHES_REFUSED = Counter("accounts_password_hashes_refused", "Hashes refused since too many were waiting.")
HASH_SECONDS = Histogram(
    "accounts_password_hash_duration_seconds", "Hashing or verifying, without the wait.", buckets=HASH_BUCKETS
)
REFRESH_REUSED = Counter("accounts_refresh_tokens_reused", "Refresh tokens used again, whose sessions were ended.")
_THROTTLED = Counter("accounts_throttle_refusals", "Attempts refused by a limit.", ["rule"])
_SIGN_INS = Counter("accounts_sign_ins", "Attempts to sign in whose password was looked at.", ["outcome"])
_MAILS = Counter("accounts_mails", "What has become of mail that was taken out of the outbox.", ["kind", "outcome"])
_of_routes: dict[tuple[str, str, int], Histogram] = {}


def request(method: str, route: str, status: int, seconds: float) -> None:
    """Count a request and its time; ``route`` is a template."""
    key = (method if method in METHODS else OTHER, route, status)
    child = _of_routes.get(key)
    if child is None:  # ``labels`` takes as long as all the rest
        child = _of_routes[key] = REQUESTS.labels(*key)
    child.observe(seconds)


def rules(names: Iterable[str]) -> dict[str, Counter]:
    """Give the counters of refusals by rules: a series that is there from the start shows its first increase."""
    return {name: _THROTTLED.labels(name) for name in names}


SIGNED_IN = _SIGN_INS.labels("succeeded")
WRONG_PASSWORD = _SIGN_INS.labels("wrong_password")
UNKNOWN_ADDRESS = _SIGN_INS.labels("unknown_address")
INACTIVE = _SIGN_INS.labels("inactive")


def mail(kind: str, outcome: str) -> None:
    """Count a mail that was ``sent``, ``postponed``, ``parked`` or found ``pointless``."""
    _MAILS.labels(kind, outcome).inc()
