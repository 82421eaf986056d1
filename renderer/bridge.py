"""Sends every HTTP request of Kometa through one unix socket, whatever host it was meant for.

requests, cloudscraper, plexapi, tmdbapis, arrapi and every mounted adapter end in ``HTTPAdapter.send``; that one method is
replaced. The gateway gets an ordinary origin-form HTTP/1.1 request with the path and query as Kometa made them and two
headers more (``protocol``: origin, grant); Kometa gets a response whose ``url`` and ``request`` are those it made. TLS ends
at the gateway: http and https look alike here. What does not use requests (letterboxdpy's curl_cffi, one urlopen for
boxd.it) is led here as well.
"""

from __future__ import annotations

import io
import socket
import urllib.request
import urllib.response
from collections.abc import Callable
from email.message import Message
from http import HTTPStatus
from typing import Any, cast
from urllib.parse import urlsplit

import requests
from requests.adapters import HTTPAdapter
from requests.exceptions import ConnectionError as RequestsConnectionError
from requests.exceptions import ConnectTimeout, InvalidURL, ReadTimeout, RetryError
from requests.utils import DEFAULT_ACCEPT_ENCODING
from urllib3 import HTTPConnectionPool, HTTPResponse, Timeout
from urllib3.connection import HTTPConnection
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    MaxRetryError,
    NewConnectionError,
    ProtocolError,
    ReadTimeoutError,
    ResponseError,
)

from renderer.answers import Answers
from renderer.protocol import GRANT_HEADER, KEEP_HEADER, ORIGIN_HEADER, PLEX_SUFFIX

_HOST = "gateway.invalid"
"""What urllib3 believes to talk to; never resolved, never sent (Host is the origin's)."""


class _Connection(HTTPConnection):
    """An HTTP connection over a unix socket."""

    def __init__(self, path: str, timeout: Any = None) -> None:
        super().__init__(_HOST, timeout=timeout)
        self._path = path

    def _new_conn(self) -> socket.socket:
        link = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            if isinstance(self.timeout, (int, float)):
                link.settimeout(self.timeout)
            link.connect(self._path)
        except socket.timeout as error:
            link.close()
            raise ConnectTimeoutError(self, "the gateway does not answer") from error
        except OSError as error:
            link.close()
            raise NewConnectionError(self, f"the gateway is away: {error}") from error
        return link


class _Pool(HTTPConnectionPool):
    """Keep-alive connections to the gateway."""

    def __init__(self, path: str) -> None:
        super().__init__(_HOST, maxsize=4, block=False)
        self._path = path

    def _new_conn(self) -> Any:
        self.num_connections += 1
        return _Connection(self._path, timeout=self.timeout.connect_timeout)


class Bridge:
    """One child's way to the gateway. Make it after the fork: connections must not be shared between processes."""

    def __init__(self, path: str, token: str, answers: Answers | None = None) -> None:
        self._pool = _Pool(path)
        self._token = token
        self._answers = answers or Answers()

    def install(self) -> list[str]:
        """Lead everything here; returns what could not be led here, for the log (such use is refused by the guard)."""
        bridge = self

        def send(
            adapter: HTTPAdapter,
            request: requests.PreparedRequest,
            stream: bool = False,
            timeout: Any = None,
            verify: Any = True,
            cert: Any = None,
            proxies: Any = None,
        ) -> requests.Response:
            return bridge.known(adapter, request) or bridge.send(adapter, request, timeout)

        # Proxies and .netrc have no say here; requests looks for them before each request.
        sessions: Any = requests.sessions
        sessions.get_environ_proxies = _none
        sessions.get_netrc_auth = _nobody
        HTTPAdapter.send = send  # type: ignore[assignment,method-assign]  # the one hook that this module is about
        urllib.request.install_opener(urllib.request.build_opener(urllib.request.ProxyHandler({}), _urllib_handler(self)))
        return [note for note in (_lead_letterboxd(),) if note]

    def close(self) -> None:
        self._pool.close()

    def known(self, adapter: HTTPAdapter, request: requests.PreparedRequest) -> requests.Response | None:
        """The answer that an earlier run got and that still holds."""
        key = self._key(request)
        answer = self._answers.find(key) if key else None
        return _response(adapter, request, answer.media_type, answer.text.encode()) if answer else None

    def _key(self, request: requests.PreparedRequest) -> str | None:
        host = urlsplit(str(request.url)).hostname or ""
        if not host.endswith(PLEX_SUFFIX):
            return None
        return self._answers.key(str(request.method), str(request.url), dict(request.headers or {}), self._token)

    def send(self, adapter: HTTPAdapter, request: requests.PreparedRequest, timeout: Any) -> requests.Response:
        """What ``HTTPAdapter.send`` promises: a Response not yet read, or one of requests' exceptions."""
        if isinstance(timeout, tuple):
            connect, read = timeout
            timeout = Timeout(connect=connect, read=read)
        elif not isinstance(timeout, Timeout):
            timeout = Timeout(connect=timeout, read=timeout)
        headers = dict(request.headers or {})
        body = request.body
        chunked = not (body is None or "content-length" in {key.lower() for key in headers})
        try:
            answer = self.open(
                str(request.method), str(request.url), request.path_url, headers, body, timeout, chunked, getattr(adapter, "max_retries", 0)
            )
        except (ProtocolError, OSError) as error:
            raise RequestsConnectionError(error, request=request) from error
        except MaxRetryError as error:
            if isinstance(error.reason, ConnectTimeoutError) and not isinstance(error.reason, NewConnectionError):
                raise ConnectTimeout(error, request=request) from error
            if isinstance(error.reason, ResponseError):
                raise RetryError(error, request=request) from error
            raise RequestsConnectionError(error, request=request) from error
        except ReadTimeoutError as error:
            raise ReadTimeout(error, request=request) from error
        except HTTPError as error:
            raise RequestsConnectionError(error, request=request) from error
        keep = answer.headers.pop(KEEP_HEADER, None)
        if keep is None or answer.status != HTTPStatus.OK or (key := self._key(request)) is None:
            return adapter.build_response(request, answer)
        try:
            data = answer.read()
        except HTTPError as error:
            raise RequestsConnectionError(error, request=request) from error
        media_type = answer.headers.get("Content-Type", "")
        self._answers.keep(key, keep, media_type, data)
        return _response(adapter, request, media_type, data)

    def open(
        self, method: str, url: str, target: str, headers: dict[str, Any], body: Any, timeout: Any, chunked: bool = False, retries: Any = 0
    ) -> Any:
        """A urllib3 response of ``target`` (path and query) at ``url``'s origin. urllib3's exceptions."""
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InvalidURL(f"Invalid URL {url!r}: No host supplied")
        netloc = parts.netloc.rpartition("@")[2]
        sent = {key: value for key, value in headers.items() if key.lower() not in ("host", ORIGIN_HEADER.lower(), GRANT_HEADER.lower())}
        sent["Host"] = netloc
        sent[ORIGIN_HEADER] = f"{parts.scheme}://{netloc}"
        sent[GRANT_HEADER] = self._token
        return self._pool.urlopen(
            method,
            target,
            body=body,
            headers=sent,
            redirect=False,
            assert_same_host=False,
            preload_content=False,
            decode_content=False,
            retries=retries,
            timeout=timeout,
            chunked=chunked,
        )


