"""Rate-limit rules: which attempts are limited, by which keys, and how fast the limits refill.

Every attempt counts before it is evaluated, whether or not it succeeds and the user exists. The keys are:

- the client's network, for every attempt; with IPv6 also the surrounding /48, which one customer may have;
- the account, for what signed-in users do;
- the email address, for attempts that send mail. The limit refills before the token of the last mail expires;
- the email address with the client's network, for sign-ins. Waits grow from seconds to half an hour. A successful
  sign-in resets this limit;
- the email address from unknown networks, for sign-ins: against guessing from many networks (NIST SP 800-63B-4,
  3.2.2). As recommended there, networks from which the user has recently signed in are exempt, so that an attack
  from elsewhere does not lock the user out. Resetting the password makes a network known, too.

Other clients in the user's own network can exhaust the limit of that network; it refills when they stop.

Mail that a user causes others to get is also counted by the user's account, each row of an import as one mail. The
worker counts every mail by its recipient before it sends it, and sends it later if there were too many. So no sender
learns how often others wrote to an address.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from accounts.db.engine import ConnectDriver
from accounts.db.session import Session
from accounts.domain.client_network import network, site
from accounts.domain.errors import TooManyAttempts
from accounts.domain.rate_limits import gcra
from accounts.domain.rate_limits.gcra import Allowance, Limit
from accounts.models.mail import CAUSED_BY_OTHERS, MailKind
from accounts.observability import metrics

MINUTE, HOUR, DAY = 60, 60 * 60, 24 * 60 * 60
KNOWN_NETWORK_TTL = timedelta(days=30)
SITE_FACTOR = 10  # a /48 has ten times the attempts of a /64


class Attempt(StrEnum):
    """The actions that are rate limited."""

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
    EXPORT = "export"
    WRITE = "write"
    PASSWORD = "password"  # noqa: S105  # as above
    MAIL_OTHERS = "mail-others"


@dataclass(frozen=True)
class Rule:
    """The limits of one action, by key; all of them apply at once.

    With ``email_and_network``, those of ``email`` apply to unknown networks only.
    """

    network: tuple[Limit, ...] = ()
    email_and_network: tuple[Limit, ...] = ()
    email: tuple[Limit, ...] = ()
    account: tuple[Limit, ...] = ()


MAILS_PER_ACCOUNT = Limit(1000, DAY)
# Mail that other users cause shares MAILS_OF_OTHERS. Each kind of mail about the own account has MAILS_OF_KIND for
# itself, which exceeds what requests by address can cause: no mail holds up a reset, or the undo of a change of email.
MAILS_OF_OTHERS, MAILS_OF_KIND = (Limit(5, HOUR), Limit(30, DAY)), (Limit(20, HOUR), Limit(100, DAY))
_MAIL = Rule(network=(Limit(20, HOUR), Limit(100, DAY)), email=(Limit(5, HOUR), Limit(30, DAY)))
_TOKEN = Rule(network=(Limit(20, MINUTE), Limit(100, HOUR)))
RULES = {
    Attempt.LOGIN: Rule(
        network=(Limit(60, MINUTE), Limit(600, HOUR)),
        email_and_network=(Limit(5, MINUTE), Limit(20, HOUR), Limit(50, DAY)),
        email=(Limit(100, HOUR), Limit(300, DAY)),
    ),
    Attempt.REFRESH: Rule(network=(Limit(300, MINUTE),)),
    Attempt.REGISTER: _MAIL,
    Attempt.FORGOT_PASSWORD: _MAIL,
    Attempt.RESET_PASSWORD: _TOKEN,
    Attempt.REQUEST_VERIFY: _MAIL,
    Attempt.VERIFY: _TOKEN,
    Attempt.CHANGE_EMAIL: _MAIL,
    Attempt.INVITE: Rule(network=(Limit(200, HOUR), Limit(1000, DAY))),
    Attempt.INVITATION: _TOKEN,
    Attempt.IMPORT: Rule(network=(Limit(30, HOUR), Limit(100, DAY)), account=(Limit(30, HOUR), Limit(100, DAY))),
    Attempt.EXPORT: Rule(network=(Limit(30, MINUTE), Limit(300, HOUR))),
    # Every request of a signed-in user that is not safe (RFC 9110, 9.2.1): each writes at least an audit event.
    Attempt.WRITE: Rule(
        network=(Limit(1500, MINUTE), Limit(15_000, HOUR)), account=(Limit(300, MINUTE), Limit(3000, HOUR))
    ),
    # Every hash of a password that no other rule has counted.
    Attempt.PASSWORD: Rule(
        network=(Limit(120, MINUTE), Limit(2000, HOUR)), account=(Limit(60, MINUTE), Limit(1000, HOUR))
    ),
    Attempt.MAIL_OTHERS: Rule(account=(MAILS_PER_ACCOUNT,)),
}

REFUSALS = metrics.rules(RULES)


async def check_rate_limit(
    connect: ConnectDriver,
    attempt: Attempt,
    client_ip: str,
    email: str = "",
    *,
    account: str = "",
    cost: int = 1,
    scale: float = 1,
) -> Allowance:
    """Count an attempt, on a connection of its own: a rollback by the caller does not undo it.

    Args:
        email: without one, the limits by email do not apply.
        account: the id of the signed-in user; likewise.
        cost: how many attempts to count at once.
        scale: multiplies the attempts of every limit.

    Returns:
        The tightest of the limits by network and account. Those by email alone also count what others did.

    Raises:
        TooManyAttempts: a limit is exhausted. The attempt must not be evaluated, and is not counted.

    """
    rule, client_network, client_site = RULES[attempt], network(client_ip), site(client_ip)
    wider = [limit.scaled(SITE_FACTOR) for limit in rule.network if client_site]
    own = {
        **_limits_by_key(f"{attempt}-client", rule.network, client_network),
        **_limits_by_key(f"{attempt}-account", rule.account if account else (), account),
        **_limits_by_key(f"{attempt}-pair", rule.email_and_network if email else (), email, client_network),
    }
    shared = _limits_by_key(f"{attempt}-site", wider, client_site)
    unknown_network = _limits_by_key(f"{attempt}-address", rule.email if email else (), email)
    known_network = _known_network_key(client_ip, email) if email and rule.email_and_network else ""
    own, shared, unknown_network = (_scaled(limits, scale) for limits in (own, shared, unknown_network))
    try:
        async with connect() as connection:
            return await gcra.consume(connection, own, shared, unknown_network, known_network, cost=cost)
    except TooManyAttempts:
        REFUSALS[attempt].inc()
        raise


async def count_received_mail(connect: ConnectDriver, email: str, kind: MailKind, *, scale: float = 1) -> None:
    """Count a mail by its recipient. The worker calls it for every mail, whatever caused it.

    Args:
        kind: exhausts only its own limits, or those that it shares with other mail that users cause others to get.
        scale: multiplies the number of mails.

    Raises:
        TooManyAttempts: the address receives the mail later. It is not counted.

    """
    name, limits = ("others", MAILS_OF_OTHERS) if kind in CAUSED_BY_OTHERS else (kind, MAILS_OF_KIND)
    async with connect() as connection:
        await gcra.consume(connection, _scaled(_limits_by_key(f"recipient-{name}", limits, email), scale))


async def refund_sign_in(connect: ConnectDriver, client_ip: str, email: str, *, scale: float = 1) -> None:
    """Take a sign-in that was not evaluated back from the limit of its email and network. That of the network stays."""
    limits = RULES[Attempt.LOGIN].email_and_network
    pair = _limits_by_key(f"{Attempt.LOGIN}-pair", limits, email, network(client_ip))
    async with connect() as connection:
        await gcra.refund(connection, _scaled(pair, scale))


async def reset_failed_attempts(db: Session, client_ip: str, email: str) -> None:
    """Reset the sign-in limit of an email address and a network, and remember the network as known.

    Call it when the user has proven the address by the password or by a mailed token.
    """
    limits = RULES[Attempt.LOGIN].email_and_network
    keys = _limits_by_key(f"{Attempt.LOGIN}-pair", limits, email, network(client_ip)).keys()
    await gcra.reset_limits(db, keys, _known_network_key(client_ip, email), KNOWN_NETWORK_TTL)


def _limits_by_key(name: str, limits: Iterable[Limit], *subject: str) -> dict[str, Limit]:
    return {f"{name}:{limit.seconds}:{_digest(subject)}": limit for limit in limits}


def _scaled(limits: dict[str, Limit], factor: float) -> dict[str, Limit]:
    return {key: limit.scaled(factor) for key, limit in limits.items()}


def _known_network_key(client_ip: str, email: str) -> str:
    return f"known:{_digest((email, network(client_ip)))}"


def _digest(subject: tuple[str, ...]) -> str:
    """Hash email addresses and networks: keys have a bounded length and hold no personal data."""
    return hashlib.blake2b("\n".join(map(_lowercase, subject)).encode(), digest_size=20).hexdigest()


def _lowercase(text: str) -> str:
    # Like PostgreSQL's lower(), which finds users: one letter for each letter. Python's lower() turns "İ" into two, so
    # spellings of one email address would be counted separately.
    return "".join(letter.lower()[0] for letter in text)
