"""Which IP addresses a request to another host may reach, and a resolver and sockets that hold to it.

Everything that leaves the house for a host that somebody named in a file goes through here: other hosts for Kometa
(``gateway.egress``) and webhooks (``notify``). Checked is the very address that is connected to, so a name that
changes its mind between look-up and connection (DNS rebinding) gains nothing.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable, Iterable
from typing import Any, Final

from aiohttp.abc import AbstractResolver, ResolveResult

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Allows = Callable[[str], bool]
"""Whether an IP address, as text, may be connected to."""

PRIVATE: Final[tuple[Network, ...]] = tuple(
    ipaddress.ip_network(text)
    for text in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "::1/128", "fc00::/7")
)
"""One's own machine and network (RFC 1918, 6598, 4193): what a setting may open. Link-local addresses are not among them."""

METADATA: Final = frozenset(
    ipaddress.ip_address(text) for text in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200", "168.63.129.16", "192.0.0.192")
)
"""Where clouds (AWS, Alibaba, Azure, Oracle) hand out credentials: never open, whatever a setting says."""

_GLOBAL_UNICAST: Final = ipaddress.IPv6Network("2000::/3")
"""All that IANA has given out of the open IPv6 internet (RFC 4291, 2.4)."""
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")
_CARRIERS: Final = tuple(ipaddress.IPv6Network(text) for text in ("::/96", "::ffff:0:0:0/96"))
"""IPv4-compatible and IPv4-translated addresses (RFC 4291, 2765): the last four bytes are an IPv4 address."""
_RESERVED: Final[tuple[Network, ...]] = tuple(ipaddress.ip_network(text) for text in ("192.0.0.0/24", "192.88.99.0/24", "3fff::/20"))
"""Not of the open internet, though ``ipaddress`` of Python 3.11 says so: RFC 6890, 7526, 9637."""


class PrivateAddress(OSError):
    """A name or a URL stands for an address that may not be reached."""


def plain_host(host: str) -> str:
    """A host in its one form: lower case, without a dot at its end; an IPv6 address without brackets, as RFC 5952 writes it.

    An IPv6 address that only carries an IPv4 one (``::ffff:192.168.1.10``) is that one.
    """
    host = host.lower().rstrip(".")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if ":" not in bare:
        return host
    try:
        ip = ipaddress.IPv6Address(bare)
    except ValueError:
        return host
    return str(ip.ipv4_mapped or ip)


def host_and_port(host: str, port: int) -> str:
    """``host:port`` as URLs write it: an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_public(address: str) -> bool:
    """Whether an IP address is one of the open internet; addresses that carry another one are judged by that."""
    ip = _parse(address)
    if ip is None or ip in METADATA or any(ip in network for network in _RESERVED):
        return False
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.teredo is not None:
            return is_public(str(ip.teredo[1]))
        if ip.sixtofour is not None:
            return is_public(str(ip.sixtofour))
        if ip not in _GLOBAL_UNICAST:
            return False
    return ip.is_global and not ip.is_multicast


def is_loopback(host: str) -> bool:
    """Whether a host, as written, is this machine itself."""
    ip = _parse(host)
    return host == "localhost" or (ip is not None and ip.is_loopback)


def allowing(networks: Iterable[Network]) -> Allows:
    """Public addresses, and the private ones in ``networks``. Link-local and metadata addresses are never allowed."""
    opened = tuple(networks)

    def allows(address: str) -> bool:
        if is_public(address):
            return True
        ip = _parse(address)
        if ip is None or ip in METADATA:
            return False
        return any(ip in network for network in PRIVATE) and any(ip in network for network in opened)

    return allows


def _parse(address: str) -> Address | None:
    """The address, or the one it carries: mapped, translated (NAT64) and compatible ones are plain IPv4 in another dress."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return None
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            return ip.ipv4_mapped
        if ip in _NAT64 or (any(ip in network for network in _CARRIERS) and int(ip) > 1):
            return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    return ip


class GuardedResolver(AbstractResolver):
    """Resolves names, and refuses a name when any of its addresses is not allowed."""

    def __init__(self, inner: AbstractResolver, allows: Allows = is_public) -> None:
        self._inner = inner
        self._allows = allows

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        """Addresses of ``host``. PrivateAddress where one of them is not allowed."""
        found = await self._inner.resolve(host, port, family)
        if any(not self._allows(result["host"]) for result in found):
            raise PrivateAddress(f"{host} stands for a private address")
        return found

    async def close(self) -> None:
        await self._inner.close()


def guarded_socket(allows: Allows) -> Callable[[tuple[Any, ...]], socket.socket]:
    """A ``socket_factory`` for aiohttp's connector: PrivateAddress instead of a socket for an address that is not allowed.

    The last gate: it also sees addresses that a URL names in numbers, for which no resolver is asked.
    """

    def make(info: tuple[Any, ...]) -> socket.socket:
        family, kind, protocol, _, address = info
        if not allows(str(address[0])):
            raise PrivateAddress("the address is a private one")
        return socket.socket(family=family, type=kind, proto=protocol)

    return make
