"""The only way from the gateway to a Plex server: canonical reads out, bounded bodies back. The token is put in here.

Redirects are not followed, cookies not kept, environment proxies not used, and of the renderer's headers only paging
and language go along. Bodies that need no cutting are streamed as they come, compressed or not.
"""

from __future__ import annotations

import asyncio
import re
import ssl
import time
import zlib
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Final

import aiohttp
from yarl import URL

from sidecar import __version__
from sidecar.errors import GatewayError, PlexAway, PlexError, PlexRefused
from sidecar.gateway.canonical import Canonical
from sidecar.gateway.connections import Connections, CutOff
from sidecar.gateway.http1 import NotHttp, TooLong
from sidecar.model import PlexServer

CONNECT_TIMEOUT: Final = 5.0
"""Seconds. A server that does not take a connection by then is away; Kometa is told at once, not after its own minute."""
AWAY_FOR: Final = 3.0
"""Seconds for which a server that was away is not asked again: a run asks hundreds of times."""

_LANGUAGE: Final = re.compile(r"[A-Za-z0-9,;=.*-]{1,60}")
_FORWARDED: Final[Mapping[str, re.Pattern[str]]] = {
    "x-plex-container-start": re.compile(r"[0-9]{1,10}"),
    "x-plex-container-size": re.compile(r"[0-9]{1,10}"),
    "x-plex-language": _LANGUAGE,
    "accept-language": _LANGUAGE,
}


CLOSED: Final = "closed the connection"

HEARTBEAT: Final = 20.0
"""Seconds between signs of life on the notifications' connection."""


class Declined(PlexError):
    """Plex answered with a status that is the request's own fault (400, 404, ...)."""

    def __init__(self, status: int) -> None:
        super().__init__(f"Plex answered {status}")
        self.status = status


class Broken(PlexError):
    """Plex's answer cannot be used: a redirect elsewhere, too long, cut off, wrongly compressed."""


