"""The watcher: events and scans in, ``Change`` out.

The event loop's side of it. ``settle`` decides when, ``scan`` says what, ``observer`` brings the kernel's events.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path, PurePosixPath
from typing import Final, Literal

from sidecar.model import Change, Problem, Severity
from sidecar.watch.mounts import Mount, fstype_of, needs_polling, read_mounts
from sidecar.watch.observer import Lookout, Touch, WatchLimit
from sidecar.watch.scan import MOST, Interest, Scan, scan, signature_of
from sidecar.watch.settle import EDIT, Look, Settle, Settled, Signature, Timing

_log = logging.getLogger(__name__)

Mode = Literal["auto", "native", "polling"]

_SLACK_NS: Final = 20_000_000
"""The kernel stamps files with a clock that may be a tick or two behind."""


class Watcher:
    """``async for change in watcher.changes()``: first one with reason ``start``, then one per edit that came to rest."""

    def __init__(
        self,
        config_dir: Path,
        *,
        mode: Mode = "auto",
        timing: Timing | None = None,
        rescan: float = 60.0,
        poll_interval: float = 1.0,
        most: int = MOST,
        mounts: Callable[[], tuple[Mount, ...]] = read_mounts,
    ) -> None:
        """``rescan`` and ``poll_interval`` are seconds between looks at all files (native, polling); ``most`` is a number of files.

        ``auto`` takes the kernel's events, and where a watched path lies on a network file system it also polls.
        """
        self.config_dir = config_dir
        self._mode: Mode = mode
        self._rescan = rescan
        self._poll_interval = min(poll_interval, rescan)
        self._most = most
        self._mounts = mounts
        self._settle = Settle(timing)
        self._lookout = Lookout(self._tell)
        self._interest = Interest()
        self._follow: frozenset[Path] = frozenset()
        self._followed_anew = False
        self._sweep = False
        self._links = False
        self._remote = ""
        self._limit = ""
        self._cut = False
        self._retry = 0.0
        self._scan_seconds = 0.0
        self._announced_ns = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wake = asyncio.Event()
        self._stopped = False

    @property
    def polling(self) -> bool:
        """Are all files looked at every ``poll_interval`` seconds?"""
        return self._mode == "polling" or bool(self._limit) or (self._mode == "auto" and bool(self._remote))

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What keeps the watcher from its best, now."""
        found = []
        if self._limit:
            found.append(
                Problem(
                    severity=Severity.WARNING,
                    what=f"no more file watches ({self._limit}): files are looked at every {self._poll_interval:g} s instead",
                    mend="raise fs.inotify.max_user_watches and fs.inotify.max_user_instances with sysctl (on the host of a container)",
                    source="watch",
                )
            )
        if self._cut:
            found.append(
                Problem(
                    severity=Severity.WARNING,
                    what=f"there are more than {self._most} files in {self.config_dir}: those deepest down are not all looked at",
                    mend="move what is no Kometa input out of the directory; files that config.yml names are always watched",
                    source="watch",
                )
            )
        return tuple(found)

    def follow(self, paths: Iterable[Path]) -> None:
        """Watch these files and directories too, there or not, in place of those followed before. Call on the loop."""
        wanted = frozenset(paths)
        if wanted != self._follow:
            self._follow = wanted
            self._followed_anew = True
            self._wake.set()

    def poke(self, reason: str = "request") -> None:
        """Have a Change soon, even where no file changed, but not while files are in motion. Call on the loop."""
        self._settle.ask(reason, time.monotonic())
        self._wake.set()

    async def stop(self) -> None:
        """End ``changes()`` and the threads. Safe to call twice, or before ``changes()``."""
        self._stopped = True
        self._wake.set()
        await asyncio.to_thread(self._lookout.stop)

    async def changes(self) -> AsyncIterator[Change]:
        """Every time the files came to rest in a new state. Once only; ends with :meth:`stop`."""
        if self._loop is not None:
            raise RuntimeError("changes() was begun before")
        self._loop = asyncio.get_running_loop()
        try:
            self._settle.ask("start", time.monotonic())
            self._settle.accept((await self._survey()).files)
            next_scan = time.monotonic() + self._interval
            while not self._stopped:
                if self._followed_anew:
                    await self._follow_anew()
                now = time.monotonic()
                if self._settle.wake is not None and now >= self._settle.wake:
                    if (settled := await self._look(now)) is not None:
                        yield self._change(settled)
                elif now >= next_scan:
                    await self._scan_all()
                    next_scan = time.monotonic() + self._interval
                else:
                    await self._rest(min(next_scan, self._settle.wake or next_scan) - now)
        finally:
            self._stopped = True
            await asyncio.to_thread(self._lookout.stop)

    @property
    def _interval(self) -> float:
        """Between scans; slow disks are not scanned all the time."""
        return max(self._poll_interval, min(self._rescan, 10 * self._scan_seconds)) if self.polling else self._rescan

    async def _rest(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(max(seconds, 0.0)):
                await self._wake.wait()
        except TimeoutError:
            return
        self._wake.clear()

    def _change(self, settled: Settled) -> Change:
        paths = tuple(self._as_named(path) for path in settled.paths)
        _log.debug("%s: %s", settled.reason, ", ".join(map(str, paths[:5])) or "no file changed")
        return Change(reason=settled.reason, paths=paths, seen=settled.first)

    def _as_named(self, path: Path) -> Path:
        """The path as the user knows it: the config directory may be a link."""
        root = self._interest.config
        return self.config_dir / path.relative_to(root) if path.is_relative_to(root) else path

    # ── looking ──────────────────────────────────────────────────────────────────────────────────────────

    async def _survey(self) -> Scan:
        """Scan, and watch what the scan found."""
        begun = time.monotonic()
        found = await asyncio.to_thread(self._survey_now, self._follow)
        self._scan_seconds = time.monotonic() - begun
        self._links, self._cut = found.links, found.cut
        return found

    def _survey_now(self, follow: frozenset[Path]) -> Scan:
        found = scan(self.config_dir, follow, most=self._most)
        while self._watch(found):  # what changed before the watch began shows in one more scan
            found = scan(self.config_dir, follow, most=self._most)
        return found

    def _watch(self, found: Scan) -> bool:
        self._interest = interest = found.interest
        mounts = self._mounts()
        kinds = {fstype_of(PurePosixPath(path), mounts) for path in interest.trees | interest.spots}
        self._remote = next((kind for kind in sorted(kinds) if needs_polling(kind)), "")
        if self._mode == "polling" or (self._limit and time.monotonic() < self._retry):
            return False
        try:
            begun = self._lookout.sync(interest.trees, interest.spots)
        except WatchLimit as error:
            if not self._limit:
                _log.warning("no more inotify watches (%s): polling", error)
            self._limit = str(error)
            self._retry = time.monotonic() + self._rescan
            return False
        self._limit = ""
        return begun

    async def _look(self, now: float) -> Settled | None:
        at_ns = time.time_ns()
        seen: Look
        if self._sweep or self._links:
            seen = await self._look_at_all()
        else:
            seen = await asyncio.to_thread(_signatures, self._settle.pending)
        settled = self._settle.look(seen, now)
        if not self._settle.pending:
            self._sweep = False
        if settled is not None:
            self._announced_ns = at_ns
        return settled

    async def _look_at_all(self) -> Look:
        pending = self._settle.pending
        found = await self._survey()
        others = (pending | self._settle.known.keys()) - found.files.keys()
        return {**await asyncio.to_thread(_signatures, others), **found.files}

    async def _scan_all(self) -> None:
        """Find what no event told of."""
        look = await self._look_at_all()
        now = time.monotonic()
        for path, signature in look.items():
            if signature != self._settle.known.get(path) and path not in self._settle.pending:
                self._settle.found(path, signature, now, EDIT if self.polling else "rescan")

    async def _follow_anew(self) -> None:
        """What is followed from now on counts as announced, unless it changed after the last announcement."""
        self._followed_anew = False
        known = self._settle.known
        found = await self._survey()
        now = time.monotonic()
        self._settle.forget([path for path in known if not self._interest.wants(path)])
        for path, signature in found.files.items():
            if path in known or path in self._settle.pending:
                continue
            if signature.ctime_ns > self._announced_ns - _SLACK_NS:
                self._settle.found(path, signature, now)
            else:
                self._settle.accept({path: signature})

    # ── events ───────────────────────────────────────────────────────────────────────────────────────────

    def _tell(self, touch: Touch) -> None:
        """Called in watchdog's thread."""
        loop = self._loop
        if loop is None or not self._interest.wants(touch.path):
            return
        try:
            loop.call_soon_threadsafe(self._touched, touch)
        except RuntimeError:  # the loop closed a moment ago: nobody listens any more
            return

    def _touched(self, touch: Touch) -> None:
        interest = self._interest
        inside = any(touch.path.is_relative_to(tree) for tree in interest.trees)
        if touch.directory or not inside:
            self._sweep = True
        # A known file that was renamed away is likely to be written anew in a moment: that is no end of a save.
        finished = touch.finished and not (touch.left and touch.path in self._settle.known)
        self._settle.touch(touch.path, time.monotonic(), finished=finished)
        self._wake.set()


def _signatures(paths: Iterable[Path]) -> dict[Path, Signature | None]:
    return {path: signature_of(path) for path in paths}
