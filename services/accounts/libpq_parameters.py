"""The parameters of libpq (PostgreSQL 18, 32.1.2) that this service takes, and their values."""

import re
import ssl
from collections.abc import Mapping, Sequence

VERIFIED, SYSTEM = "verify-full", "system"
ENCRYPTED = ("require", "verify-ca", VERIFIED)
TLS_VERSIONS = ("TLSv1.2", "TLSv1.3")
TEXT: tuple[str, ...] = ()
NUMBER = re.compile(r"-?\d+")
# What asyncpg does with a URL's parameter of the same name.
TLS: dict[str, Sequence[str]] = {
    "sslmode": ("disable", "allow", "prefer", *ENCRYPTED),
    "sslnegotiation": ("postgres", "direct"),
    "sslrootcert": TEXT,
    "sslcrl": TEXT,
    "sslcert": TEXT,
    "sslkey": TEXT,
    "sslpassword": TEXT,
    "ssl_min_protocol_version": TLS_VERSIONS,
    "ssl_max_protocol_version": TLS_VERSIONS,
}
FILES = {"sslrootcert", "sslcrl", "sslcert"}
# What PostgreSQL takes when a connection begins.
STARTUP = {"application_name": TEXT, "options": TEXT}
# Values that ask for what happens anyway. The service's own time limits find a dead connection before keepalives do.
AS_IT_IS: dict[str, Sequence[str]] = {
    "channel_binding": ("disable", "prefer", "require"),
    "client_encoding": ("auto", "UTF8", "utf8", "UTF-8", "utf-8"),
    "fallback_application_name": TEXT,
    "gssdelegation": ("0",),
    "gssencmode": ("disable", "prefer"),
    "keepalives": ("0", "1"),
    "load_balance_hosts": ("disable",),
    "max_protocol_version": ("3.0", "3.2", "latest"),
    "min_protocol_version": ("3.0",),
    "sslcertmode": ("allow",),
    "sslcompression": ("0", "1"),  # libpq ignores it, too
    "sslsni": ("1",),
}
NUMBERS = {"connect_timeout", "keepalives_count", "keepalives_idle", "keepalives_interval", "tcp_user_timeout"}
OTHERS: dict[str, Sequence[str]] = {
    **dict.fromkeys(("host", "port", "dbname", "user", "password", "passfile", *NUMBERS), TEXT),
    "target_session_attrs": ("any", "primary", "read-write"),  # the service writes
}
ACCEPTED = TLS | STARTUP | AS_IT_IS | OTHERS
HINTS = {"pgbouncer": "leave it out, also behind a pooler"}


def check(given: Mapping[str, str]) -> None:
    """Check the parameters of a URL. Empty ones are not set.

    Raises:
        ValueError: one is not supported, or needs another one, or its file cannot be used; the message names it.

    """
    for name, value in given.items():
        _check_value(name, value)
    _check_tls({name: value for name, value in given.items() if value})


def _check_value(name: str, value: str) -> None:
    if name not in ACCEPTED:
        hint = HINTS.get(name)
        raise ValueError(f"the parameter {name} is not supported" + (f": {hint}" if hint else ""))
    if not value:
        return
    if name in NUMBERS and not NUMBER.fullmatch(value):
        raise ValueError(f"{name} must be a whole number")
    if ACCEPTED[name] and value not in ACCEPTED[name]:
        raise ValueError(f"{name} must be one of: {', '.join(ACCEPTED[name])}")


def _check_tls(given: Mapping[str, str]) -> None:
    system = given.get("sslrootcert") == SYSTEM
    mode = given.get("sslmode", VERIFIED if system else "prefer")
    if given.get("channel_binding") == "require" and mode != VERIFIED:
        raise ValueError(
            "channel_binding=require is not supported; sslmode=verify-full with sslrootcert=system protects as well"
        )
    if given.get("sslnegotiation") == "direct" and mode not in ENCRYPTED:
        raise ValueError("sslnegotiation=direct needs sslmode=require or stricter")
    if system and mode != VERIFIED:
        raise ValueError("sslrootcert=system needs sslmode=verify-full")
    if mode.startswith("verify") and not given.get("sslrootcert"):
        raise ValueError(f"sslmode={mode} needs sslrootcert: a file, or system")
    if FILES & given.keys():
        tls_context(given)


def tls_context(given: Mapping[str, str]) -> ssl.SSLContext:
    """Return a TLS context with the files, which verifies servers.

    Raises:
        ValueError: a file cannot be used; the message names the parameter.

    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    if least := given.get("ssl_min_protocol_version"):
        context.minimum_version = ssl.TLSVersion[least.replace(".", "_")]
    if most := given.get("ssl_max_protocol_version"):
        context.maximum_version = ssl.TLSVersion[most.replace(".", "_")]
    for name in sorted(FILES & given.keys()):
        try:
            _load(context, name, given)
        except OSError as error:
            raise ValueError(f"{name}: the file cannot be used: {error.strerror or error}") from None
    return context


def _load(context: ssl.SSLContext, name: str, given: Mapping[str, str]) -> None:
    if name == "sslcert":
        context.load_cert_chain(given[name], given.get("sslkey"), lambda: given.get("sslpassword", ""))
    elif given[name] == SYSTEM:
        context.load_default_certs()
    else:
        context.load_verify_locations(given[name])
    if name == "sslcrl":
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
