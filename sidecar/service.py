"""The daemon as a service: signals, systemd's words, settings read anew, and an end within bounds.

SIGTERM, SIGINT   end cleanly: a render in progress is cancelled, its worker ended
SIGHUP            read the settings anew; wrong ones are told and the daemon goes on with the old
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

from sidecar.app import App
from sidecar.errors import InputError, SidecarError
from sidecar.memory import one_heap
from sidecar.sdnotify import Systemd
from sidecar.settings import Settings
from sidecar.tasks import Tasks

log = logging.getLogger(__name__)

END_WITHIN: Final = 9.0
"""Seconds for a clean end. What is not done by then survives a kill: the kernel ends the worker with us, the state is whole."""

Hear = Callable[[str, Mapping[str, Any]], None]
Read = Callable[[], Settings]
"""Reads the settings, as at the start. InputError where they are wrong."""
Build = Callable[[Settings, Hear], App]


class Service:
    """Runs one daemon until it is told to stop. ``build`` is called again for settings that changed."""

    def __init__(
        self, read: Read, build: Build, *, systemd: Systemd, say: Callable[[str], None], ending: Callable[[], None] = lambda: None
    ) -> None:
        """``ending`` is called when the daemon is told to stop, whatever it is doing; see :func:`end_within`."""
        self._read = read
        self._build = build
        self._systemd = systemd
        self._say = say
        self._ending = ending
        self._tasks = Tasks()
        self._health: dict[str, str] = {}

    async def run(self) -> None:
        """SidecarError where the daemon cannot start."""
        one_heap()
        settings = await asyncio.to_thread(self._read)
        async with signals(self._ending, reload=True) as heard:
            feeding = self._tasks.spawn(self._systemd.keep_alive(), "watchdog")
            try:
                fresh: Settings | None = settings
                while fresh is not None:
                    fresh, settings = await self._round(fresh, settings, heard)
            finally:
                feeding.cancel()

    async def _round(self, fresh: Settings, known: Settings, heard: asyncio.Queue[int]) -> tuple[Settings | None, Settings]:
        """Serve with ``fresh``; where that cannot start, with ``known``. Returns the next settings (None: stop), and those that served."""
        self._health.clear()
        started = False
        try:
            async with self._build(fresh, self._hear) as app:
                started = True
                self._say(f"gallery: {app.url}")
                log.info("the gallery is at %s", app.url)
                self._systemd.ready(f"watching; gallery at {app.url}")
                following = await self._serve(app, fresh, heard)
            return following, fresh
        except Exception as error:  # whatever new settings lead to, a daemon with the old ones is better than none
            if started or fresh is known:
                raise
            log.error(
                "the daemon cannot start with the new settings, and goes on with the old: %s",
                error,
                exc_info=None if isinstance(error, SidecarError) else error,
            )
            return known, known

    async def _serve(self, app: App, settings: Settings, heard: asyncio.Queue[int]) -> Settings | None:
        """Until told to stop (None), or until SIGHUP brings other settings."""
        leave = asyncio.Event()
        serving = self._tasks.spawn(app.serve(leave), "serve")
        following: Settings | None = None
        told = False
        try:
            while not serving.done():
                signalled = self._tasks.spawn(heard.get(), "signals")
                await asyncio.wait({serving, signalled}, return_when=asyncio.FIRST_COMPLETED)
                if not signalled.done():
                    signalled.cancel()
                elif signalled.result() != signal.SIGHUP:
                    told = True
                    log.info("stopping")
                    self._systemd.stopping()
                    break
                elif (other := await self._reload(settings, app.url)) is not None:
                    following = other
                    break
        finally:
            leave.set()
        await serving
        if not told and following is None:  # an exit status that has systemd start it anew
            raise SidecarError("the daemon's work ended by itself; its log says why")
        return following

    async def _reload(self, settings: Settings, url: str) -> Settings | None:
        """The settings as they are now, where they are sound and others than ``settings``."""
        self._systemd.reloading()
        try:
            other = await asyncio.to_thread(self._read)
        except InputError as error:
            for problem in error.problems:
                place = f"{problem.place}: " if problem.place else ""
                log.error("the new settings are wrong, and the old stay: %s%s. %s", place, problem.what, problem.mend)
            self._systemd.ready("the new settings are wrong, and the old stay: see the log")
            return None
        if other == settings:
            log.info("the settings are as they were")
            self._systemd.ready(f"watching; gallery at {url}")
            return None
        log.info("the settings changed: starting anew with them")
        return other

    def _hear(self, kind: str, data: Mapping[str, Any]) -> None:
        """An event of the daemon, as ``systemctl status`` may say it."""
        if kind == "run.started":
            self._systemd.status(f"rendering {data['targets']} items")
        elif kind == "health":
            self._health[data["part"]] = "" if data["ok"] else str(data["detail"])
        if kind == "run.ended" or (kind == "health" and not data["ok"]):
            away = [f"{part}: {detail}" for part, detail in self._health.items() if detail]
            last = f"last render {data['state']}, {len(data['changed'])} pictures changed" if kind == "run.ended" else ""
            self._systemd.status("; ".join([*away, *([last] if last else [])]))


@contextlib.asynccontextmanager
async def signals(ending: Callable[[], None], *, reload: bool = False) -> AsyncIterator[asyncio.Queue[int]]:
    """SIGINT and SIGTERM as they come; with ``reload`` SIGHUP too, but for a terminal's, whose end it tells.

    ``ending`` is called at the first of the others.
    """
    heard: asyncio.Queue[int] = asyncio.Queue()
    loop = asyncio.get_running_loop()
    told = False

    def hear(number: int) -> None:
        nonlocal told
        if number != signal.SIGHUP and not told:
            told = True
            ending()
        heard.put_nowait(number)

    taken = [signal.SIGINT, signal.SIGTERM]
    if reload and not os.isatty(0):
        taken.append(signal.SIGHUP)
    for number in taken:
        loop.add_signal_handler(number, hear, number)
    try:
        yield heard
    finally:
        for number in taken:
            loop.remove_signal_handler(number)


def end_within(seconds: float = END_WITHIN) -> None:
    """From now on this process has so long to end; then it is ended, by a thread, as the loop itself may hang.

    Never taken back: Python's own end waits for every thread, and one may look at a network share that is gone.
    """
    timer = threading.Timer(seconds, _end)
    timer.daemon = True
    timer.start()


def _end() -> None:
    log.error("not everything ended within %.0f s: leaving the rest to the kernel", END_WITHIN)
    os._exit(1)
