"""Whether what a Plex server answered earlier still holds: its notifications, or its libraries' time stamps, tell.

A server's answers are kept under its *epoch*, a random word that is replaced at every change: what was kept before is
then never asked for again. Nothing is kept or recalled while nobody vouches for the epoch.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import logging
import os
import secrets
import time
from pathlib import Path
from typing import Final

import aiohttp

from sidecar.errors import PlexAway, PlexError
from sidecar.gateway.canonical import Canonical
from sidecar.gateway.fresh import fingerprint, tells_of_change
from sidecar.gateway.plex import PlexClient
from sidecar.gateway.scope import Garbled

log = logging.getLogger(__name__)

VOUCHED: Final = 120.0
"""Seconds for which one look at the time stamps vouches, where no notifications come."""
POLL: Final = 5.0
"""Seconds between two such looks at most."""
RETRY: Final = (1.0, 60.0)
"""Seconds until the notifications are asked for again: at first, and at most."""

_SECTIONS: Final = Canonical("GET", ("library", "sections"))


class Freshness:
    """One server's epoch. ``file`` keeps it over restarts."""

    def __init__(self, client: PlexClient, file: Path) -> None:
        self._client = client
        self._file = file
        self._print = ""
        self._looked = -VOUCHED
        self._lock = asyncio.Lock()
        self._epoch = ""
        self.watched = False
        """Whether the server's notifications are heard."""
        self.since = 0.0
        """If so: since when without a gap, in seconds since the epoch. What is older was vouched for by time stamps alone."""

    @property
    def epoch(self) -> str | None:
        """The word under which answers are kept now; None while nobody can vouch that they still hold."""
        vouched = self.watched or time.monotonic() - self._looked <= VOUCHED
        return self._epoch if vouched and self._epoch else None

    async def check(self) -> None:
        """Makes the epoch one to rely on, unless it is: one read of /library/sections. Where that fails, nobody vouches."""
        async with self._lock:
            if (not self.watched and time.monotonic() - self._looked > POLL) or not self._print:
                await self._look()

    async def _look(self) -> None:
        if not self._epoch:
            self._epoch, self._print = await asyncio.to_thread(_load, self._file)
        begun = time.monotonic()
        try:
            now = fingerprint(await self._client.read(_SECTIONS, {}))
        except (PlexError, Garbled) as error:
            self._looked = -VOUCHED
            log.debug("the libraries of Plex server %s cannot be looked at: %s", self._client.server.name, error)
            return
        if now != self._print:
            if not self.watched:  # else the notification of the change has done it
                self._epoch = secrets.token_hex(8)
            self._print, saved = now, self._epoch
            await asyncio.to_thread(_save, self._file, saved, now)
            if self._epoch != saved:  # a change was heard meanwhile, and its forgetting may have come before the saving
                self._print = ""
                await asyncio.to_thread(_forget, self._file)
        self._looked = begun

    async def watch(self) -> None:
        """Listens to the server's notifications, until cancelled."""
        pause = RETRY[0]
        while True:
            try:
                async with self._client.notifications() as told:
                    async with self._lock:
                        self.since = time.time()
                        await self._look()  # what changed while nobody listened
                        self.watched = self._looked >= 0
                    if not self.watched:
                        raise PlexAway("Plex tells of changes, but does not answer")
                    pause = RETRY[0]
                    await self._hear(told)
            except (PlexError, aiohttp.ClientError, TimeoutError, OSError) as error:
                log.debug("no notifications of Plex server %s: %s", self._client.server.name, type(error).__name__)
            finally:
                if self.watched:  # from here on nobody tells of changes
                    self.watched = False
                    self._looked = -VOUCHED
            await asyncio.sleep(pause)
            pause = min(pause * 2, RETRY[1])

    async def _hear(self, told: aiohttp.ClientWebSocketResponse) -> None:
        playing: dict[str, str] = {}
        async for message in told:
            if message.type is aiohttp.WSMsgType.TEXT and tells_of_change(message.data, playing):
                self._epoch = secrets.token_hex(8)  # before anything is waited for
                if self._print:  # the stamps on disk no longer belong to what is kept from here on
                    self._print = ""
                    await asyncio.to_thread(_forget, self._file)


def place(directory: Path, client: PlexClient) -> Path:
    """The file of a server's epoch: by its address, so that another server under the same name has another one."""
    return directory / f"{hashlib.sha256(client.server.url.encode()).hexdigest()[:24]}.json"


def _load(file: Path) -> tuple[str, str]:
    try:
        data = json.loads(file.read_bytes())
        return str(data["epoch"]), str(data["print"])
    except (OSError, ValueError, KeyError, TypeError):
        return "", ""


def _save(file: Path, epoch: str, seen: str) -> None:
    beside = file.with_name(f".{file.name}.{secrets.token_hex(4)}")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        beside.write_text(json.dumps({"epoch": epoch, "print": seen}), encoding="utf-8")
        os.replace(beside, file)  # noqa: PTH105 Path.replace is the same; the name says that it is atomic
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        log.warning("the state of the Plex cache could not be kept: %s", error.strerror or error)


def _forget(file: Path) -> None:
    with contextlib.suppress(OSError):
        file.unlink(missing_ok=True)
