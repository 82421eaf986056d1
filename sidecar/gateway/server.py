"""The gateway as the daemon holds it: listeners, Plex servers, grants, counters, and the test that it makes of itself."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import logging
import os
import secrets
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import web
from aiohttp.abc import AbstractResolver
from pydantic import SecretStr

from renderer.protocol import GRANT_HEADER, ORIGIN_HEADER, PLEX_SUFFIX
from sidecar.errors import CanaryFailed, GatewayError
from sidecar.gateway import listening, wire
from sidecar.gateway.answers import Answers, Spawn
from sidecar.gateway.cache import DiskCache
from sidecar.gateway.egress import Egress, Mode
from sidecar.gateway.freshness import Freshness, place
from sidecar.gateway.grants import Grants, Sink
from sidecar.gateway.handler import Handler
from sidecar.gateway.plex import PlexClient
from sidecar.gateway.reads import PlexReads
from sidecar.gateway.writes import PutBlob
from sidecar.model import BlockedWrite, Capture, Grant, PlexServer, Problem, Scope

MIB: Final = 1024 * 1024
COUNTERS: Final = (
    "forwarded",
    "answered",
    "captured",
    "blocked",
    "refused",
    "plex_failures",
    "plex_hits",
    "egress_sent",
    "egress_hits",
)

UNUSED: Final[Mapping[str, float]] = {"plex": 7 * 86_400.0, "egress": 31 * 86_400.0}
"""Seconds after which an answer that nobody used is forgotten. No egress answer is believed for longer than 30 days."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bytes and seconds that the gateway keeps to."""

    upload: int = 32 * MIB
    """One upload; Kometa itself sends none over 10 MB."""
    xml: int = 64 * MIB
    """One XML answer of Plex, decompressed: a page of 500 episodes has about 2 MiB."""
    egress: int = 64 * MIB
    """One answer of another host."""
    egress_seconds: float = 60.0
    egress_ttl: float = 86_400.0
    """Seconds for which answers of other hosts are kept, but for those that have their own."""
    cache: int = 1024 * MIB
    """Answers of other hosts on disk."""
    plex_cache: int = 1024 * MIB
    """Answers of Plex on disk."""
    plex_memory: int = 64 * MIB
    """Answers of Plex in memory."""
    body_seconds: float = 60.0
    """For one request's body to come."""
    answer_seconds: float = 30.0
    """For an answer to be taken; whoever does not read is let go."""
    idle_seconds: float = 75.0
    """For a request's head to come whole, and between two requests of a connection."""
    connections: int = 256
    """Open at a time; each shard's Kometa has four at most."""
    stop_seconds: float = 2.0
    """For requests under way at ``stop``."""


