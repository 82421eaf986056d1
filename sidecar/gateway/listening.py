"""The gateway's listeners: how many connections at a time, and for how long one may leave what it was answered."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.web_protocol import RequestHandler


class Server(web.Server):
    """Takes ``most`` connections at a time; one more is closed at once, so that files and memory do not run out."""

    def __init__(
        self, handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]], *, most: int, patience: float, **options: Any
    ) -> None:
        super().__init__(handler, **options)
        self._most = most
        self._patience = patience
        self._options = options

    def __call__(self) -> RequestHandler:
        return _Connection(self, self._patience, self._options)

    def connection_made(self, handler: RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        if len(self.connections) > self._most:
            transport.abort()


class _Connection(RequestHandler):
    """Ends where its renderer does not take what it was answered: it would hold its place, and what it asked for, for ever."""

    __slots__ = ("_giving_up", "_made", "_patience")

    def __init__(self, manager: web.Server, patience: float, options: Mapping[str, Any]) -> None:
        super().__init__(manager, loop=asyncio.get_running_loop(), **options)
        self._patience = patience
        self._giving_up: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        assert isinstance(transport, asyncio.Transport)
        self._made = transport
        transport.set_write_buffer_limits(high=0)  # so that ``pause_writing`` tells of every byte that is not taken

    def pause_writing(self) -> None:
        super().pause_writing()
        self._giving_up = asyncio.get_running_loop().call_later(self._patience, self._made.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._wait_no_more()

    def connection_lost(self, exc: BaseException | None) -> None:
        super().connection_lost(exc)
        self._wait_no_more()

    async def shutdown(self, timeout: float | None = 15.0) -> None:  # noqa: ASYNC109 its parent's
        await super().shutdown(timeout)
        self._made.abort()  # what is not taken by now never is

    def _wait_no_more(self) -> None:
        if self._giving_up is not None:
            self._giving_up.cancel()
            self._giving_up = None


class Log(logging.LoggerAdapter[logging.Logger]):
    """aiohttp tells of a malformed request with its first lines, grant and all. Kept is only that there was one."""

    def log(self, level: int, msg: object, *args: object, **kwargs: Any) -> None:
        """As a logger's, but for malformed requests."""
        if isinstance(kwargs.get("exc_info"), HttpProcessingError):
            self.logger.info("a malformed request was refused")
        else:
            super().log(level, msg, *args, **kwargs)
