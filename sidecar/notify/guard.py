"""Client sessions that reach allowed addresses only: the SSRF guard.

Three gates, the last of which decides: the name's addresses are looked at when it is resolved; the socket is made for the very
address that was looked at, and looked at again there, so that neither a literal address nor a name that changes its
mind passes; and redirects are never followed (``sending.request``).
"""

from __future__ import annotations

from collections.abc import Iterable

import aiohttp
from aiohttp.abc import AbstractResolver

from sidecar.addresses import GuardedResolver, Network, allowing, guarded_socket


def open_session(private: Iterable[Network] = (), resolver: AbstractResolver | None = None) -> aiohttp.ClientSession:
    """A session for one destination; to be closed. ``private`` are the private networks it may reach."""
    allows = allowing(private)
    connector = aiohttp.TCPConnector(
        resolver=GuardedResolver(resolver or aiohttp.ThreadedResolver(), allows),
        socket_factory=guarded_socket(allows),
        use_dns_cache=False,
        limit=2,
    )
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar(), trust_env=False)