class Gateway:
    """The write-blocking gateway. ``start`` before use; ``stop`` may be called twice.

    ``put_blob`` stores an upload's bytes (bytes, media type -> Blob). ``host_map`` sends a host's requests to another
    base URL: {"api.themoviedb.org": "http://127.0.0.1:8001/tmdb"}; the demo and the tests use it. ``tcp_port`` opens a
    port on 127.0.0.1 for a stock Kometa (0: any free one, see ``port``). ``recording`` is the directory of the modes
    record and replay. ``private_hosts``: connectors that may stand on a private address.

    With ``spawn``, which starts background tasks, the Plex servers' own notifications are heard, so
    that what was read from them before need not be read again; without, their time stamps are looked at (``check``).
    """

    def __init__(
        self,
        *,
        socket: Path,
        put_blob: PutBlob,
        cache_dir: Path,
        host_map: Mapping[str, str] | None = None,
        tcp_port: int | None = None,
        limits: Limits | None = None,
        mode: Mode = Mode.LIVE,
        recording: Path | None = None,
        resolver: AbstractResolver | None = None,
        private_hosts: Collection[str] = (),
        spawn: Spawn | None = None,
    ) -> None:
        self._limits = limits or Limits()
        if (mode is not Mode.LIVE) != (recording is not None):
            raise GatewayError("modes record and replay need the directory of a recording, and live has none")
        self._socket = socket
        self._tcp_port = tcp_port
        self._counters: Counter[str] = Counter(dict.fromkeys(COUNTERS, 0))
        self._life = secrets.token_hex(8)
        self._grants = Grants()
        self._servers: dict[str, PlexReads] = {}
        self._retired: list[PlexClient] = []
        self._watches: dict[str, asyncio.Task[Any]] = {}
        self._spawn = spawn
        self._plex_cache = cache_dir / "plex"
        self._disk = DiskCache(self._plex_cache, max_bytes=self._limits.plex_cache)
        self._answers = Answers(self._disk, memory=self._limits.plex_memory)
        self._runners: list[web.ServerRunner] = []
        self.port: int | None = None
        """The loopback port, once started with ``tcp_port``."""
        self._egress = Egress(
            cache=DiskCache(recording or cache_dir / "egress", max_bytes=self._limits.cache),
            host_map=host_map or {},
            count=self._count,
            mode=mode,
            max_body=self._limits.egress,
            timeout=self._limits.egress_seconds,
            ttl=self._limits.egress_ttl,
            resolver=resolver,
            private=private_hosts,
        )
        self._handler = Handler(
            grants=self._grants,
            servers=self._servers,
            egress=self._egress,
            put_blob=put_blob,
            counters=self._counters,
            bodies=wire.Bodies(self._limits.upload, self._limits.body_seconds),
        )

    async def start(self) -> None:
        """Listens. GatewayError where the socket or port cannot be had."""
        try:
            await self._egress.start()
            await asyncio.to_thread(self._disk.open)
            await self._listen_socket()
            if self._tcp_port is not None:
                await self._listen_port(self._tcp_port)
        except OSError as error:
            await self.stop()
            raise GatewayError(f"the gateway cannot listen: {error.strerror or error}") from error

    async def stop(self) -> None:
        """Ends requests under way, closes every connection, takes the socket file away."""
        for runner in self._runners:
            await runner.cleanup()
        if self._runners:
            self._socket.unlink(missing_ok=True)
        self._runners.clear()
        watches = tuple(self._watches.values())
        self._watches.clear()
        for task in watches:
            task.cancel()
        await asyncio.gather(*watches, return_exceptions=True)  # whatever it was, it has been told of
        for client in (*(reads.client for reads in self._servers.values()), *self._retired):
            await client.stop()
        await self._answers.flush()
        self._retired.clear()
        await self._egress.stop()

    def set_servers(self, servers: Iterable[PlexServer]) -> None:
        """The Plex servers from now on, by name. An unchanged one keeps its connections. GatewayError: an address that is none."""
        wanted = {server.name: server for server in servers}
        fresh = {
            name: self._reads(PlexClient(server, max_body=self._limits.xml))
            for name, server in wanted.items()
            if name not in self._servers or self._servers[name].client.server != server
        }
        for name in [name for name in self._servers if name in fresh or name not in wanted]:
            self._retired.append(self._servers.pop(name).client)  # requests under way go on; its idle connections close by themselves
            if name in self._watches:
                self._watches.pop(name).cancel()
        self._servers.update(fresh)
        self._egress.keep_off(wanted.values())
        if self._spawn is not None:
            for name, reads in fresh.items():
                self._watches[name] = self._spawn(reads.freshness.watch(), f"plex: changes of {name}")

    async def check(self) -> None:
        """Makes sure of what is kept of the Plex servers' answers; before each run. Never fails: at worst all is read anew."""
        await asyncio.gather(*(reads.freshness.check() for reads in self._servers.values()))

    def reads(self, server: str) -> PlexReads | None:
        """The cached reads of a Plex server, for others that read it."""
        return self._servers.get(server)

    def word(self, scopes: Mapping[str, Scope]) -> str:
        """The same again only while nothing changed on these servers and ``scopes`` are the same; empty where nobody can tell.

        A renderer may answer a read itself as it was answered before under the same word (``KEEP_HEADER``).
        """
        parts = [self._life]
        for name, scope in sorted(scopes.items()):
            reads = self._servers.get(name)
            if reads is None or (word := reads.word) is None:
                return ""
            parts += [
                name,
                word,
                str(reads.freshness.watched and reads.freshness.since),
                *(repr(sorted(keys)) for keys in (scope.targets, scope.visible, scope.sections)),
            ]
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def state(self, server: str) -> str:
        """Stands for all that a Plex server holds: the same as long as nothing changed there; empty where nobody can tell."""
        reads = self._servers.get(server)
        word = reads.word if reads else None
        return hashlib.sha256(word.encode()).hexdigest() if word else ""

    def heard_since(self, server: str) -> float | None:
        """Since when, in seconds since the epoch, every change of a Plex server was heard of; None where nobody listens."""
        freshness = reads.freshness if (reads := self._servers.get(server)) else None
        return freshness.since if freshness and freshness.watched else None

    @property
    def outside(self) -> tuple[str, float]:
        """What other hosts are asked, as a word that is the same again while that is; and for how many seconds their answers hold."""
        return self._egress.word, self._egress.lasts

    def _reads(self, client: PlexClient) -> PlexReads:
        freshness = Freshness(client, place(self._plex_cache, client))
        return PlexReads(client, self._answers, freshness, self._count, self._spawn)

    def open(self, grant: Grant, sink: Sink) -> None:
        """Lets a grant's token in, until ``close``. ValueError: a token in use, or no capability."""
        self._grants.open(grant, sink)

    def close(self, token: str) -> None:
        """Ends a grant. Its sink hears nothing more. Unknown tokens are no error."""
        self._grants.close(token)

    def snapshot(self) -> dict[str, int]:
        """The counters since the start, for metrics: forwarded, answered, captured, blocked, refused, ..."""
        sent = sum(reads.client.sent for reads in self._servers.values())
        return {**dict(self._counters), "plex_sent": sent, "grants": len(self._grants)}

    async def prune(self) -> tuple[int, int]:
        """Forgets kept answers that nobody used for long; returns how many, and their bytes."""
        plex = await asyncio.to_thread(self._disk.prune, UNUSED["plex"])
        egress = await self._egress.prune(UNUSED["egress"])
        return plex[0] + egress[0], plex[1] + egress[1]

    async def canary(self) -> None:
        """Tries to change a Plex through this very gateway. CanaryFailed where anything but refusals comes of it.

        The Plex is a listener of our own that takes everything: first a read must reach it (so that silence means
        something), then nothing else may.
        """
        seen: list[bytes] = []

        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                head = await reader.readuntil(b"\r\n\r\n")
                seen.append(head.split(b"\r\n", 1)[0])
                writer.write(b'HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 26\r\n\r\n<MediaContainer size="0"/>')
                writer.close()

        name = f"canary-{secrets.token_hex(4)}"
        grant = Grant(
            token=secrets.token_urlsafe(32),
            run_id="canary",
            shard=0,
            # A scope that no other has: these requests are judged now, and not as it is remembered.
            scopes={name: Scope(targets=frozenset({1}), visible=frozenset({1, secrets.randbits(62)}), sections=frozenset({1}))},
        )
        listener = await asyncio.start_server(take, "127.0.0.1", 0)
        address = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
        client = PlexClient(PlexServer(name=name, url=address, token=SecretStr("canary"), timeout=5.0), max_body=MIB)
        self._servers[name] = self._reads(client)
        self._grants.open(grant, _Deaf())
        try:
            await self._probe(name, grant.token, "GET /identity", 200)
            if seen != [b"GET /identity HTTP/1.1"]:
                raise CanaryFailed("the gateway's self-test could not be made: a read did not reach the test server as it should")
            for line in CANARY:
                await self._probe(name, grant.token, line, 403)
            self._counters.subtract({"refused": len(CANARY), "forwarded": 1})  # its own requests are no renderer's
            if len(seen) != 1:
                raise CanaryFailed("the gateway let a write through in its self-test; nothing will be rendered")
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as error:
            raise CanaryFailed(f"the gateway's self-test could not be made: {error}") from error
        finally:
            self._grants.close(grant.token)
            del self._servers[name]
            await client.stop()
            listener.close()

    async def _probe(self, server: str, token: str, line: str, expected: int) -> None:
        """Sends one raw request over the unix socket; CanaryFailed where the answer's status is another than expected."""
        async with asyncio.timeout(10):
            reader, writer = await asyncio.open_unix_connection(os.fspath(self._socket))
            try:
                origin = f"http://{server}{PLEX_SUFFIX}:32400"
                head = f"{line} HTTP/1.1\r\nHost: plex\r\nContent-Length: 0\r\n{ORIGIN_HEADER}: {origin}\r\n{GRANT_HEADER}: {token}\r\n\r\n"
                writer.write(head.encode())
                status = int((await reader.readuntil(b"\r\n")).split(b" ")[1])
            finally:
                writer.close()
        if status != expected:
            raise CanaryFailed(f"the gateway answered {status} to `{line}` in its self-test; nothing will be rendered")

    def _count(self, what: str) -> None:
        self._counters[what] += 1

    async def _listen_socket(self) -> None:
        self._socket.parent.mkdir(parents=True, exist_ok=True)
        runner = await self._runner(self._handler.socket)
        before = os.umask(0o177)  # the socket must never be open to others, not even between bind and chmod
        try:
            await web.UnixSite(runner, os.fspath(self._socket)).start()
        finally:
            os.umask(before)

    async def _listen_port(self, port: int) -> None:
        runner = await self._runner(self._handler.port)
        await web.TCPSite(runner, "127.0.0.1", port).start()
        self.port = runner.addresses[0][1]

    async def _runner(self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> web.ServerRunner:
        server = listening.Server(
            handler,
            most=self._limits.connections,
            patience=self._limits.answer_seconds,
            access_log=None,
            logger=listening.Log(logging.getLogger("sidecar.gateway.http"), {}),
            keepalive_timeout=self._limits.idle_seconds,  # it also ends connections whose request does not come
            max_line_size=16_384,
            lingering_time=2.0,
            auto_decompress=False,
        )
        runner = web.ServerRunner(server, shutdown_timeout=self._limits.stop_seconds)
        await runner.setup()
        self._runners.append(runner)
        return runner


CANARY: Final = (
    "GET /:/scrobble?key=1&identifier=com.plexapp.plugins.library",
    "GET /library/sections/1/refresh?force=1",
    "GET /library/metadata/1/../../../:/scrobble?key=1",
    "GET /library/%2e%2e/:/scrobble?key=1",
    "PUT /:/scrobble?key=1",
    "DELETE /library/metadata/1",
)
"""What the self-test tries. Each would change a Plex."""


class _Deaf:
    """The canary's sink: what it is told is no run's business."""

    def captured(self, capture: Capture) -> None:
        """Nothing is uploaded by the canary."""

    def blocked(self, write: BlockedWrite) -> None:
        """Counted already."""

    def note(self, problem: Problem) -> None:
        """The probes' answers say all."""
