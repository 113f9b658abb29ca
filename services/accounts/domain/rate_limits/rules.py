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

Each limit belongs to one group, which has a setting of its own. How many people may share a network is one question,
how often a password may be guessed another.
"""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from accounts.domain.rate_limits.gcra import Limit
from accounts.settings import LimitGroup

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
    INTROSPECT = "introspect"
    REVOKE = "revoke"
    WRITE = "write"
    PASSWORD = "password"  # noqa: S105  # as above
    MAIL_OTHERS = "mail-others"
    CLIENT = "client"
    SERVICE_TOKEN = "service-token"  # noqa: S105  # as above
    CODE_REQUEST = "code-request"
    CODE = "code"
    MFA = "mfa"
    SECOND_FACTOR = "second-factor"
    PASSKEY_OPTIONS = "passkey-options"
    PASSKEY = "passkey"
    EXTERNAL_SIGN_IN = "external-sign-in"


@dataclass(frozen=True)
class Rule:
    """The limits of one action, by key; all of them apply at once.

    With ``email_and_network``, those of ``email`` apply to unknown networks only. The limits by network and account
    belong to ``group``, those by email to ``email_group``.
    """

    group: LimitGroup
    network: tuple[Limit, ...] = ()
    account: tuple[Limit, ...] = ()
    email_and_network: tuple[Limit, ...] = ()
    email: tuple[Limit, ...] = ()
    email_group: LimitGroup = LimitGroup.MAIL


MAILS_PER_ACCOUNT = Limit(1000, DAY)
# Mail that other users cause shares MAILS_OF_OTHERS. Each kind of mail about the own account has MAILS_OF_KIND for
# itself, which exceeds what requests by address can cause: no mail holds up a reset, or the undo of a change of email.
MAILS_OF_OTHERS, MAILS_OF_KIND = (Limit(5, HOUR), Limit(30, DAY)), (Limit(20, HOUR), Limit(100, DAY))
_MAIL_BY_NETWORK, _MAIL_BY_EMAIL = (Limit(20, HOUR), Limit(100, DAY)), (Limit(5, HOUR), Limit(30, DAY))
_MAIL = Rule(LimitGroup.MAIL, network=_MAIL_BY_NETWORK, email=_MAIL_BY_EMAIL)
_TOKENS_BY_NETWORK = (Limit(20, MINUTE), Limit(100, HOUR))
RULES = {
    Attempt.LOGIN: Rule(
        LimitGroup.SIGN_IN,
        network=(Limit(60, MINUTE), Limit(600, HOUR)),
        email_and_network=(Limit(5, MINUTE), Limit(20, HOUR), Limit(50, DAY)),
        email=(Limit(100, HOUR), Limit(300, DAY)),
        email_group=LimitGroup.GUESSES,
    ),
    Attempt.REFRESH: Rule(LimitGroup.SIGN_IN, network=(Limit(300, MINUTE),)),
    # Before a client's secret is compared. No limit by its id, which others could exhaust: a secret has 256 bits.
    Attempt.CLIENT: Rule(LimitGroup.SIGN_IN, network=(Limit(300, MINUTE),)),
    # Each replica of a service gets tokens of its own. None is ended early, so this bounds the sessions of an account.
    Attempt.SERVICE_TOKEN: Rule(LimitGroup.SIGN_IN, account=(Limit(1000, HOUR),)),
    Attempt.REGISTER: Rule(LimitGroup.SIGN_UP, network=_MAIL_BY_NETWORK, email=_MAIL_BY_EMAIL),
    Attempt.FORGOT_PASSWORD: _MAIL,
    Attempt.RESET_PASSWORD: Rule(LimitGroup.SIGN_IN, network=_TOKENS_BY_NETWORK),
    Attempt.REQUEST_VERIFY: _MAIL,
    Attempt.VERIFY: Rule(LimitGroup.SIGN_UP, network=_TOKENS_BY_NETWORK),
    Attempt.CHANGE_EMAIL: _MAIL,
    Attempt.INVITE: Rule(LimitGroup.MAIL, network=(Limit(200, HOUR), Limit(1000, DAY))),
    Attempt.INVITATION: Rule(LimitGroup.SIGN_UP, network=_TOKENS_BY_NETWORK),
    Attempt.IMPORT: Rule(
        LimitGroup.REQUESTS, network=(Limit(30, HOUR), Limit(100, DAY)), account=(Limit(30, HOUR), Limit(100, DAY))
    ),
    Attempt.EXPORT: Rule(LimitGroup.REQUESTS, network=(Limit(30, MINUTE), Limit(300, HOUR))),
    # Services ask at each request of their users, or every few seconds for each of them.
    Attempt.INTROSPECT: Rule(LimitGroup.REQUESTS, network=(Limit(12_000, MINUTE),)),
    Attempt.REVOKE: Rule(LimitGroup.SIGN_IN, network=(Limit(300, MINUTE),)),
    # Every request of a signed-in user that is not safe (RFC 9110, 9.2.1): each writes at least an audit event.
    Attempt.WRITE: Rule(
        LimitGroup.REQUESTS,
        network=(Limit(1500, MINUTE), Limit(15_000, HOUR)),
        account=(Limit(300, MINUTE), Limit(3000, HOUR)),
    ),
    # Every hash of a password that no other rule has counted.
    Attempt.PASSWORD: Rule(
        LimitGroup.SIGN_IN,
        network=(Limit(120, MINUTE), Limit(2000, HOUR)),
        account=(Limit(60, MINUTE), Limit(1000, HOUR)),
    ),
    # Each sign-in with a provider is two attempts: the way there stores a row, and the way back asks the provider.
    # Nothing is guessed: a state has 256 bits.
    Attempt.EXTERNAL_SIGN_IN: Rule(LimitGroup.SIGN_IN, network=(Limit(120, MINUTE), Limit(1200, HOUR))),
    # Networks from which the user has signed in have a limit of their own, so others cannot keep the user from signing
    # in. A code has five attempts, so this bounds how often the codes of a user can be guessed.
    Attempt.CODE_REQUEST: Rule(
        LimitGroup.MAIL, network=_MAIL_BY_NETWORK, email_and_network=_MAIL_BY_EMAIL, email=_MAIL_BY_EMAIL
    ),
    # Before the token of a mailed code is looked up.
    Attempt.CODE: Rule(LimitGroup.SIGN_IN, network=(Limit(60, MINUTE), Limit(600, HOUR))),
    # Before the token of a sign-in that waits for a second factor is looked up.
    Attempt.MFA: Rule(LimitGroup.SIGN_IN, network=(Limit(60, MINUTE), Limit(600, HOUR))),
    # Before a proof of a second factor is verified. Only a user who gave the password, or is signed in, gets this far,
    # so others cannot exhaust the limit. A code has a million values, three of which are valid.
    Attempt.SECOND_FACTOR: Rule(LimitGroup.GUESSES, account=(Limit(5, MINUTE), Limit(20, HOUR), Limit(50, DAY))),
    # Each stores a challenge for five minutes. An open sign-in page requests one every four minutes.
    Attempt.PASSKEY_OPTIONS: Rule(LimitGroup.SIGN_IN, network=(Limit(300, MINUTE), Limit(6000, HOUR))),
    # Before a passkey is looked up. No limit by its id, which others could exhaust: a signature cannot be guessed.
    Attempt.PASSKEY: Rule(LimitGroup.SIGN_IN, network=(Limit(60, MINUTE), Limit(600, HOUR))),
    Attempt.MAIL_OTHERS: Rule(LimitGroup.MAIL, account=(MAILS_PER_ACCOUNT,)),
}
