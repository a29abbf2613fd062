"""The check of an additional address that the local AWS listens on."""

from ipaddress import ip_address, ip_network

# https://www.rfc-editor.org/rfc/rfc6890
_PRIVATE_NETWORKS = tuple(
    map(
        ip_network,
        (
            *("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"),
            *("::1/128", "fc00::/7", "fe80::/10"),
        ),
    )
)


def check_listen_address(address: str) -> None:
    """Check an additional address to listen on.

    Raises:
        ValueError: it is not a private address of one interface, so other machines could reach the server.

    """
    try:
        parsed = ip_address(address)
    except ValueError:
        raise ValueError(f"{address!r} is not an IP address.") from None
    # ::ffff:0.0.0.0 binds as 0.0.0.0.
    parsed = getattr(parsed, "ipv4_mapped", None) or parsed
    if int(parsed) == 0:
        raise ValueError(f"{address} means all interfaces, so other machines could reach the local AWS.")
    if not any(parsed in network for network in _PRIVATE_NETWORKS):
        raise ValueError(f"{address} is not a private address, so other machines could reach the local AWS.")