class PlexClient:
    """One server. ``sent`` counts requests that went out. ``stop`` closes its connections."""

    def __init__(self, server: PlexServer, *, max_body: int, connect_timeout: float = CONNECT_TIMEOUT) -> None:
        base = URL(server.url)
        if base.scheme not in ("http", "https") or not base.host:
            raise GatewayError(f"the address of Plex server {server.name} must begin with http:// or https:// and name a host")
        self.server = server
        self.sent = 0
        self._origin = str(base.origin())
        self._prefix = base.raw_path.rstrip("/")
        self._max_body = max_body
        self._timeout = aiohttp.ClientTimeout(
            total=max(2 * server.timeout, connect_timeout), sock_connect=connect_timeout, connect=None, sock_read=server.timeout
        )
        self._session: aiohttp.ClientSession | None = None
        self._away_until = 0.0
        self._away = ""
        self._said = {
            "Accept": "application/xml, image/*, */*",
            "User-Agent": f"kometa-sidecar/{__version__}",
            "X-Plex-Product": "kometa-sidecar",
            "X-Plex-Client-Identifier": "kometa-sidecar",
            "X-Plex-Token": server.token.get_secret_value(),
        }
        try:
            self._connections = Connections(
                base,
                {**self._said, "Accept-Encoding": "gzip"},
                verify=server.verify_ssl,
                connect=connect_timeout,
                silence=server.timeout,
                total=max(2 * server.timeout, connect_timeout),
            )
        except ValueError as error:
            raise GatewayError(f"the token of Plex server {server.name} holds what no header can carry, such as a line end") from error

    def _new_session(self, *traces: aiohttp.TraceConfig) -> aiohttp.ClientSession:
        """Keep-alive, no cookies, nothing from the environment."""
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=32, ssl=self.server.verify_ssl),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            timeout=self._timeout,
            trace_configs=list(traces),
        )

    def _opened(self) -> aiohttp.ClientSession:
        """The session for reads, opened at the first."""
        self._session = self._session or self._new_session()
        return self._session

    async def stop(self) -> None:
        """Closes the connections. Safe to call twice."""
        await self._connections.close()
        session, self._session = self._session, None
        if session:
            await session.close()

    def url(self, request: Canonical) -> URL:
        """Where a request goes: this server's address, its path prefix, and the canonical target, byte for byte."""
        return URL(f"{self._origin}{self._prefix}{request.target}", encoded=True)

    async def read(self, request: Canonical, headers: Mapping[str, str]) -> bytes:
        """The whole body of a read, decompressed, at most ``max_body`` bytes.

        PlexAway (unreachable, timeout, 5xx), PlexRefused (401, 403), Declined (other 4xx), Broken.
        """
        self._permit(request)
        try:
            answer = await self._connections.get(self._prefix + request.target, passed_on(headers), most=self._max_body)
        except TimeoutError as error:
            raise self.gone("did not answer in time") from error
        except CutOff as error:
            raise (Broken(f"the answer of Plex ({self.server.name}) broke off") if error.begun else self.gone(CLOSED)) from error
        except ssl.SSLError as error:
            raise self.gone("could not be entered by TLS; see verify_ssl") from error
        except OSError as error:
            raise self.gone("is not reachable") from error
        except TooLong as error:
            raise self._too_long() from error
        except (NotHttp, ValueError) as error:
            raise Broken(f"Plex ({self.server.name}) answered what is not HTTP") from error
        self.check(answer.status)
        encoding = answer.headers.get("content-encoding")
        return self._unpack(answer.body, encoding) if encoding else answer.body

    @asynccontextmanager
    async def notifications(self) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """The server's own notifications (python-plexapi's alert.py); for the daemon only, no renderer can ask for them.

        PlexRefused, PlexAway where the server does not open them; aiohttp's errors later on.
        """
        url = URL(f"ws{self._origin.removeprefix('http')}{self._prefix}/:/websockets/notifications", encoded=True)
        headers = {"X-Plex-Token": self.server.token.get_secret_value(), "User-Agent": f"kometa-sidecar/{__version__}"}
        timeout = aiohttp.ClientWSTimeout(ws_close=self.server.timeout)
        async with self._new_session(_no_redirects()) as session:  # of its own: a trace is paid for by every request
            try:
                async with asyncio.timeout(self.server.timeout):
                    socket = await session.ws_connect(
                        url, headers=headers, heartbeat=HEARTBEAT, timeout=timeout, max_msg_size=self._max_body
                    )
            except aiohttp.WSServerHandshakeError as error:
                self.check(error.status)
                raise Broken(f"Plex ({self.server.name}) opens no notifications") from error
            try:
                yield socket
            finally:
                await socket.close()

    def stream(self, request: Canonical, headers: Mapping[str, str]) -> _Stream:
        """A 200 answer, its body unread and as it comes (``async with``). Errors as ``read``; only reads (GET) are ever sent."""
        return _Stream(self, request, {**self._said, "Accept-Encoding": "identity", **passed_on(headers)})

    def _permit(self, request: Canonical) -> None:
        """Counts a request that goes out. PlexAway where the server was away just now."""
        if request.method != "GET":
            raise GatewayError("only reads are sent to Plex")  # the last line of defence: policy never lets it come to this
        if time.monotonic() < self._away_until:
            raise PlexAway(self._away)
        self.sent += 1

    async def open(self, request: Canonical, headers: Mapping[str, str]) -> aiohttp.ClientResponse:
        """Sends a read with these very headers: the answer, whatever its status. To be closed; ``stream`` sees to that."""
        self._permit(request)
        try:
            # aiohttp asks once more by itself where a connection was closed before the first byte (safe: only GETs are sent).
            return await self._opened().get(self.url(request), headers=headers, allow_redirects=False)
        except aiohttp.ServerDisconnectedError as error:
            raise self.gone(CLOSED) from error
        except aiohttp.ClientSSLError as error:
            raise self.gone("could not be entered by TLS; see verify_ssl") from error
        except TimeoutError as error:
            raise self.gone("did not answer in time") from error
        except aiohttp.ClientConnectionError as error:
            raise self.gone("is not reachable") from error
        except (aiohttp.ClientError, ValueError) as error:
            raise Broken(f"Plex ({self.server.name}) answered what is not HTTP") from error

    def gone(self, how: str) -> PlexAway:
        """The error to raise, and not to ask again for a moment."""
        self._away = f"Plex ({self.server.name}) {how}"
        self._away_until = time.monotonic() + AWAY_FOR
        return PlexAway(self._away)

    def check(self, status: int) -> None:
        """PlexAway, PlexRefused, Declined or Broken where an answer's status is not 200."""
        if status == 200:
            return
        name = self.server.name
        if status in (401, 403):
            raise PlexRefused(f"Plex ({name}) refused the token ({status})")
        if 300 <= status < 400:
            raise Broken(f"Plex ({name}) sends readers elsewhere ({status}); give its own address in plex.url")
        if 400 <= status < 500:
            raise Declined(status)
        if status >= 500:
            raise PlexAway(f"Plex ({name}) answered {status}: starting, in maintenance or overloaded")
        raise Broken(f"Plex ({name}) answered {status}, which is no answer to a read")

    def _too_long(self) -> Broken:
        return Broken(f"Plex ({self.server.name}) sent more than {self._max_body} bytes where XML was expected")

    def _unpack(self, data: bytes, encoding: str) -> bytes:
        encoding = encoding.strip().lower()
        if encoding in ("", "identity"):
            return data
        if encoding not in ("gzip", "deflate"):
            raise Broken(f"Plex ({self.server.name}) answered in an encoding that was not asked for")
        decoder = zlib.decompressobj(wbits=47)  # 32 + 15: gzip or zlib, told by the header
        try:
            plain = decoder.decompress(data, self._max_body)
        except zlib.error as error:
            raise Broken(f"the answer of Plex ({self.server.name}) is wrongly compressed") from error
        if decoder.unconsumed_tail:
            raise self._too_long()
        if not decoder.eof:
            raise Broken(f"the answer of Plex ({self.server.name}) broke off")
        return plain


