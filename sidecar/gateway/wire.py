"""HTTP as the gateway's listeners speak it: bodies in, answers out."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from aiohttp import ClientResponse, web

from renderer.protocol import KEEP_HEADER
from sidecar.gateway.canonical import Refusal

XML: Final = "application/xml; charset=utf-8"


class NotTaken(Exception):
    """A request body over the limit, or one that does not come. ``reason`` is for people."""

    def __init__(self, reason: str, status: int) -> None:
        super().__init__(reason)
        self.refusal = Refusal(reason, status)


@dataclass(frozen=True, slots=True)
class Bodies:
    """How request bodies are taken: at most ``limit`` bytes, whole within ``seconds``."""

    limit: int
    seconds: float

    @asynccontextmanager
    async def taken(self, request: web.BaseRequest, turn: asyncio.Semaphore) -> AsyncIterator[bytes]:
        """The request's whole body, once it is its ``turn``, which lasts as long as it is worked on: a renderer must not fill
        the memory by many at once. NotTaken."""
        until = asyncio.get_running_loop().time() + self.seconds
        try:
            async with asyncio.timeout_at(until):
                await turn.acquire()
        except TimeoutError:
            raise NotTaken("the body did not come in time", 408) from None
        try:
            yield await self._read(request, until)
        finally:
            turn.release()

    async def _read(self, request: web.BaseRequest, until: float) -> bytes:
        data = bytearray()
        try:
            async with asyncio.timeout_at(until):
                async for chunk in request.content.iter_any():
                    data += chunk
                    if len(data) > self.limit:
                        raise NotTaken("the body is too long", 413)
        except TimeoutError:
            raise NotTaken("the body did not come in time", 408) from None
        return bytes(data)


def lower(request: web.BaseRequest) -> dict[str, str]:
    """The request's headers, their names in lower case."""
    return {name.lower(): value for name, value in request.headers.items()}


async def stream(request: web.BaseRequest, upstream: ClientResponse, response: web.StreamResponse, take: Callable[[bytes], None]) -> bool:
    """Passes a body on as it comes, and lets ``take`` see it; whether it went through to the end.

    A body that breaks off upstream breaks off here too: never a short file that looks whole.
    """
    transport = request.transport
    try:
        await response.prepare(request)
        async for chunk in upstream.content.iter_any():
            take(chunk)
            await response.write(chunk)
        await response.write_eof()
        return True
    except BaseException as error:
        if transport:  # pragma: no branch  (None only where the renderer left in the very moment before)
            transport.abort()
        if not isinstance(error, ConnectionError):  # that is one of the two ends gone: nobody is there to tell
            raise
        return False


def text(status: int, reason: str) -> web.Response:
    """A refusal or failure, in words; the connection ends with it."""
    response = web.Response(status=status, text=reason)
    response.force_close()
    return response


def xml(data: bytes, keep: float = 0.0) -> web.Response:
    """Plex's XML. ``keep``: seconds for which the renderer may give this answer to itself again (see ``Gateway.word``)."""
    headers = {"Content-Type": XML}
    if keep > 0:
        headers[KEEP_HEADER] = f"{keep:.0f}"
    return web.Response(body=data, headers=headers)
