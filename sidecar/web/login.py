"""The login page, for people; it exists where there is a token."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, quote

from aiohttp import hdrs, web

from sidecar.web.auth import COOKIE, LIFETIME, Door
from sidecar.web.callers import CALLER
from sidecar.web.errors import environment, root_of
from sidecar.web.headers import CHECK, host_name
from sidecar.web.limits import Tried

STATIC: Final = Path(__file__).parent / "static"

_NEXT: Final = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._/-]*")
"""Where one may be sent after the login: below this server's root, with nothing that a browser could take for a host."""

_ASSETS: Final = {"page.css": "text/css", "login.js": "text/javascript", "icon.svg": "image/svg+xml"}


class Login:
    """GET and POST of ``login``, POST of ``logout``, and what the page needs."""

    def __init__(self, door: Door, *, prefix: str, host: str, secure: bool) -> None:
        """``prefix`` is the path that people reach it below at ``host``, which is empty where it is not known."""
        self._door = door
        self._prefix = prefix
        self._host = host
        self._secure = secure
        self._assets = {name: (STATIC / name).read_text() for name in _ASSETS}

    @property
    def public(self) -> frozenset[object]:
        """The handlers that are open to everyone."""
        return frozenset({self.page, self.enter, self.asset})

    def address(self, path: str) -> str:
        """The way from ``path`` to the login page and back."""
        return f"{root_of(path)}login?next={quote(path)}"

    def add_to(self, router: web.UrlDispatcher, base: str) -> None:
        router.add_get(f"{base}/login", self.page)
        router.add_post(f"{base}/login", self.enter)
        router.add_post(f"{base}/logout", self.leave)
        router.add_get(f"{base}/login/{{name}}", self.asset)

    async def page(self, request: web.Request) -> web.StreamResponse:
        after = _safe(request.query.get("next", ""))
        if self._door.open:
            raise web.HTTPSeeOther(f"./{after}")
        return self._form(200, after)

    async def enter(self, request: web.Request) -> web.StreamResponse:
        if request.content_type != "application/x-www-form-urlencoded":
            raise web.HTTPUnsupportedMediaType
        text = (await request.read()).decode("utf-8", "replace")
        try:
            form = dict(parse_qsl(text, max_num_fields=8))
        except ValueError:
            raise web.HTTPBadRequest from None
        given, after = form.get("token", ""), _safe(form.get("next", ""))
        caller = request[CALLER]
        tried = await self._door.try_token(given.strip(), caller)
        if tried is Tried.TOO_MANY:
            wait = int(self._door.tries.wait(caller.key)) + 1
            return self._form(429, after, f"Too many tries. Wait {wait} seconds.", {hdrs.RETRY_AFTER: str(wait)})
        if tried is Tried.WRONG:
            return self._form(403, after, "That is not the token.")
        response = web.HTTPSeeOther(f"./{after}")
        secure = self._secure or caller.scheme == "https"
        response.set_cookie(
            COOKIE, self._door.cookie(), max_age=LIFETIME, path=self._path(request), httponly=True, samesite="Strict", secure=secure
        )
        raise response

    async def leave(self, request: web.Request) -> web.StreamResponse:
        response = web.HTTPSeeOther("./login")
        response.del_cookie(COOKIE, path=self._path(request))
        raise response

    async def asset(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        if name not in self._assets:
            raise web.HTTPNotFound
        return web.Response(text=self._assets[name], content_type=_ASSETS[name], headers={hdrs.CACHE_CONTROL: CHECK})

    def _path(self, request: web.Request) -> str:
        """Where the cookie is to be sent: below the prefix, whether the proxy strips it or not; everywhere for who comes here directly."""
        outside = request.path.startswith(f"{self._prefix}/") or (self._host and host_name(request[CALLER].host) == self._host)
        return f"{self._prefix}/" if outside else "/"

    def _form(self, status: int, after: str, trouble: str = "", headers: dict[str, str] | None = None) -> web.Response:
        html = environment().get_template("login.html").render(next=after, trouble=trouble)
        return web.Response(status=status, text=html, content_type="text/html", headers=headers)


def _safe(path: str) -> str:
    return path if _NEXT.fullmatch(path) and "//" not in path and ".." not in path else ""
