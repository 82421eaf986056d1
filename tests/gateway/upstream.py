"""A recording HTTP server for the gateway's tests: keeps every request's raw bytes, answers what a test tells it."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self


@dataclass
class Seen:
    """One request as it came over the wire."""

    line: str
    headers: list[tuple[str, str]]
    body: bytes = b""

    @property
    def method(self) -> str:
        return self.line.split(" ")[0]

    @property
    def target(self) -> str:
        return self.line.split(" ")[1]

    def header(self, name: str) -> str | None:
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)


@dataclass
class Reply:
    """What is answered. ``raw`` replaces everything; ``then_close`` breaks the connection after the bytes."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    raw: bytes | None = None
    then_close: bool = False
    wait: float = 0.0
    times: int = 1
    """How often ``body`` is sent; say Content-Length in ``headers``."""


Answer = Callable[[Seen], Reply]


class Upstream:
    """``async with Upstream(answer) as up``: listens on 127.0.0.1, a free port."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.requests: list[Seen] = []
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._writers: set[asyncio.StreamWriter] = set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=1 << 20)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.close()
        for writer in list(self._writers):
            writer.close()
        await self._server.wait_closed()
        await asyncio.sleep(0)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while await self._one(reader, writer):
                pass
        writer.close()
        self._writers.discard(writer)

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        seen = Seen(head[0], [(name, value.strip()) for name, _, value in (line.partition(":") for line in head[1:] if line)])
        seen.body = await reader.readexactly(int(seen.header("Content-Length") or 0))
        self.requests.append(seen)
        reply = self.answer(seen)
        if reply.wait:
            await asyncio.sleep(reply.wait)
        if reply.raw is None:
            headers = {"Content-Length": str(len(reply.body)), "Content-Type": "text/xml;charset=utf-8", **reply.headers}
            lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
            writer.write(f"HTTP/1.1 {reply.status} X\r\n{lines}\r\n".encode())
            for _ in range(reply.times):
                writer.write(reply.body)
                await writer.drain()
        else:
            writer.write(reply.raw)
        await writer.drain()
        return not reply.then_close