class _Stream:
    """An answer while it is read: the connection is kept afterwards where the answer came whole, else closed."""

    def __init__(self, client: PlexClient, request: Canonical, headers: Mapping[str, str]) -> None:
        self._client = client
        self._request = request
        self._headers = headers

    async def __aenter__(self) -> aiohttp.ClientResponse:
        self._response = await self._client.open(self._request, self._headers)
        try:
            self._client.check(self._response.status)
        except PlexError:
            self._release()
            raise
        return self._response

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._release()
        if isinstance(error, TimeoutError):
            raise self._client.gone("did not send the rest of its answer in time") from error
        if isinstance(error, aiohttp.ClientError):
            raise Broken(f"the answer of Plex ({self._client.server.name}) broke off") from error

    def _release(self) -> None:
        response = self._response
        response.close() if not response.closed and not response.content.at_eof() else response.release()


def passed_on(headers: Mapping[str, str]) -> dict[str, str]:
    """Of a renderer's headers those that reach Plex: paging and language, where they look as they should.

    Names in lower case, or in any where ``headers`` is a multidict.
    """
    return {name: value for name, shape in _FORWARDED.items() if (value := headers.get(name)) and shape.fullmatch(value)}


def _no_redirects() -> aiohttp.TraceConfig:
    """Ends a request that would follow a redirect with the token in hand: aiohttp's websockets have no switch for that."""

    async def refuse(_session: aiohttp.ClientSession, _context: object, params: aiohttp.TraceRequestRedirectParams) -> None:
        raise Broken(f"Plex sends readers elsewhere ({params.response.status}); give its own address in plex.url")

    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(refuse)
    return trace
