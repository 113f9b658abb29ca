"""Counts attempts and mails by the rules. The keys are hashes, and each count is one atomic statement."""

import hashlib
from collections.abc import Callable, Iterable

from accounts.db.engine import ConnectDriver
from accounts.db.session import Session
from accounts.domain.client_network import network, site
from accounts.domain.errors import TooManyAttempts
from accounts.domain.rate_limits import gcra
from accounts.domain.rate_limits.gcra import Allowance, Limit
from accounts.domain.rate_limits.rules import (
    KNOWN_NETWORK_TTL,
    MAILS_OF_KIND,
    MAILS_OF_OTHERS,
    RULES,
    SITE_FACTOR,
    Attempt,
)
from accounts.models.mail import CAUSED_BY_OTHERS, MailKind
from accounts.observability import metrics
from accounts.settings import LimitGroup

Scale = Callable[[LimitGroup], float]
REFUSALS = metrics.rules(RULES)


def unscaled(_: LimitGroup) -> float:
    """Leave the limits as the rules state them."""
    return 1


async def check_rate_limit(
    connect: ConnectDriver,
    attempt: Attempt,
    client_ip: str,
    email: str = "",
    *,
    account: str = "",
    cost: int = 1,
    scale: Scale = unscaled,
) -> Allowance:
    """Count an attempt, on a connection of its own: a rollback by the caller does not undo it.

    Args:
        email: without one, the limits by email do not apply.
        account: the id of the signed-in user; likewise.
        cost: how many attempts to count at once.
        scale: the factor for the attempts of each group of limits.

    Returns:
        The tightest of the limits by network and account. Those by email alone also count what others did.

    Raises:
        TooManyAttempts: a limit is exhausted. The attempt must not be evaluated, and is not counted.

    """
    rule, client_network, client_site = RULES[attempt], network(client_ip), site(client_ip)
    factor, email_factor = scale(rule.group), scale(rule.email_group)
    wider = [limit.scaled(SITE_FACTOR) for limit in rule.network if client_site]
    own = {
        **_limits_by_key(f"{attempt}-client", rule.network, factor, client_network),
        **_limits_by_key(f"{attempt}-account", rule.account if account else (), factor, account),
        **_limits_by_key(
            f"{attempt}-pair", rule.email_and_network if email else (), email_factor, email, client_network
        ),
    }
    shared = _limits_by_key(f"{attempt}-site", wider, factor, client_site)
    unknown_network = _limits_by_key(f"{attempt}-address", rule.email if email else (), email_factor, email)
    known_network = _known_network_key(client_ip, email) if email and rule.email_and_network else ""
    try:
        async with connect() as connection:
            return await gcra.consume(connection, own, shared, unknown_network, known_network, cost=cost)
    except TooManyAttempts:
        REFUSALS[attempt].inc()
        raise


async def count_received_mail(connect: ConnectDriver, email: str, kind: MailKind, *, scale: Scale = unscaled) -> None:
    """Count a mail by its recipient. The worker calls it for every mail, whatever caused it.

    Args:
        kind: exhausts only its own limits, or those that it shares with other mail that users cause others to get.
        scale: the factor for the number of mails.

    Raises:
        TooManyAttempts: the address receives the mail later. It is not counted.

    """
    name, limits = ("others", MAILS_OF_OTHERS) if kind in CAUSED_BY_OTHERS else (kind, MAILS_OF_KIND)
    limits_by_key = _limits_by_key(f"recipient-{name}", limits, scale(LimitGroup.MAIL), email)
    async with connect() as connection:
        await gcra.consume(connection, limits_by_key)


async def list_mail_limits(db: Session, email: str, *, scale: Scale = unscaled) -> dict[str, int]:
    """Return the exhausted limits of mail to an address, and after how many seconds each allows one more.

    Their names are those of requests of mail (``Attempt``), of kinds of mail (``MailKind``), and ``others`` for mail
    that other users cause.
    """
    factor = scale(LimitGroup.MAIL)
    limits_by_name = {
        str(name): _limits_by_key(f"{name}-address", rule.email, factor, email)
        for name, rule in RULES.items()
        if rule.email and rule.email_group is LimitGroup.MAIL
    }
    kinds = {str(kind): MAILS_OF_KIND for kind in MailKind if kind not in CAUSED_BY_OTHERS}
    for name, limits in {**kinds, "others": MAILS_OF_OTHERS}.items():
        limits_by_name[name] = _limits_by_key(f"recipient-{name}", limits, factor, email)
    return await gcra.select_exhausted(db, limits_by_name)


async def refund_sign_in(connect: ConnectDriver, client_ip: str, email: str, *, scale: Scale = unscaled) -> None:
    """Take a sign-in that was not evaluated back from the limit of its email and network. That of the network stays."""
    async with connect() as connection:
        await gcra.refund(connection, _sign_in_limits(client_ip, email, scale))


async def reset_failed_attempts(db: Session, client_ip: str, email: str) -> None:
    """Reset the sign-in limit of an email address and a network, and remember the network as known.

    Call it when the user has proven the address by the password or by a mailed token.
    """
    keys = _sign_in_limits(client_ip, email).keys()
    await gcra.reset_limits(db, keys, _known_network_key(client_ip, email), KNOWN_NETWORK_TTL)


def _sign_in_limits(client_ip: str, email: str, scale: Scale = unscaled) -> dict[str, Limit]:
    """Return the limits of an email address and a network."""
    rule = RULES[Attempt.LOGIN]
    factor = scale(rule.email_group)
    return _limits_by_key(f"{Attempt.LOGIN}-pair", rule.email_and_network, factor, email, network(client_ip))


def _limits_by_key(name: str, limits: Iterable[Limit], factor: float, *subject: str) -> dict[str, Limit]:
    return {f"{name}:{limit.seconds}:{_digest(subject)}": limit.scaled(factor) for limit in limits}


def _known_network_key(client_ip: str, email: str) -> str:
    return f"known:{_digest((email, network(client_ip)))}"


def _digest(subject: tuple[str, ...]) -> str:
    """Hash email addresses and networks: keys have a bounded length and hold no personal data."""
    return hashlib.blake2b("\n".join(map(_lowercase, subject)).encode(), digest_size=20).hexdigest()


def _lowercase(text: str) -> str:
    # Like PostgreSQL's lower(), which finds users: one letter for each letter. Python's lower() turns "İ" into two, so
    # spellings of one email address would be counted separately.
    return "".join(letter.lower()[0] for letter in text)
