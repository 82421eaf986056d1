"""Strangers: half a request holds nothing for long, and what is no HTTP is one line in the log, not a traceback, or anybody
could fill the disk with them.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any, Final

from aiohttp import hdrs, http_exceptions, web

IDLE: Final = 75.0
"""Seconds for a request's head to come whole, and between two requests of a connection. aiohttp's own is an hour."""

PATIENCE: Final = 20.0
"""Seconds for a request's body to come whole: it is small, and whoever sends it has it."""

LINGER: Final = 10.0
"""Seconds for which what comes after an early answer is read past, so that the answer is not lost with the connection."""


@contextlib.asynccontextmanager
async def body_within(request: web.Request, seconds: float) -> AsyncIterator[None]:
    """HTTPRequestTimeout where the request's body is not there after so long. What is done with it then may take its time."""
    if request.method in (hdrs.METH_GET, hdrs.METH_HEAD):  # nobody reads a body of theirs, and event streams have no end
        yield
        return
    try:
        async with asyncio.timeout(seconds) as limit:

            def whole() -> None:
                with contextlib.suppress(RuntimeError):  # the end came while, or after, the limit struck
                    limit.reschedule(None)

            request.content.on_eof(whole)
            yield
    except TimeoutError:
        if limit.expired():
            raise web.HTTPRequestTimeout from None
        raise


def make_runner(app: web.Application, *, idle: float = IDLE) -> web.AppRunner:
    """What runs the application; connections that send nothing, or half a request, are ended after ``idle`` seconds."""
    linger = min(idle, LINGER)
    return web.AppRunner(app, access_log=None, logger=ServerLog(), shutdown_timeout=2.0, keepalive_timeout=idle, lingering_time=linger)


class ServerLog(logging.LoggerAdapter[logging.Logger]):
    """The server's own log. Failures of handlers never get here: the application answers them."""

    def __init__(self) -> None:
        super().__init__(logging.getLogger("sidecar.web.server"), {})

    def exception(self, msg: object, *args: object, exc_info: Any = True, **more: Any) -> None:
        if isinstance(exc_info, http_exceptions.HttpProcessingError | web.RequestPayloadError):
            self.info("%s: what came is no sound HTTP", str(msg) % args if args else msg)
        else:
            super().exception(msg, *args, exc_info=exc_info, **more)
