"""Hooks: Plex, Kometa and scripts ask for a render. They have a secret of their own and need no login.

POST hooks/SECRET/plex     Plex's webhooks: multipart/form-data, the JSON in the part ``payload``
                           (https://support.plex.tv/articles/115002267687-webhooks/)
POST hooks/SECRET/kometa   Kometa's webhooks: JSON with ``event``
POST hooks/render          JSON {}, {"library": NAME} or {"rating_key": N}; ``Authorization: Bearer SECRET``
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any, Final, Protocol

from aiohttp import BodyPartReader, hdrs, web
from aiohttp.http_exceptions import HttpProcessingError
from pydantic import SecretStr

from sidecar.errors import NotThere
from sidecar.web.callers import CALLER
from sidecar.web.errors import answer
from sidecar.web.limits import Limit, Tried, Tries

MOST_JSON: Final = 64 * 1024
"""Bytes of a payload."""
MOST_BODY: Final = 8 * 1024 * 1024
"""Bytes of a multipart body; Plex sends a poster along."""
MOST_PARTS: Final = 8


class Asking(Protocol):
    """What a hook may ask for: see ``sidecar.pipeline.asked.Asks``."""

    def everything(self) -> None: ...
    def library(self, name: str) -> None: ...
    async def item(self, rating_key: int, library: str = "") -> bool: ...
    def plex_changed(self) -> None: ...


class Hooks:
    """The handlers; without a secret there are none."""

    def __init__(self, secret: SecretStr | None, asking: Asking | None, *, hold: float = 1.0) -> None:
        self._secret = hashlib.sha256(secret.get_secret_value().encode()).digest() if secret and asking else None
        self._asking = asking
        self._tries = Tries(hold=hold)
        self._pace = Limit(burst=60, seconds=1)

    @property
    def public(self) -> frozenset[object]:
        """The handlers that check who comes by themselves."""
        return frozenset({self.plex, self.kometa, self.render} if self._secret else ())

    def add_to(self, router: web.UrlDispatcher, base: str) -> None:
        if self._secret:
            router.add_post(f"{base}/hooks/{{secret}}/plex", self.plex)
            router.add_post(f"{base}/hooks/{{secret}}/kometa", self.kometa)
            router.add_post(f"{base}/hooks/render", self.render)

    async def plex(self, request: web.Request) -> web.StreamResponse:
        """``library.new`` asks for the item; whatever else Plex tells is taken note of by answering."""
        refused = await self._refused(request, request.match_info["secret"])
        if refused is not None:
            return refused
        told = await _payload(request)
        if told is None:
            return answer(400, "bad_request", "Plex's webhooks are multipart/form-data with a JSON part payload.", "api/")
        item = told.get("Metadata")
        if told.get("event") != "library.new" or not isinstance(item, dict):
            return _told(False)
        key, library = str(item.get("ratingKey", "")), item.get("librarySectionTitle", "")
        if not (key.isascii() and key.isdigit() and len(key) < 19) or not isinstance(library, str):
            return _told(False)
        assert self._asking is not None
        return _told(await self._asking.item(int(key), library))

    async def kometa(self, request: web.Request) -> web.StreamResponse:
        """``run_end``: what Plex shows is another."""
        refused = await self._refused(request, request.match_info["secret"])
        if refused is not None:
            return refused
        told = await _json(request)
        if told is None:
            return answer(400, "bad_request", "Kometa's webhooks are JSON objects.", "api/")
        if told.get("event") != "run_end":
            return _told(False)
        assert self._asking is not None
        self._asking.plex_changed()
        return _told(True)

    async def render(self, request: web.Request) -> web.StreamResponse:
        scheme, _, given = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
        refused = await self._refused(request, given.strip() if scheme.lower() == "bearer" else "", status=401)
        if refused is not None:
            return refused
        told = await _json(request)
        if told is None or set(told) - {"library", "rating_key"} or len(told) > 1:
            return answer(400, "bad_request", 'A JSON object: {}, {"library": "Movies"} or {"rating_key": 101}.', "api/")
        assert self._asking is not None
        if "library" in told:
            if not isinstance(told["library"], str) or not told["library"]:
                return answer(400, "bad_request", "library is a library's name.", "api/")
            try:
                self._asking.library(told["library"])
            except NotThere as error:
                return answer(404, "not_found", f"{str(error)[:1].upper()}{str(error)[1:]}.", "api/")
            return _told(True)
        if "rating_key" in told:
            key = told["rating_key"]
            if not isinstance(key, int) or isinstance(key, bool) or not 1 <= key < 10**18:
                return answer(400, "bad_request", "rating_key is Plex's number of an item.", "api/")
            return _told(await self._asking.item(key))
        self._asking.everything()
        return _told(True)

    async def _refused(self, request: web.Request, given: str, status: int = 404) -> web.StreamResponse | None:
        """An answer where ``given`` is not the secret, or too much comes; guessing is slowed down caller by caller."""
        caller = request[CALLER].key
        tried = await self._tries.judge(caller, lambda: self._is(given))
        if tried is Tried.TOO_MANY:
            wait = str(int(self._tries.wait(caller)) + 1)
            return answer(429, "too_many_tries", "Too many wrong secrets; wait.", "api/", {hdrs.RETRY_AFTER: wait})
        if tried is Tried.WRONG:
            words = "A secret is needed." if status == 401 else "There is nothing here."
            return answer(status, "login_needed" if status == 401 else "not_found", words, "api/")
        if (wait_for := self._pace.wait()) > 0:
            return answer(429, "too_many_hooks", "Too much at once.", "api/", {hdrs.RETRY_AFTER: str(int(wait_for) + 1)})
        self._pace.take()
        return None

    def _is(self, given: str) -> bool:
        assert self._secret is not None
        return hmac.compare_digest(hashlib.sha256(given.encode("utf-8", "surrogatepass")).digest(), self._secret)


async def _payload(request: web.Request) -> dict[str, Any] | None:
    """The JSON in the part ``payload``; None where there is none. Pictures are read past, never kept."""
    if request.content_type != "multipart/form-data":
        return None
    found: dict[str, Any] | None = None
    size = 0
    try:
        parts = await request.multipart()
        for _ in range(MOST_PARTS):
            part = await parts.next()
            if part is None:
                break
            if not isinstance(part, BodyPartReader):
                return None
            data = bytearray()
            while chunk := await part.read_chunk():
                size += len(chunk)
                if size > MOST_BODY or (part.name == "payload" and len(data) + len(chunk) > MOST_JSON):
                    return None
                if part.name == "payload":
                    data += chunk
            if part.name == "payload":
                found = _object(bytes(data))
    except (ValueError, AssertionError, LookupError, HttpProcessingError):  # what aiohttp raises for a body that is no multipart
        return None
    return found


async def _json(request: web.Request) -> dict[str, Any] | None:
    return _object(await request.read())


def _object(data: bytes) -> dict[str, Any] | None:
    try:
        found = json.loads(data)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _told(asked: bool) -> web.Response:
    return web.json_response({"asked": asked}, status=202 if asked else 200)
