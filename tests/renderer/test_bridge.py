"""The bridge against a real aiohttp server on a unix socket."""

from __future__ import annotations

import asyncio
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import requests
from aiohttp import web
from requests.adapters import HTTPAdapter

from renderer.answers import Answers
from renderer.bridge import Bridge
from tests.renderer.talk import ROOT


class Gateway:
    """Answers in the place of the gateway and remembers what it was asked."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.seen: list[web.Request] = []
        self.bodies: list[bytes] = []
        self.peers: set[int] = set()

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.seen.append(request)
        self.bodies.append(await request.read())
        self.peers.add(id(request.transport))
        match request.path.rpartition("/")[2]:
            case "redirect":
                return web.Response(status=302, headers={"Location": "https://other.example/there?x=1"})
            case "slow":
                await asyncio.sleep(5)
            case "cookie":
                return web.Response(text="c", headers={"Set-Cookie": "a=b"})
            case "gzip":
                response = web.Response(text="packed " * 50)
                response.enable_compression(web.ContentCoding.gzip)
                return response
            case "keep":
                return web.Response(text=f"kept {request.raw_path}", headers={"X-Sidecar-Keep": "60"})
            case "missing":
                return web.Response(status=404, text="no")
            case "big":
                stream = web.StreamResponse()
                await stream.prepare(request)
                for _ in range(50):
                    await stream.write(b"x" * 10_000)
                return stream
        return web.Response(text=f"{request.method} {request.raw_path}")


@pytest.fixture
async def gateway(short_dir: Path) -> AsyncIterator[Gateway]:
    made = Gateway(short_dir / "g.sock")
    app = web.Application(client_max_size=10**7)
    app.router.add_route("*", "/{tail:.*}", made.answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.UnixSite(runner, str(made.path)).start()
    yield made
    await runner.cleanup()


class Through(HTTPAdapter):
    """The hook without replacing HTTPAdapter.send for the whole test process."""

    def __init__(self, bridge: Bridge) -> None:
        super().__init__()
        self.bridge = bridge

    def send(
        self, request: Any, stream: Any = False, timeout: Any = None, verify: Any = True, cert: Any = None, proxies: Any = None
    ) -> Any:
        return self.bridge.send(self, request, timeout)


@pytest.fixture
async def session(gateway: Gateway) -> AsyncIterator[requests.Session]:
    bridge = Bridge(str(gateway.path), "the-token")
    with requests.Session() as session:
        session.trust_env = False
        for scheme in ("http://", "https://"):
            session.mount(scheme, Through(bridge))
        yield session
        bridge.close()


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://plex-0.plex.invalid:32400/library/sections?X=%C3%A4&b=1/2", "http://plex-0.plex.invalid:32400"),
        ("https://api.themoviedb.org/3/configuration", "https://api.themoviedb.org"),
        ("https://user:pass@host.example:8443/a%20b/c?d", "https://host.example:8443"),
    ],
)
async def test_path_and_query_come_as_they_were_made(gateway: Gateway, session: requests.Session, url: str, origin: str) -> None:
    response = await asyncio.to_thread(session.get, url, timeout=5)
    request = gateway.seen[0]
    assert request.headers["X-Sidecar-Origin"] == origin
    assert request.headers["X-Sidecar-Grant"] == "the-token"
    assert request.headers["Host"] == origin.partition("//")[2]
    assert url.endswith(request.raw_path)
    assert response.text == f"GET {request.raw_path}"
    assert response.url == url
    assert response.request.url == url
    assert not [key for key in response.request.headers if key.lower().startswith("x-sidecar")]


async def test_bodies_go_out_byte_by_byte(gateway: Gateway, session: requests.Session) -> None:
    body = bytes(range(256)) * 4000
    await asyncio.to_thread(session.post, "http://plex-0.plex.invalid/posters", data=body, timeout=5)
    await asyncio.to_thread(session.put, "http://plex-0.plex.invalid/x", data=(part for part in (b"one", b"two")), timeout=5)
    await asyncio.to_thread(session.post, "http://h.example/q", json={"a": 1}, timeout=5)
    assert gateway.bodies == [body, b"onetwo", b'{"a": 1}']
    assert "Content-Type" not in gateway.seen[0].headers
    assert gateway.seen[1].headers["Transfer-Encoding"] == "chunked"


async def test_redirects_are_requests_of_their_own(gateway: Gateway, session: requests.Session) -> None:
    response = await asyncio.to_thread(session.get, "http://first.example/redirect", timeout=5)
    assert [request.headers["X-Sidecar-Origin"] for request in gateway.seen] == ["http://first.example", "https://other.example"]
    assert response.url == "https://other.example/there?x=1"
    assert [past.status_code for past in response.history] == [302]


async def test_kometa_cannot_name_origin_or_grant_itself(gateway: Gateway, session: requests.Session) -> None:
    forged = {"x-sidecar-origin": "http://evil.example", "X-SIDECAR-GRANT": "stolen", "hOST": "evil.example"}
    await asyncio.to_thread(session.get, "http://h.example/", headers=forged, timeout=5)
    headers = gateway.seen[0].headers
    assert headers.getall("X-Sidecar-Origin") == ["http://h.example"]
    assert headers.getall("X-Sidecar-Grant") == ["the-token"]
    assert headers.getall("Host") == ["h.example"]


async def test_connections_are_kept(gateway: Gateway, session: requests.Session) -> None:
    for host in ("a.example", "b.example", "c.example"):
        await asyncio.to_thread(session.get, f"http://{host}/", timeout=5)
    assert len(gateway.peers) == 1


async def test_streaming_decoding_cookies_and_status(gateway: Gateway, session: requests.Session) -> None:
    def use() -> tuple[int, str, int, object]:
        with session.get("http://h.example/big", stream=True, timeout=5) as response:
            size = sum(len(chunk) for chunk in response.iter_content(4096))
        packed = session.get("http://h.example/gzip", timeout=5).text
        session.get("http://h.example/cookie", timeout=5)
        return size, packed, session.get("http://h.example/missing", timeout=5).status_code, session.cookies.get("a")

    assert await asyncio.to_thread(use) == (500_000, "packed " * 50, 404, "b")


async def test_read_timeouts_are_honoured(gateway: Gateway, session: requests.Session) -> None:
    for timeout in (0.1, (5, 0.1)):
        with pytest.raises(requests.exceptions.ReadTimeout):
            await asyncio.to_thread(session.get, "http://h.example/slow", timeout=timeout)


async def test_a_gateway_that_is_away_is_a_connection_error(short_dir: Path) -> None:
    bridge = Bridge(str(short_dir / "none.sock"), "t")
    with requests.Session() as session:
        session.mount("http://", Through(bridge))
        with pytest.raises(requests.exceptions.ConnectionError, match="the gateway is away"):
            await asyncio.to_thread(session.get, "http://h.example/", timeout=5)


async def test_a_gateway_that_does_not_accept_is_a_timeout(short_dir: Path) -> None:
    path = str(short_dir / "full.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen(0)
        waiting = [socket.socket(socket.AF_UNIX) for _ in range(2)]
        for link in waiting:
            link.setblocking(False)
            link.connect_ex(path)
        with requests.Session() as session:
            session.mount("http://", Through(Bridge(path, "t")))
            with pytest.raises((requests.exceptions.ConnectTimeout, requests.exceptions.ConnectionError)):
                await asyncio.to_thread(session.get, "http://h.example/", timeout=0.2)
        for link in waiting:
            link.close()


async def test_what_does_not_use_requests_is_led_here_too(gateway: Gateway) -> None:
    """In a process of its own, as ``install`` is for good: requests' shortcuts, urlopen with a redirect, letterboxdpy's session."""
    program = f"""
