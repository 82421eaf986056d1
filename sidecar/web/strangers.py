"""What strangers send that is no HTTP is one line in the log, not a traceback: else anybody could fill the disk with them."""

from __future__ import annotations

import logging
from typing import Any, Final

from aiohttp import http_exceptions, web

IDLE: Final = 75.0
"""Seconds for a request's head to come whole, and between two requests of a connection. aiohttp's own is an hour."""


def make_runner(app: web.Application, *, idle: float = IDLE) -> web.AppRunner:
    """What runs the application; connections that send nothing, or half a request, are ended after ``idle`` seconds."""
    return web.AppRunner(app, access_log=None, logger=ServerLog(), shutdown_timeout=2.0, keepalive_timeout=idle)


class ServerLog(logging.LoggerAdapter[logging.Logger]):
    """The server's own log. Failures of handlers never get here: the application answers them."""

    def __init__(self) -> None:
        super().__init__(logging.getLogger("sidecar.web.server"), {})

    def exception(self, msg: object, *args: object, exc_info: Any = True, **more: Any) -> None:
        if isinstance(exc_info, http_exceptions.HttpProcessingError | web.RequestPayloadError):
            self.info("%s: what came is no sound HTTP", str(msg) % args if args else msg)
        else:
            super().exception(msg, *args, exc_info=exc_info, **more)
