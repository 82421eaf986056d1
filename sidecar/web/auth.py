"""Who may come in: everyone on this machine, elsewhere who has the token.

Programs send ``Authorization: Bearer TOKEN``. People enter it once on the login page and carry a signed cookie, which holds no
secret and ends with the token: its key is derived from it.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import time
from collections.abc import Callable
from enum import Enum
from typing import Final

from aiohttp import hdrs, web
from pydantic import SecretStr

from sidecar.errors import SettingsError
from sidecar.model import Problem, Severity
from sidecar.web.callers import Caller
from sidecar.web.headers import host_name
from sidecar.web.limits import Tried, Tries

COOKIE: Final = "kometa_sidecar"

LIFETIME: Final = 30 * 24 * 3600
"""Seconds that a login lasts."""


class Entry(Enum):
    """How a request came in."""

    OPEN = "open"
    BEARER = "bearer"
    COOKIE = "cookie"
    REFUSED = "refused"
    SLOWED = "slowed"
    """Refused, and this caller was wrong too often to be told more."""

    @property
    def allowed(self) -> bool:
        return self in (Entry.OPEN, Entry.BEARER, Entry.COOKIE)


ENTRY: Final = web.RequestKey("entry", Entry)
"""Where the guard leaves it for handlers."""


def is_loopback(host: str) -> bool:
    """Whether listening on ``host`` reaches this machine only."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def check_bind(host: str, token: SecretStr | None) -> None:
    """SettingsError where others could reach ``host`` and no token keeps them out."""
    if not is_loopback(host) and not (token and token.get_secret_value()):
        problem = Problem(
            severity=Severity.ERROR,
            what=f"The gallery would listen on {host}, open to everyone who can reach this machine, and there is no token",
            mend="Set web.token (or KOMETA_SIDECAR_WEB_TOKEN_FILE), or listen on 127.0.0.1",
            source="settings",
        )
        raise SettingsError([problem])


class Door:
    """Checks tokens and cookies. Every compare takes the same time, right or wrong."""

    def __init__(
        self,
        token: SecretStr | None,
        *,
        wall: Callable[[], float] = time.time,
        clock: Callable[[], float] = time.monotonic,
        hold: float = 1.0,
    ) -> None:
        """``wall`` dates cookies, ``clock`` spaces tries; for ``hold`` seconds a wrong one too many is held back."""
        secret = token.get_secret_value().encode("utf-8", "surrogatepass") if token else b""
        self._token = hashlib.sha256(secret).digest() if secret else None
        self._key = hashlib.sha256(b"kometa-sidecar cookie\0" + secret).digest()
        self._wall = wall
        self.tries = Tries(clock=clock, hold=hold)

    @property
    def open(self) -> bool:
        """Whether no token is asked for."""
        return self._token is None

    async def entry(self, request: web.Request, caller: Caller) -> Entry:
        """How ``request`` may come in. A wrong bearer token counts as a try."""
        if self.open:
            return Entry.OPEN
        scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        if scheme.lower() == "bearer":
            tried = await self.try_token(given.strip(), caller)
            return {Tried.RIGHT: Entry.BEARER, Tried.WRONG: Entry.REFUSED, Tried.TOO_MANY: Entry.SLOWED}[tried]
        return Entry.COOKIE if self._signed(request.cookies.get(COOKIE, "")) else Entry.REFUSED

    async def try_token(self, given: str, caller: Caller) -> Tried:
        """Whether ``given`` is the token; see ``Tries`` for how guessing is slowed down."""
        return await self.tries.judge(caller.key, lambda: self._is_token(given))

    def _is_token(self, given: str) -> bool:
        digest = hashlib.sha256(given.encode("utf-8", "surrogatepass")).digest()
        return self._token is None or hmac.compare_digest(digest, self._token)

    def cookie(self) -> str:
        """A fresh cookie's value."""
        until = str(int(self._wall()) + LIFETIME)
        return f"{until}.{self._sign(until)}"

    def _signed(self, value: str) -> bool:
        until, _, signature = value.partition(".")
        if not hmac.compare_digest(signature.encode("utf-8", "surrogatepass"), self._sign(until).encode()):
            return False
        return until.isascii() and until.isdecimal() and int(until) > self._wall()

    def _sign(self, until: str) -> str:
        return hmac.new(self._key, until.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


_FORWARDED: Final = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-IP", "Via")


def is_local(request: web.Request) -> bool:
    """Whether a program on this machine asks for itself. What a proxy here passes on is another's: it says so in a header."""
    return (
        is_loopback(request.remote or "")
        and is_loopback(host_name(request.headers.get(hdrs.HOST, "")))
        and not any(name in request.headers for name in _FORWARDED)
    )


def may_change(request: web.Request, caller: Caller, entry: Entry, origins: frozenset[str]) -> bool:
    """Whether a request that changes something was meant by who sends it (no cross-site request forgery).

    Browsers say where it comes from: Sec-Fetch-Site towards secure origins, Origin always for POST. A program says neither;
    that is believed unless a cookie let it in. ``origins`` are allowed besides the Host's own, e.g. a proxy's.
    """
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None:
        return site in ("same-origin", "none")
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is not None:
        return origin.lower() in origins or origin.lower().partition("://")[2] == caller.host.lower() != ""
    return entry is not Entry.COOKIE
