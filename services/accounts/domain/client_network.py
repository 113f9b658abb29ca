"""Client networks: the addresses that count as one client, for rate limits and known devices."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address

CUSTOMER_PREFIX, SITE_PREFIX = 64, 48  # RFC 6177: a customer has at least a /64, and often up to a /48
UNKNOWN = ""  # one client, so that invented addresses share its limits


def canonical(client: str) -> str:
    """Return an IP address in its one form: an IPv4 address also if a socket for both protocols shows it as IPv6."""
    address = _parse(client)
    return client if address is None else str(address)


def network(client: str) -> str:
    """Return the /64 network of an IPv6 address, or the IPv4 address itself; empty if it is no address."""
    address = _parse(client)
    return _network(address, CUSTOMER_PREFIX) if isinstance(address, IPv6Address) else str(address or UNKNOWN)


def site(client: str) -> str:
    """Return the /48 network of an IPv6 address, which one customer may have; empty for any other address."""
    address = _parse(client)
    return _network(address, SITE_PREFIX) if isinstance(address, IPv6Address) else UNKNOWN


@lru_cache(1024)  # a client sends many requests, and each is counted by its network
def _parse(client: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(client)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _network(address: IPv6Address, prefix: int) -> str:
    return str(IPv6Network((int(address), prefix), strict=False))
