"""DATABASE_URL as libpq reads it (PostgreSQL 18, "Connection URIs"), for asyncpg.

Every parameter of libpq is either taken or refused here, because asyncpg would fail at the first connection.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any
from urllib.parse import unquote, urlencode

from accounts.libpq_parameters import STARTUP, SYSTEM, TLS, check, tls_context

FORM = "must have the form postgresql://user@host:port/name; in user and password, write special characters as %40"
URI = re.compile(
    r"(?:postgres|postgresql)(?:\+asyncpg)?://(?:(?P<user>[^:/@]*)(?::(?P<password>[^@/]*))?@)?"
    r"(?P<host>[^/?#@]*)(?:/(?P<dbname>[^?#]*))?(?:\?(?P<query>.*))?"
)
HOST = re.compile(
    r"(?:\[(?P<bracketed>[^\]]+)\]|(?P<name>[^:@\[\]]*))(?::(?P<port>\d*))?"
    r"|(?P<bare>[0-9a-f]*:[0-9a-f]*:[0-9a-f:.]*)",
    re.IGNORECASE,
)

Host = tuple[str | None, int | None]  # with its port
PORTS = "port must be a port number, or one for each host"
JDBC = {("ssl", "true"): ("sslmode", "require")}  # as libpq reads it


@dataclass(frozen=True)
class DatabaseUrl:
    """Where the database is, and how to connect. What is None or missing has the driver's default."""

    hosts: tuple[Host, ...]
    user: str | None
    password: str | None = field(repr=False)
    database: str | None
    parameters: Mapping[str, str] = field(repr=False)

    @classmethod
    def parse(cls, text: str) -> "DatabaseUrl":
        """Read a URL.

        Raises:
            ValueError: it is malformed, or a parameter is not supported; the message names the parameter.

        """
        given = _parameters(text)
        check(given)
        given = {name: value for name, value in given.items() if value}  # an empty one is not set
        user, password, database = (given.pop(name, None) for name in ("user", "password", "dbname"))
        return cls(_hosts(given.pop("host", ""), given.pop("port", "")), user, password, database, given)

    @property
    def connect_timeout(self) -> int | None:
        """The seconds to wait for one host; None for no limit."""
        seconds = int(self.parameters.get("connect_timeout", 0))
        return seconds if seconds > 0 else None

    @property
    def startup(self) -> dict[str, str]:
        """What PostgreSQL is told when a connection begins."""
        return {name: value for name, value in self.parameters.items() if name in STARTUP}

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of asyncpg's ``connect``, without host and time limit."""
        tls = {name: value for name, value in self.parameters.items() if name in TLS}
        return {
            "dsn": f"postgresql://?{urlencode(tls)}" if tls else None,
            "ssl": tls_context(tls) if tls.get("sslrootcert") == SYSTEM else None,  # instead of the URL's parameters
            "user": self.user,
            "password": self.password,
            "database": self.database,
            "passfile": self.parameters.get("passfile"),
            "target_session_attrs": self.parameters.get("target_session_attrs"),
        }


def _parameters(text: str) -> dict[str, str]:
    """Return the parts and parameters of a URL by libpq's names. The later of two wins, but hosts add up."""
    uri = URI.fullmatch(text)
    if uri is None:
        raise ValueError(FORM)
    given = {
        name: _decoded(value) for name, value in uri.groupdict().items() if value and name not in {"host", "query"}
    }
    hosts = [uri["host"]] if uri["host"] else []
    queried = []
    for pair in filter(None, (uri["query"] or "").split("&")):
        name, separator, value = (_decoded(part) for part in pair.partition("="))
        if not separator:
            raise ValueError(f"the parameter {name} has no value")
        name, value = JDBC.get((name, value), (name, value))
        queried += [value] if name == "host" else []
        given[name] = value
    return given | {"host": ",".join(queried or map(_decoded, hosts))}


def _decoded(text: str) -> str:
    try:
        decoded = unquote(text, errors="strict")
    except UnicodeDecodeError:
        decoded = "\0"
    if "\0" in decoded:
        raise ValueError(FORM)
    return decoded


def _hosts(hosts: str, ports: str) -> tuple[Host, ...]:
    """Pair hosts and ports: one port for each host, or one for all."""
    if not re.fullmatch(r"[\d,]*", ports):
        raise ValueError(PORTS)
    names, numbers = hosts.split(","), ports.split(",")
    if len(numbers) not in {1, len(names)}:
        raise ValueError(PORTS)
    pairs = zip_longest(names, numbers, fillvalue=numbers[0])
    return tuple(_host(name, number) for name, number in pairs)


def _host(text: str, port: str) -> Host:
    if text.startswith("/"):
        return text, int(port) if port else None
    found = HOST.fullmatch(text)
    if found is None:
        raise ValueError(FORM)
    port = port or found["port"] or ""
    if port and not 0 < int(port) < 65536:  # noqa: PLR2004  # the range of ports
        raise ValueError(PORTS)
    return found["bracketed"] or found["bare"] or found["name"] or None, int(port) if port else None
