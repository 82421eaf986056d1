"""Who calls: the peer itself, or whom a reverse proxy speaks for, where that proxy is trusted.

Anybody can send X-Forwarded-For. It counts only from a peer in ``web.trusted_proxies``, and in it only what a trusted hop
added: the list is read from its end, up to the first address that is no trusted proxy.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from aiohttp import hdrs, web

FOR: Final = "X-Forwarded-For"
PROTO: Final = "X-Forwarded-Proto"
HOST: Final = "X-Forwarded-Host"

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Caller:
    """One request's sender, and how it reached us."""

    address: str
    """An IP address; empty where there is none."""
    scheme: str
    """http or https, as the caller used it."""
    host: str
    """The Host header that the caller sent, as far as it can be known."""

    @property
    def key(self) -> str:
        """What limits count by: the address, or for IPv6 the network of a subscriber, who has 2**64 addresses."""
        address = _address(self.address)
        if isinstance(address, ipaddress.IPv6Address):
            return str(ipaddress.ip_network((address, 64), strict=False))
        return self.address


CALLER: Final = web.RequestKey("caller", Caller)
"""Where the guard leaves it for handlers."""


class Proxies:
    """The reverse proxies whose word counts."""

    def __init__(self, networks: Iterable[str] = ()) -> None:
        """``networks`` like ``172.18.0.0/16`` or ``::1``. ValueError for anything else."""
        self._networks = tuple(ipaddress.ip_network(network, strict=False) for network in networks)

    @property
    def known(self) -> bool:
        """Whether there are any."""
        return bool(self._networks)

    def caller(self, request: web.Request) -> Caller:
        """Who sent ``request``."""
        scheme, host = request.scheme, request.headers.get(hdrs.HOST, "")
        peer = _address(request.remote or "")
        if peer is None or not self._trusts(peer):
            return Caller(str(peer or ""), scheme, host)
        told = _last(request, PROTO).lower()
        return Caller(
            str(self._first_stranger(peer, request)),
            told if told in ("http", "https") else scheme,
            _last(request, HOST) or host,
        )

    def _first_stranger(self, peer: _Address, request: web.Request) -> _Address:
        hops = ",".join(request.headers.getall(FOR, ())).split(",")
        for hop in reversed(hops):
            address = _address(hop.strip())
            if address is None:  # malformed or "unknown": what stands before it is nobody's word
                break
            peer = address
            if not self._trusts(address):
                break
        return peer

    def _trusts(self, address: _Address) -> bool:
        return any(address.version == network.version and address in network for network in self._networks)


def _last(request: web.Request, name: str) -> str:
    """The last of a header's values: the one that the nearest proxy wrote."""
    return ",".join(request.headers.getall(name, ())).rpartition(",")[2].strip()


def _address(text: str) -> _Address | None:
    """``text`` as an address; some proxies add the port. An IPv4 address in IPv6 clothes is the IPv4 address."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
