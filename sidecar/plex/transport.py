"""HTTP towards Plex that can only read: GET, one host, no redirects, bounded in bytes and time, and words without tokens."""

from __future__ import annotations

import time
from collections.abc import Callable
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final
from urllib.parse import urlencode, urlsplit
from xml.etree.ElementTree import Element, ParseError

import requests
import urllib3
from defusedxml.common import DefusedXmlException
from defusedxml.ElementTree import fromstring

from sidecar.errors import PlexAway, PlexError, PlexRefused
from sidecar.model import PlexServer

MOST_XML: Final = 64 * 1024 * 1024
"""Bytes of one XML answer, decompressed."""
MOST_ART: Final = 32 * 1024 * 1024
"""Bytes of one picture."""
CONNECT: Final = 10.0
"""Seconds to connect; the server's own timeout, where shorter."""

_OTHERWISE: Final = frozenset({"x-plex-container-start", "x-plex-container-size", "x-plex-language", "accept-language"})
"""Headers that make another question of an address; memory is told of them as if they stood in it."""
_CHUNK: Final = 64 * 1024


class ReadOnlySession(requests.Session):
    """Sends GETs to one server and nothing else, whatever it is asked for."""

    def __init__(self, server: PlexServer) -> None:
        super().__init__()
        self._origin = urlsplit(server.url)[:2]
        self.trust_env = False  # no proxies, no .netrc from the environment
        self.verify = server.verify_ssl
        self.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
        self.headers.clear()
        self.headers.update(
            {
                "X-Plex-Token": server.token.get_secret_value(),
                "X-Plex-Product": "kometa-sidecar",  # without X-Plex-Client-Identifier: Plex keeps a list of devices
                "Accept": "application/xml",
                "Accept-Encoding": "gzip, deflate",
                "User-Agent": "kometa-sidecar",
            }
        )

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        """PlexError, before anything is sent, for what is no plain read of this server."""
        url = urlsplit(request.url or "")
        if request.method != "GET" or request.body:
            raise PlexError(f"{request.method} is not sent to Plex: it is only read")
        if url[:2] != self._origin:
            raise PlexError("a request to another host than the Plex server's is not sent")
        if "x-plex-token" in url.query.lower():
            raise PlexError("a token does not belong in an address")
        options["allow_redirects"] = False
        return super().send(request, **options)


Memory = Callable[[str, Callable[[], bytes | None]], bytes | None]
"""Given a question (path and query) and how to ask it: its answer, or one of before that still holds. Called in threads."""


def ask_anew(_question: str, ask: Callable[[], bytes | None]) -> bytes | None:
    """The memory of those who have none."""
    return ask()