def _none(*_args: Any, **_kwargs: Any) -> dict[str, str]:
    return {}


def _nobody(*_args: Any, **_kwargs: Any) -> None:
    return None


def _response(adapter: HTTPAdapter, request: requests.PreparedRequest, media_type: str, data: bytes) -> requests.Response:
    headers = {"Content-Type": media_type, "Content-Length": str(len(data))}
    answer = HTTPResponse(io.BytesIO(data), headers, HTTPStatus.OK, reason="OK", preload_content=False, decode_content=False)
    return adapter.build_response(request, answer)


def _urllib_handler(bridge: Bridge) -> urllib.request.BaseHandler:
    """urllib's way: Kometa resolves boxd.it links with urlopen. Redirects are followed by urllib's own handler."""

    class Handler(urllib.request.BaseHandler):
        handler_order = 100  # before urllib's own http and https handlers, which would open sockets

        def http_open(self, request: urllib.request.Request) -> Any:
            timeout = request.timeout if isinstance(request.timeout, (int, float)) else 60.0
            try:
                answer = bridge.open(
                    request.get_method(), request.full_url, request.selector, dict(request.header_items()), request.data, Timeout(timeout)
                )
                body = answer.read()
            except HTTPError as error:
                raise OSError(f"the gateway did not answer: {error}") from error
            headers = Message()
            for key, value in answer.headers.items():
                headers[key] = value
            response = urllib.response.addinfourl(io.BytesIO(body), headers, request.full_url, answer.status)
            cast(Any, response).msg = answer.reason or ""  # urllib's error processor reads it
            return response

        https_open = http_open

    return Handler()


def _lead_letterboxd() -> str:
    """Give letterboxdpy a requests session in the place of its curl_cffi one, which Python's hooks do not reach."""
    try:
        from letterboxdpy.core.scraper import Scraper
    except Exception as error:  # noqa: BLE001  # an optional library of Kometa's in any state must not end a render
        return "" if isinstance(error, ModuleNotFoundError) else f"letterboxd: {error}"
    place: Callable[[Any], None] | None = getattr(Scraper, "set_instance", None)
    if place is None:
        return "letterboxd: its session could not be replaced"
    place(_LetterboxdSession())
    return ""


class _LetterboxdSession(requests.Session):
    """Takes what curl_cffi's session takes, as far as letterboxdpy uses it."""

    def request(self, method: Any, url: Any, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs.pop("impersonate", None)
        headers = {key: value for key, value in (kwargs.get("headers") or {}).items() if key.lower() != "accept-encoding"}
        kwargs["headers"] = {**headers, "Accept-Encoding": DEFAULT_ACCEPT_ENCODING}  # curl reads brotli, requests may not
        return super().request(method, url, *args, **kwargs)
