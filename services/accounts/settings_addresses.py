"""Types of settings that are hosts, ports, URLs and networks. They accept what people write, in one form."""

import re
from ipaddress import IPv4Network, IPv6Network, ip_address
from typing import Annotated
from urllib.parse import SplitResult, quote, urlsplit

import idna
from pydantic import AfterValidator, BeforeValidator, IPvAnyNetwork
from pydantic_settings import NoDecode

PORTS = 65535
HOST_FORM = "must be host names or IP addresses, without scheme and path"
ACCEPTED_HOST = re.compile(r"(?P<below>\*\.|\.)?(?P<host>\[[^\]]*\]|[^:/]*|[^\[\]/]*:[^\[\]/]*:[^\[\]/]*)(?::\d+)?")
NAME = re.compile(r"[a-z0-9_]([a-z0-9._-]*[a-z0-9_])?")
DEFAULT_PORTS = {"http": 80, "https": 443}
MAPPED = IPv6Network("::ffff:0:0/96")  # IPv4 addresses as a socket for both shows them (RFC 4291, 2.5.5.2)
EXAMPLE = "such as https://accounts.example.com"
PATH = "/%:@!$&'()*+,;=~-._"  # what a path may contain besides letters and digits (RFC 3986, 3.3), and escapes
LOOPBACK = {"127.0.0.1", "::1", "0.0.0.0", "::", "localhost"}  # noqa: S104  # compared, not bound


def split(value: object) -> object:
    """Return the parts of a text that is separated by commas."""
    return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value


def bracketed(host: str) -> str:
    """Return a host as URLs and Host headers have it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def _host(value: str) -> str:
    """Return an address, or a name in lower case and ASCII, without brackets."""
    text = re.sub(r"^\[(.*:.*)\]$", r"\1", value.strip())
    try:
        return str(ip_address(text))
    except ValueError:
        pass
    try:
        name = text.lower() if text.isascii() else idna.encode(text, uts46=True).decode()
    except idna.IDNAError:
        name = ""
    if not NAME.fullmatch(name):
        raise ValueError("must be a host name or an IP address, without scheme and port")
    return name


def _host_or_empty(value: str) -> str:
    return _host(value) if value.strip() else ""


def _port(value: object) -> int:
    text = str(value).strip()
    if text.startswith("tcp://"):
        raise ValueError("must be a port number; Kubernetes sets it for a Service: set enableServiceLinks: false")
    if not (text.isascii() and text.isdecimal() and len(text) <= len(str(PORTS)) and 0 < int(text) <= PORTS):
        raise ValueError(f"must be a port number from 1 to {PORTS}")
    return int(text)


def _port_or_zero(value: object) -> int:
    return 0 if str(value).strip() == "0" else _port(value)


def url_parts(value: str) -> tuple[str, SplitResult]:
    """Return the origin (RFC 6454) of a URL as browsers write it, and the URL's parts.

    Raises:
        ValueError: it is not the URL of a server.

    """
    if not value.strip().lower().startswith(("https://", "http://")):
        raise ValueError(f"must begin with https:// or http://, {EXAMPLE}")
    try:
        parts = urlsplit(value.strip())
        port = parts.port
        host = _host(parts.hostname or "")
    except ValueError:
        raise ValueError(f"must be a URL with a host, {EXAMPLE}") from None
    if "@" in parts.netloc:
        raise ValueError("must not contain a user name or a password")
    if re.search(r"[?#\s\\]", value.strip()):
        raise ValueError("must have neither blanks nor a query or fragment (? or #)")
    if port in {None, DEFAULT_PORTS[parts.scheme]}:
        return f"{parts.scheme}://{bracketed(host)}", parts
    return f"{parts.scheme}://{bracketed(host)}:{_port(port)}", parts


def _origin(value: str) -> str:
    origin, parts = url_parts(value)
    if parts.path.strip("/"):
        raise ValueError(f"must end after the host, or the port, {EXAMPLE}")
    return origin


def _origin_or_asterisk(value: str) -> str:
    return value if value == "*" else _origin(value)


def _url_or_empty(value: str) -> str:
    if not value.strip():
        return ""
    origin, parts = url_parts(value)
    return origin + quote(parts.path.rstrip("/"), safe=PATH)


def _link_or_empty(value: str) -> str:
    """Return an https URL that pages can link to. It may have a query and a fragment."""
    if not value.strip():
        return ""
    start = re.split("[?#]", value.strip())[0]
    origin, parts = url_parts(start)
    if parts.scheme != "https":
        raise ValueError(f"must begin with https://, {EXAMPLE}")
    return origin + quote(parts.path + value.strip().removeprefix(start), safe=f"{PATH}?#")


def _accepted_hosts(values: tuple[str, ...]) -> tuple[str, ...]:
    """Return hosts as Host headers have them, without ports. ``.example.com`` (Django) is a domain and all below it."""
    hosts: list[str] = []
    for value in values:
        found = ACCEPTED_HOST.fullmatch(value)
        if found is None:
            raise ValueError(f"{HOST_FORM}; *.example.com is all names below a domain, and * is any")
        host = bracketed(_host(found["host"])) if found["host"] != "*" else "*"
        hosts += [f"*.{host}"] if found["below"] else []
        hosts += [host] if found["below"] != "*." else []
    return tuple(hosts)


def _unmapped(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    if isinstance(network, IPv6Network) and network.subnet_of(MAPPED):
        bits = int(network.network_address) - int(MAPPED.network_address)
        return IPv4Network((bits, network.prefixlen - MAPPED.prefixlen))
    return network


def trusted_peers(networks: tuple[IPv4Network | IPv6Network, ...]) -> list[str]:
    """Return the networks as uvicorn compares them: those of IPv4 also as a socket for both protocols shows them."""
    mapped = [
        f"::ffff:{network.network_address}/{MAPPED.prefixlen + network.prefixlen}"
        for network in networks
        if network.version == 4  # noqa: PLR2004  # of the Internet Protocol
    ]
    return [*map(str, networks), *mapped]


def local_url(host: str, port: int) -> str:
    """Return the URL at which this machine reaches a server that listens at ``host`` and ``port``."""
    return _origin(f"http://{'localhost' if host in LOOPBACK else bracketed(host)}:{port}")


SEPARATED = (NoDecode, BeforeValidator(split))  # by commas

Host = Annotated[str, AfterValidator(_host)]
OptionalHost = Annotated[str, AfterValidator(_host_or_empty)]
Port = Annotated[int, BeforeValidator(_port)]
OptionalPort = Annotated[int, BeforeValidator(_port_or_zero)]
Origin = Annotated[str, AfterValidator(_origin)]
OptionalUrl = Annotated[str, AfterValidator(_url_or_empty)]
OptionalLink = Annotated[str, AfterValidator(_link_or_empty)]
Hosts = Annotated[tuple[str, ...], *SEPARATED, AfterValidator(_accepted_hosts)]
Origins = Annotated[tuple[Annotated[str, AfterValidator(_origin_or_asterisk)], ...], *SEPARATED]
Networks = Annotated[tuple[Annotated[IPvAnyNetwork, AfterValidator(_unmapped)], ...], *SEPARATED]
