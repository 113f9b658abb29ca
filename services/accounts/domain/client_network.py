"""The network of a client's IP address."""

from ipaddress import IPv6Address, IPv6Network, ip_address

IPV6_SITE = 64  # what one customer has at least: RFC 6177


def network(client: str) -> str:
    """Name the network of a client's IP address, whose members count as one: an IPv6 site, or the address itself."""
    try:
        address = ip_address(client)
    except ValueError:
        return client
    if not isinstance(address, IPv6Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(IPv6Network((int(address), IPV6_SITE), strict=False))
