"""Client networks: the addresses that count as one client, for rate limits and known devices."""

from ipaddress import IPv6Address, IPv6Network, ip_address

IPV6_PREFIX = 64  # RFC 6177: one customer has at least this much


def network(client: str) -> str:
    """Return the /64 network of an IPv6 address, or the IPv4 address itself. Anything else is returned unchanged."""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), IPV6_PREFIX), strict=False))
