"""Headers that go out with every answer, and the Host header that must come in.

The Host allow-list is against DNS rebinding: a page of ``evil.example`` whose name suddenly points at this machine sends its
own name as Host. Addresses cannot be rebound, so any address is allowed; names only where they are known.
"""

from __future__ import annotations

import ipaddress
import re
import secrets
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from sidecar import logs

CSP: Final = "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'"

SECURITY: Final[Mapping[str, str]] = {
    "Content-Security-Policy": CSP,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",  # for what does not know frame-ancestors
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
    "X-Robots-Tag": "noindex, nofollow",
    "Server": "kometa-sidecar",
}

FOR_EVER: Final = "max-age=31536000, immutable"
"""For what is named by its content."""

CHECK: Final = "no-cache"
"""For what changes: kept, but asked for each time (answered 304 by ETag)."""

NEVER: Final = "no-store"


REQUEST_ID: Final = "X-Request-ID"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


def request_id(request: web.BaseRequest) -> str:
    """The id that a proxy gave the request, if it is a plain word, else a new one."""
    given = request.headers.get(REQUEST_ID, "")
    return given if _ID.fullmatch(given) else secrets.token_hex(8)


async def add_headers(_: web.Request, response: web.StreamResponse) -> None:
    """An ``on_response_prepare`` handler."""
    response.headers.update(SECURITY)
    response.headers[REQUEST_ID] = logs.REQUEST.get()
    response.headers.setdefault(hdrs.CACHE_CONTROL, NEVER)


def host_name(host: str) -> str:
    """The name in a Host header: lower case, no port, no brackets, no final dot. Empty where it is malformed."""
    try:
        parts = urlsplit(f"//{host}")
        if parts.username is not None or parts.path or parts.query or parts.fragment:
            return ""
        parts.port  # noqa: B018 - raises ValueError for a port that is none
        return (parts.hostname or "").rstrip(".")
    except ValueError:
        return ""


class Hosts:
    """The names under which people may reach the gallery."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = frozenset({"localhost", *(name.lower().rstrip(".") for name in names if name)})

    def allows(self, host: str) -> bool:
        """Whether a request with this Host header is meant for us."""
        name = host_name(host)
        if not name:
            return False
        if name in self._names:
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True
