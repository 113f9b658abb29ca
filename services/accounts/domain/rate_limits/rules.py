"""Who may try what, how often: against guessing passwords, flooding mailboxes and wearing out the service.

What is tried counts before it is looked at, right or wrong, and whether or not there is such a user:

- under the client's network, for everything;
- for signing in, under the pair of an address and a network: one who errs waits for seconds, then minutes, then half
  an hour, never longer; and a sign-in that succeeds makes the pair's count start anew;
- for signing in, under the address, whatever the network: NIST SP 800-63B-4, 3.2.2, limits guessing by many. As it
  recommends there, a network that the address has signed in from lately is exempt. So however an address is attacked
  from elsewhere, its owner signs in from where they are known, and becomes known by resetting the password;
- for what sends a mail, under the address. Who is refused then has got a mail whose token still works: the limit lets
  the next one through before a token of that mail has expired.

Whoever shares a network with the owner can use the pair's attempts up. That ends when they stop.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from accounts.db.engine import ConnectDriver
from accounts.db.session import Session
from accounts.domain.client_network import network
from accounts.domain.errors import TooManyAttempts
from accounts.domain.rate_limits import gcra
from accounts.domain.rate_limits.gcra import Allowance, Limit
from accounts.observability import metrics

MINUTE, HOUR, DAY = 60, 60 * 60, 24 * 60 * 60
KNOWN_NETWORK_TTL = timedelta(days=30)


class Attempt(StrEnum):
    """What can be tried too often."""

    LOGIN = "login"
    REFRESH = "refresh"
    REGISTER = "register"
    FORGOT_PASSWORD = "forgot-password"  # noqa: S105  # a name
    RESET_PASSWORD = "reset-password"  # noqa: S105  # as above
    REQUEST_VERIFY = "request-verify"
    VERIFY = "verify"
    CHANGE_EMAIL = "change-email"
    INVITE = "invite"
    INVITATION = "invitation"
    IMPORT = "import"


@dataclass(frozen=True)
class Rule:
    """The limits for one kind of attempt, by what they count; all of them hold at once."""

    client: tuple[Limit, ...]
    pair: tuple[Limit, ...] = ()
    address: tuple[Limit, ...] = ()


_MAIL = Rule(client=(Limit(20, HOUR), Limit(100, DAY)), address=(Limit(5, HOUR), Limit(30, DAY)))
_TOKEN = Rule(client=(Limit(20, MINUTE), Limit(100, HOUR)))
RULES = {
    Attempt.LOGIN: Rule(
        client=(Limit(60, MINUTE), Limit(600, HOUR)),
        pair=(Limit(5, MINUTE), Limit(20, HOUR), Limit(50, DAY)),
        address=(Limit(100, HOUR), Limit(300, DAY)),
    ),
    Attempt.REFRESH: Rule(client=(Limit(300, MINUTE),)),
    Attempt.REGISTER: _MAIL,
    Attempt.FORGOT_PASSWORD: _MAIL,
    Attempt.RESET_PASSWORD: _TOKEN,
    Attempt.REQUEST_VERIFY: _MAIL,
    Attempt.VERIFY: _TOKEN,
    Attempt.CHANGE_EMAIL: _MAIL,
    Attempt.INVITE: Rule(client=(Limit(200, HOUR), Limit(1000, DAY)), address=_MAIL.address),
    Attempt.INVITATION: _TOKEN,
    Attempt.IMPORT: Rule(client=(Limit(30, HOUR), Limit(100, DAY))),
}

REFUSALS = metrics.rules(RULES)


async def check_rate_limit(
    connect: ConnectDriver, attempt: Attempt, client: str, address: str = "", *, scale: float = 1
) -> Allowance:
    """Count an attempt, on a connection of its own: it counts whatever becomes of the caller's transaction.

    ``client`` is an IP address, ``address`` an e-mail address, ``scale`` a factor for every limit.

    Raises:
        TooManyAttempts: the attempt must not be looked at, and does not count.

    """
    rule, its = RULES[attempt], network(client)
    limits = _limits_by_key(f"{attempt}-client", rule.client, its)
    limits |= _limits_by_key(f"{attempt}-pair", rule.pair, address, its)
    strangers = _limits_by_key(f"{attempt}-address", rule.address, address)
    known = _known_network_key(client, address) if rule.pair else ""
    try:
        async with connect() as connection:
            return await gcra.consume(connection, _scaled(limits, scale), _scaled(strangers, scale), known)
    except TooManyAttempts:
        REFUSALS[attempt].inc()
        raise


async def reset_failed_attempts(db: Session, client: str, address: str) -> None:
    """Note that an address was proven, by its password or a mailed token: what its owner got wrong is forgotten."""
    pair = _limits_by_key(f"{Attempt.LOGIN}-pair", RULES[Attempt.LOGIN].pair, address, network(client))
    await gcra.reset_limits(db, pair.keys(), _known_network_key(client, address), KNOWN_NETWORK_TTL)


def _limits_by_key(name: str, limits: Iterable[Limit], *subject: str) -> dict[str, Limit]:
    return {f"{name}:{limit.seconds}:{_digest(subject)}": limit for limit in limits}


def _scaled(limits: dict[str, Limit], factor: float) -> dict[str, Limit]:
    return {key: limit.scaled(factor) for key, limit in limits.items()}


def _known_network_key(client: str, address: str) -> str:
    return f"known:{_digest((address, network(client)))}"


def _digest(subject: tuple[str, ...]) -> str:
    """Bound the length, and store no address that one could read."""
    return hashlib.blake2b("\n".join(map(_lowercase, subject)).encode(), digest_size=20).hexdigest()


def _lowercase(text: str) -> str:
    # As PostgreSQL's lower(), by which users are found: a letter for a letter. Python's makes two of "İ", and with
    # other keys for the same user there would be other counts.
    return "".join(letter.lower()[0] for letter in text)