class Transport:
    """One Plex server's answers. Blocks: for threads, of which several may use it at once."""

    def __init__(self, server: PlexServer, memory: Memory = ask_anew) -> None:
        self.server = server
        self._memory = memory
        self.session = ReadOnlySession(server)
        parts = urlsplit(server.url)
        self._base = server.url.rstrip("/")
        self.shown = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path.rstrip('/')}"
        """The address, for people: without a name and password in it."""

    def xml(self, path: str, params: dict[str, str] | None = None, *, headers: dict[str, str] | None = None) -> Element | None:
        """The root of the answer; None where there is nothing under this path (404).

        PlexAway, PlexRefused, or PlexError where Plex does not understand the question (400).
        """
        data = self.read(path, params, most=MOST_XML, headers=headers)
        if data is None:
            return None
        try:
            root: Element = fromstring(data, forbid_dtd=True)
        except (ParseError, DefusedXmlException, ValueError) as error:
            raise PlexAway(
                f"Plex at {self.shown} answered {_path(path)} with what is no sound XML: is it Plex that answers there?"
            ) from error
        return root

    def read(self, path: str, params: dict[str, str] | None = None, *, most: int, headers: dict[str, str] | None = None) -> bytes | None:
        """The body of the answer, at most ``most`` bytes; None for 404. Raises as :meth:`xml`."""
        told = {name: value for name, value in (headers or {}).items() if name.lower() in _OTHERWISE}
        asked = urlencode({**(params or {}), **told})
        question = f"{path}?{asked}" if asked else path
        return self._memory(question, lambda: self.ask(path, params, most=most, headers=headers))

    def ask(self, path: str, params: dict[str, str] | None = None, *, most: int, headers: dict[str, str] | None = None) -> bytes | None:
        """As :meth:`read`, of the server itself, whatever memory holds."""
        if not path.startswith("/"):
            raise PlexError(f"{path[:80]!r} is no path on the Plex server")
        seconds = self.server.timeout
        until = time.monotonic() + seconds
        try:
            with self.session.get(
                self._base + path, params=params, headers=headers, stream=True, timeout=(min(CONNECT, seconds), seconds)
            ) as response:
                if response.status_code == 404:
                    return None
                self._judge(response, path)
                return self._body(response, path, most, until)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise PlexAway(f"Plex at {self.shown} {_why(error, seconds)}") from error

    def close(self) -> None:
        """Close kept connections; new requests open new ones."""
        self.session.close()

    def _judge(self, response: requests.Response, path: str) -> None:
        status = response.status_code
        if status == 200:
            return
        if status in (401, 403):
            raise PlexRefused(f"Plex at {self.shown} refuses the token ({status}): give config.yml the token of the server's owner")
        if status == 503:
            raise PlexAway(f"Plex at {self.shown} is starting or in maintenance (503)")
        if 300 <= status < 400:
            raise PlexAway(f"Plex at {self.shown} sends elsewhere ({status}): give the address at which Plex itself answers")
        if status >= 500:
            raise PlexAway(f"Plex at {self.shown} has an error of its own ({status}) at {_path(path)}")
        raise PlexError(f"Plex at {self.shown} does not answer {_path(path)} ({status})")

    def _body(self, response: requests.Response, path: str, most: int, until: float) -> bytes:
        data = bytearray()
        while chunk := response.raw.read1(_CHUNK, decode_content=True):
            data += chunk
            if len(data) > most:
                raise PlexError(f"Plex at {self.shown} answered {_path(path)} with more than {most // 1024 // 1024} MiB")
            if time.monotonic() > until:
                raise PlexAway(f"Plex at {self.shown} did not finish an answer within {self.server.timeout:g} s")
        return bytes(data)


def _path(path: str) -> str:
    return path.partition("?")[0]


def _why(error: Exception, seconds: float) -> str:
    """In words of our own: what libraries say of an error may hold the request."""
    match error:
        case requests.exceptions.ConnectTimeout():
            return f"does not answer: no connection within {min(CONNECT, seconds):g} s"
        case requests.exceptions.Timeout() | urllib3.exceptions.TimeoutError():
            return f"did not answer within {seconds:g} s"
        case requests.exceptions.SSLError():
            return "has no certificate that this host trusts: give the plex.direct address, or verify_ssl: false"
        case requests.exceptions.ConnectionError():
            return f"is not reachable: {_cause(error)}"
        case requests.exceptions.InvalidURL() | requests.exceptions.InvalidSchema() | requests.exceptions.MissingSchema():
            return "is no address: it must be like http://192.168.1.5:32400"
        case _:
            return f"broke off its answer ({type(error).__name__})"


def _cause(error: BaseException | None) -> str:
    """The system's word for a failed connection: "Connection refused", "Name or service not known"."""
    seen: set[int] = set()
    pending = [error]
    while pending:
        one = pending.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, OSError) and one.strerror and not isinstance(one, requests.RequestException):
            return one.strerror
        if isinstance(one, urllib3.exceptions.NameResolutionError):
            return "its name is not known"
        more = (arg for arg in one.args if isinstance(arg, BaseException))
        pending += [one.__cause__, one.__context__, getattr(one, "reason", None), *more]
    return "the connection was refused or dropped"
