"""Prometheus metrics. Each process counts for itself; ``metrics_files`` adds up gunicorn's workers.

Label values come from the code, never from clients, so that clients cannot create series.
"""

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER = "other"
REQUEST_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
HASH_BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5)

REQUESTS = Histogram(
    "accounts_http_request_duration_seconds",
    "Requests by the template of their route; status 0: the client disconnected.",
    ["method", "route", "status"],
    buckets=REQUEST_BUCKETS,
)
CONNECTIONS = Gauge("accounts_database_connections_in_use", "Database connections in use.", multiprocess_mode="livesum")
CONNECTIONS_LIMIT = Gauge(
    "accounts_database_connections_limit", "Maximum size of the connection pools.", multiprocess_mode="livesum"
)
POOL_TIMEOUTS = Counter("accounts_database_pool_timeouts", "Requests that got no connection in time.")
HASHES_PENDING = Gauge(
    "accounts_password_hashes_pending",
    "Password hashes in progress or waiting for a thread.",
    multiprocess_mode="livesum",
)
HASHES_REFUSED = Counter("accounts_password_hashes_refused", "Password hashes refused because too many were waiting.")
HASH_SECONDS = Histogram(
    "accounts_password_hash_duration_seconds",
    "Time to hash or verify a password, without waiting.",
    buckets=HASH_BUCKETS,
)
REFRESH_REUSED = Counter("accounts_refresh_tokens_reused", "Refresh tokens used twice; their sessions were revoked.")
_THROTTLED = Counter("accounts_throttle_refusals", "Attempts refused by a rate limit.", ["rule"])
_SIGN_INS = Counter("accounts_sign_ins", "Sign-in attempts by outcome.", ["outcome"])
_BREACH_CHECKS = Counter("accounts_breach_checks", "New passwords looked up in a list, by outcome.", ["outcome"])
_MAILS = Counter("accounts_mails", "Mails taken from the outbox by outcome.", ["kind", "outcome"])
_by_route: dict[tuple[str, str, int], Histogram] = {}


def request(method: str, route: str, status: int, seconds: float) -> None:
    """Record a request and its duration. ``route`` is the template of the path."""
    key = (method if method in METHODS else OTHER, route, status)
    child = _by_route.get(key)
    if child is None:  # ``labels`` is slow
        child = _by_route[key] = REQUESTS.labels(*key)
    child.observe(seconds)


def rules(names: Iterable[str]) -> dict[str, Counter]:
    """Create the counters of rate-limit rules: Prometheus misses the first increase of a new series."""
    return {name: _THROTTLED.labels(name) for name in names}


SIGNED_IN = _SIGN_INS.labels("succeeded")
WRONG_PASSWORD = _SIGN_INS.labels("wrong_password")
WRONG_CODE = _SIGN_INS.labels("wrong_code")
UNKNOWN_ADDRESS = _SIGN_INS.labels("unknown_address")
BAD_PASSKEY = _SIGN_INS.labels("bad_passkey")
INACTIVE = _SIGN_INS.labels("inactive")
BREACHED = _BREACH_CHECKS.labels("breached")
NOT_BREACHED = _BREACH_CHECKS.labels("not_breached")
BREACH_CHECK_FAILED = _BREACH_CHECKS.labels("failed")
BREACH_CHECK_SKIPPED = _BREACH_CHECKS.labels("skipped")


def refusals() -> dict[str, int]:
    """Return how many attempts this process has refused, by rule."""
    return _totals(_THROTTLED, "rule")


def mails_by_outcome() -> dict[str, int]:
    """Return what has become of the mails that this process took from the outbox."""
    return _totals(_MAILS, "outcome")


def _totals(counter: Counter, label: str) -> dict[str, int]:
    totals: dict[str, int] = {}
    for sample in (each for family in counter.collect() for each in family.samples):
        if sample.name.endswith("_total"):  # the others say when it began
            totals[sample.labels[label]] = totals.get(sample.labels[label], 0) + int(sample.value)
    return totals


def mail(kind: str, outcome: str) -> None:
    """Count a mail that was ``sent``, ``postponed``, ``parked`` or dropped as ``pointless``."""
    _MAILS.labels(kind, outcome).inc()