import sys, types
sys.path.insert(0, {str(ROOT)!r})
scraper = types.ModuleType("letterboxdpy.core.scraper")
class Scraper:
    @classmethod
    def set_instance(cls, session):
        cls.session = session
scraper.Scraper = Scraper
package = types.ModuleType("x")
sys.modules.update({{"letterboxdpy": package, "letterboxdpy.core": package, "letterboxdpy.core.scraper": scraper}})
from renderer.bridge import Bridge
from renderer.cage import Guard
guard = Guard(); guard.install(); guard.only({str(gateway.path)!r})
assert Bridge({str(gateway.path)!r}, "t").install() == []
import requests, urllib.request, urllib.error
print(requests.get("https://one.example/a", timeout=5).text)
with urllib.request.urlopen(urllib.request.Request("https://boxd.it/redirect", headers={{"User-Agent": "u"}}), timeout=5) as r:
    print(r.geturl(), r.status, r.read().decode())
try:
    urllib.request.urlopen("https://two.example/missing", timeout=5)
except urllib.error.HTTPError as error:
    print(error.code)
headers = {{"accept-encoding": "br", "referer": "r"}}
print(Scraper.session.get("https://three.example/film", headers=headers, timeout=5, impersonate="chrome").text)
"""
    done = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program], capture_output=True, text=True, timeout=20)
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["GET /a", "https://other.example/there?x=1 200 GET /there?x=1", "404", "GET /film"]
    assert [request.headers["X-Sidecar-Origin"] for request in gateway.seen] == [
        f"https://{host}" for host in ("one.example", "boxd.it", "other.example", "two.example", "three.example")
    ]
    assert not re.search(r"\bbr\b", gateway.seen[-1].headers["Accept-Encoding"])


async def test_an_answer_that_may_be_kept_is_asked_for_once(gateway: Gateway) -> None:
    answers = Answers()
    answers.on = True
    answers.begin("word")
    bridge = Bridge(str(gateway.path), "the-token", answers)
    adapter = HTTPAdapter()

    def get(url: str) -> requests.Response:
        request = requests.Request("GET", url, headers={"Accept": "*/*"}).prepare()
        return bridge.known(adapter, request) or bridge.send(adapter, request, 5)

    kept, other, elsewhere = "http://plex-0.plex.invalid:32400/keep", "http://plex-0.plex.invalid:32400/other", "http://h.example/keep"
    first = await asyncio.to_thread(get, kept)
    again = await asyncio.to_thread(get, kept)
    assert len(gateway.seen) == 1
    assert (again.status_code, again.text, again.url, again.reason) == (200, first.text, first.url, "OK")
    assert again.headers == first.headers
    assert "X-Sidecar-Keep" not in first.headers
    for url in (other, elsewhere):
        for _ in range(2):
            await asyncio.to_thread(get, url)
    assert len(gateway.seen) == 5, "what the gateway does not vouch for, and what is not Plex's, is asked for each time"
    bridge.close()
