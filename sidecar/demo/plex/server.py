"""The demo's Plex server: HTTP in front of ``Reads`` and ``Effects``, with a record of everything."""

from __future__ import annotations

import asyncio
import gzip
import hmac
import json
from types import TracebackType
from typing import Self

from aiohttp import WSMsgType, web

from sidecar.demo.items import TYPES
from sidecar.demo.plex import call as calls
from sidecar.demo.plex.call import Answer, Call, Refused
from sidecar.demo.plex.effects import Effects
from sidecar.demo.plex.faults import BOMB, GARBAGE, KINDS, MAINTENANCE, Fault
from sidecar.demo.plex.reads import Reads
from sidecar.demo.plex.state import State
from sidecar.demo.record import Mutation, Request, note
from sidecar.demo.world import Change, World

DEMO_TOKEN = "demo-token-not-a-secret"  # noqa: S105 (it opens the demo only)
MAX_UPLOAD = 64 * 1024 * 1024
"""Bytes of a request's body."""


class DemoPlex:
    """A small Plex server on loopback that refuses nothing, changes when it is told to, and records everything.

        async with DemoPlex(World.sample()) as plex:
            ...  # plex.url, plex.token; afterwards plex.requests, plex.writes, plex.mutations, plex.uploads

    A stopped server can be started again and keeps its port, its world and its record.
    """

    def __init__(self, world: World, port: int = 0, *, token: str = DEMO_TOKEN, prefix: str = "") -> None:
        """``port`` 0: a free one. ``prefix``: a path such as /plex under which it answers, as behind a reverse proxy."""
        self.world = world
        self.token = token
        self.prefix = "/" + prefix.strip("/") if prefix.strip("/") else ""
        self.port = port
        self.state = State(world)
        self.sent = 0
        """Bytes of all answers' bodies."""
        self.faults: list[Fault] = []
        self._reads = Reads(self.state)
        self._effects = Effects(self.state)
        self._runner: web.AppRunner | None = None
        self._sockets: dict[web.WebSocketResponse, asyncio.Queue[str | None]] = {}

    # ── life ─────────────────────────────────────────────────────────────────────────────────────────────

    async def start(self) -> None:
        """Listen. OSError where the port is taken."""
        if self._runner is not None:
            return
        app = web.Application(client_max_size=MAX_UPLOAD)
        app.router.add_route("*", "/{path:.*}", self._handle)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.5, handler_cancellation=True)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", self.port)
        await site.start()
        self.port = self._runner.addresses[0][1]
        self._silence = self.world.listen(self._changed)

    async def stop(self) -> None:
        """Close; safe to call twice."""
        runner, self._runner = self._runner, None
        if runner is None:
            return
        self._silence()
        for queue in self._sockets.values():
            queue.put_nowait(None)
        await runner.cleanup()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self.stop()

    # ── what it tells ────────────────────────────────────────────────────────────────────────────────────

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}{self.prefix}"

    @property
    def requests(self) -> list[Request]:
        """Everything that came, in order."""
        return self.state.requests

    @property
    def writes(self) -> list[Request]:
        """The requests that were no GET or HEAD."""
        return [request for request in self.state.requests if request.is_write]

    @property
    def mutations(self) -> list[Mutation]:
        """What requests of any method did to the server."""
        return self.state.mutations

    @property
    def uploads(self) -> dict[int, list[bytes]]:
        """Bytes of uploaded pictures by rating key, oldest first."""
        return self.state.uploads

    def forget(self) -> None:
        """Empty the record; the world stays as it is."""
        self.state.requests.clear()
        self.state.mutations.clear()
        self.state.uploads.clear()

    def fail(self, kind: str, *, times: int | None = None, path: str = "", seconds: float = 1.0) -> Fault:
        """Fall ill with one of ``faults.KINDS`` until healed, or for so many requests. ValueError for an unknown kind."""
        if kind not in KINDS:
            raise ValueError(f"no such fault: {kind!r}; there are {', '.join(KINDS)}")
        fault = Fault(kind, times, path, seconds)
        self.faults.append(fault)
        return fault

    def heal(self) -> None:
        """End all faults."""
        self.faults.clear()

    # ── answering ────────────────────────────────────────────────────────────────────────────────────────

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        body = b""
        try:
            body = await request.read()
        finally:  # a body that is too long or breaks off is a request all the same
            record = note(request.method, request.raw_path, request.headers, body)
            self.state.requests.append(record)
        fault = next((fault for fault in self.faults if fault.strikes(request.raw_path)), None)
        if fault:
            broken = await self._broken(request, fault)
            if broken is not None:
                return broken
        path = record.target
        if self.prefix:
            if not path.startswith(self.prefix + "/") and path.partition("?")[0] != self.prefix:
                return self._send(request, calls.error(404, "Not Found"))
            path = path.removeprefix(self.prefix) or "/"
        call = calls.read(request.method, path, record.headers, body)
        if call.segments != ("identity",) and not self._knows(call):
            return self._send(request, calls.error(401, "Unauthorized"))
        if call.lower[:2] == (":", "websockets") and request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._notify(request)
        try:
            answer = await self._answer(call)
        except Refused as refused:
            answer = calls.error(refused.status, refused.text)
        if fault and fault.kind == "trickle":
            return await self._trickle(request, answer, fault.seconds)
        if fault and fault.kind == "truncated":
            return await self._cut(request, answer)
        if fault and fault.kind == "bad_gzip":
            answer = Answer(answer.body, answer.media_type, answer.status, {"Content-Encoding": "gzip"})
        return self._send(request, answer)

    async def _answer(self, call: Call) -> Answer:
        done = self._effects.apply(call)
        if done is not None:
            return done
        answer = await self._reads.answer(call)
        if call.segments[:2] == ("library", "metadata") and len(call.segments) == 3:
            self._effects.detail_flags(call)
        return answer

    def _knows(self, call: Call) -> bool:
        given = call.headers.get("x-plex-token") or call.params.get("X-Plex-Token", "")
        return hmac.compare_digest(given.encode(), self.token.encode())

    def _send(self, request: web.Request, answer: Answer) -> web.Response:
        headers = {"X-Plex-Protocol": "1.0", "Cache-Control": "no-cache", "Content-Type": answer.media_type, **answer.headers}
        body = answer.body
        if answer.status == 401:
            headers["X-Plex-Content-Original-Length"] = str(len(body))
        wanted = "gzip" in request.headers.get("Accept-Encoding", "") and "Content-Encoding" not in headers
        if wanted and answer.media_type.startswith("text/xml") and len(body) > 150:
            headers |= {"Content-Encoding": "gzip", "X-Plex-Content-Original-Length": str(len(body))}
            body = gzip.compress(body, 1, mtime=0)
        self.sent += len(body)
        return web.Response(body=body, status=answer.status, headers=headers)

    # ── faults ───────────────────────────────────────────────────────────────────────────────────────────

    async def _broken(self, request: web.Request, fault: Fault) -> web.StreamResponse | None:
        """The answer of faults that have one of their own."""
        if fault.kind == "down" and request.transport is not None:
            request.transport.abort()
            raise web.HTTPServiceUnavailable
        if fault.kind == "slow":
            await asyncio.sleep(fault.seconds)
        answers = {
            "unauthorized": calls.error(401, "Unauthorized"),
            "maintenance": Answer(MAINTENANCE, status=503, headers={"Retry-After": "5"}),
            "error": calls.error(500, "Internal Server Error"),
            "garbage": Answer(GARBAGE),
            "entity_bomb": Answer(BOMB),
            "redirect": Answer(status=302, headers={"Location": "http://elsewhere.invalid/"}),
        }
        return self._send(request, answers[fault.kind]) if fault.kind in answers else None

    async def _cut(self, request: web.Request, answer: Answer) -> web.StreamResponse:
        """Announce the whole answer, send half and hang up."""
        response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.media_type})
        response.content_length = len(answer.body)
        await response.prepare(request)
        await response.write(answer.body[: len(answer.body) // 2])
        if request.transport is not None:
            request.transport.close()
        return response

    async def _trickle(self, request: web.Request, answer: Answer, seconds: float) -> web.StreamResponse:
        response = web.StreamResponse(status=answer.status, headers={"Content-Type": answer.media_type})
        response.content_length = len(answer.body)
        await response.prepare(request)
        for at in range(len(answer.body)):
            await response.write(answer.body[at : at + 1])
            await asyncio.sleep(seconds)
        return response

    # ── notifications ────────────────────────────────────────────────────────────────────────────────────

    async def _notify(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(heartbeat=30)
        await socket.prepare(request)
        queue: asyncio.Queue[str | None] = asyncio.Queue()
        self._sockets[socket] = queue
        try:
            async with asyncio.TaskGroup() as group:
                sender = group.create_task(self._sender(socket, queue))
                async for message in socket:
                    if message.type in (WSMsgType.ERROR, WSMsgType.CLOSE):
                        break
                sender.cancel()
        finally:
            del self._sockets[socket]
        return socket

    @staticmethod
    async def _sender(socket: web.WebSocketResponse, queue: asyncio.Queue[str | None]) -> None:
        while (text := await queue.get()) is not None:
            await socket.send_str(text)
        await socket.close()

    def _changed(self, change: Change) -> None:
        """Tell the websockets, as Plex does: a timeline entry for each change."""
        item = change.item
        entry = {
            "identifier": "com.plexapp.plugins.library",
            "sectionID": str(item.section),
            "itemID": str(item.rating_key),
            "type": TYPES[item.type],
            "title": item.title,
            "state": 9 if item.deleted else 5,
            "updatedAt": item.updated_at,
        }
        text = json.dumps({"NotificationContainer": {"type": "timeline", "size": 1, "TimelineEntry": [entry]}}, ensure_ascii=False)
        for queue in self._sockets.values():
            queue.put_nowait(text)
