"""One HTTP server that plays every other host: ``http://127.0.0.1:PORT/HOST/path``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from types import MappingProxyType, TracebackType
from typing import Self
from urllib.parse import parse_qsl, unquote

from aiohttp import web

from sidecar.demo.hosts import imdb, others, tmdb
from sidecar.demo.hosts.answer import HostCall, Reply
from sidecar.demo.record import Request, note
from sidecar.demo.world import World

Play = Callable[[World, HostCall], Reply]

HOSTS: Mapping[str, Play] = MappingProxyType(
    {
        "api.themoviedb.org": tmdb.answer,
        "image.tmdb.org": others.tmdb_picture,
        "raw.githubusercontent.com": others.github_raw,
        "api.github.com": others.github_api,
        "api.mdblist.com": others.mdblist,
        "mdblist.com": others.mdblist_site,
        "www.omdbapi.com": others.omdb,
        "api.graphql.imdb.com": imdb.graphql,
        "graphql.imdb.com": imdb.graphql,
        "www.imdb.com": others.not_found_page,
        "datasets.imdbws.com": imdb.datasets,
        "api.trakt.tv": others.trakt,
        "letterboxd.com": others.not_found_page,
    }
)
"""Host name -> who answers for it."""


class DemoHosts:
    """The other hosts that Kometa asks, on loopback, with answers about the demo's items.

        async with DemoHosts(world) as hosts:
            hosts.map["api.themoviedb.org"]  # http://127.0.0.1:PORT/api.themoviedb.org: put it before the path

    Hosts that are not in ``map`` answer 404 too and are recorded: nothing is refused silently.
    """

    def __init__(self, world: World, port: int = 0) -> None:
        self.world = world
        self.port = port
        self.requests: list[Request] = []
        """Everything that came, in order; targets begin with the host."""
        self.unknown: list[Request] = []
        """What was answered 404 or for a host that the demo does not play."""
        self.down: set[str] = set()
        """Hosts that answer 503 to everything."""
        self._runner: web.AppRunner | None = None

    async def start(self) -> None:
        """Listen. OSError where the port is taken."""
        if self._runner is not None:
            return
        app = web.Application(client_max_size=4 * 1024 * 1024)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close; safe to call twice."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def map(self) -> dict[str, str]:
        """Host name -> URL that plays it, without a slash at the end."""
        return {host: f"{self.url}/{host}" for host in HOSTS}

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        record = note(request.method, request.raw_path, request.headers, body)
        self.requests.append(record)
        segments = tuple(unquote(part) for part in record.path.split("/") if part)
        host = segments[0].lower() if segments else ""
        params = dict(parse_qsl(record.query, keep_blank_values=True))
        call = HostCall(host, request.method, segments[1:], params, record.headers, body)
        if host in self.down:
            return web.Response(status=503, text=f"{host} is down")
        # Answers may draw a picture or walk a large library.
        reply = await asyncio.to_thread(HOSTS.get(host, others.not_found_page), self.world, call)
        if reply.status == 404:
            self.unknown.append(record)
        return web.Response(body=reply.body, status=reply.status, headers={"Content-Type": reply.media_type, **reply.headers})
