"""HTTP as the gateway's listeners speak it: bodies in, answers out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from aiohttp import ClientResponse, web

from renderer.protocol import KEEP_HEADER

XML: Final = "application/xml"


class TooLong(Exception):
    """A request body over the limit."""


def lower(request: web.BaseRequest) -> dict[str, str]:
    """The request's headers, their names in lower case."""
    return {name.lower(): value for name, value in request.headers.items()}


async def body(request: web.BaseRequest, limit: int) -> bytes:
    """The request's whole body. TooLong past ``limit`` bytes."""
    data = bytearray()
    async for chunk in request.content.iter_any():
        data += chunk
        if len(data) > limit:
            raise TooLong
    return bytes(data)


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
        if not isinstance(error, ConnectionResetError):  # that is one of the two ends gone: nobody is there to tell
            raise
        return False


def text(status: int, reason: str) -> web.Response:
    """A refusal or failure, in words; the connection ends with it."""
    response = web.Response(status=status, text=reason)
    response.force_close()
    return response


def xml(data: bytes, keep: float = 0.0) -> web.Response:
    """Plex's XML. ``keep``: seconds for which the renderer may give this answer to itself again (see ``Gateway.word``)."""
    response = web.Response(body=data, content_type=XML, charset="utf-8")
    if keep > 0:
        response.headers[KEEP_HEADER] = f"{keep:.0f}"
    return response
