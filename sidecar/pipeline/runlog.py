"""Runs' logs as the engine told them: in memory while a run goes on, one JSON line each in ``DATA/logs/RUN.jsonl`` after it."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from sidecar.model import LogLine

log = logging.getLogger(__name__)

MOST: Final = 20_000
"""Lines kept; Kometa writes about 3,000 for 150 overlay definitions."""

Numbered = tuple[int, LogLine]
"""A line and its number, counted from 1."""


class RunLog:
    """One run's. Collects in memory, so that a burst of lines never waits for the disk."""

    def __init__(self, path: Path, redact: Callable[[str], str], *, on_saved: Callable[[], None] = lambda: None) -> None:
        self._path = path
        self._redact = redact
        self._on_saved = on_saved
        self._dropped = 0
        self.lines: list[LogLine] = []
        self.grown = asyncio.Event()
        """Set when there is more, or nothing more will come; who waits clears it before looking."""
        self.ended = False

    def write(self, line: LogLine) -> None:
        if len(self.lines) < MOST:
            self.lines.append(line)
        else:
            self._dropped += 1
        self._wake()

    async def save(self) -> None:
        """Write it. A disk that refuses costs the log, not the run."""
        if self._dropped:
            self.lines.append(LogLine(level="WARNING", text=f"{self._dropped} further lines were not kept"))
        try:
            await asyncio.to_thread(self._save)
        except OSError as error:
            log.warning("the log %s could not be written: %s", self._path, error)
        finally:
            self._on_saved()
            self.ended = True
            self._wake()

    def _wake(self) -> None:
        # A new one each time: nobody who waits for this one can miss the next.
        self.grown.set()
        self.grown = asyncio.Event()

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("w", encoding="utf-8") as file:
            for line in self.lines:
                text = json.dumps(
                    {"level": line.level, "shard": line.shard, "source": line.source, "text": self._redact(line.text)},
                    ensure_ascii=False,
                )
                file.write(text.encode("utf-8", "replace").decode() + "\n")


class RunLogs:
    """All runs' logs: the ones being written, and the files in ``folder``."""

    def __init__(self, folder: Path, redact: Callable[[str], str]) -> None:
        self._folder = folder
        self._redact = redact
        self._open: dict[str, RunLog] = {}

    def open(self, run_id: str) -> RunLog:
        """The log of a run that begins; ends with ``save``."""
        path = self._folder / f"{run_id}.jsonl"
        self._open[run_id] = RunLog(path, self._redact, on_saved=lambda: self._close(run_id))
        return self._open[run_id]

    async def read(self, run_id: str, *, after: int, limit: int, wanted: Callable[[LogLine], bool]) -> tuple[list[Numbered], int, bool]:
        """At most ``limit`` lines that are ``wanted``, of those after number ``after``; the number of the last line that was
        looked at; and whether more may be written.

        Texts may hold what was no known secret when they were written: redact them again. ``run_id`` must be a plain
        name. OSError where the disk fails; a run without a log has no lines.
        """
        running = self._open.get(run_id)
        if running is not None:
            lines = running.lines[after:]
            return *await asyncio.to_thread(_chosen, enumerate(lines, after + 1), after, limit, wanted), True
        return *await asyncio.to_thread(self._read, run_id, after, limit, wanted), False

    async def grown(self, run_id: str, after: int) -> None:
        """Returns once a line after number ``after`` is there, or none will come any more."""
        running = self._open.get(run_id)
        while running is not None and len(running.lines) <= after and not running.ended:
            await running.grown.wait()

    def _close(self, run_id: str) -> None:
        self._open.pop(run_id, None)

    def _read(self, run_id: str, after: int, limit: int, wanted: Callable[[LogLine], bool]) -> tuple[list[Numbered], int]:
        try:
            with (self._folder / f"{run_id}.jsonl").open("rb") as file:
                return _chosen(_parsed(islice(enumerate(file, 1), after, None)), after, limit, wanted)
        except FileNotFoundError:
            return [], after


def _chosen(lines: Iterable[Numbered], seen: int, limit: int, wanted: Callable[[LogLine], bool]) -> tuple[list[Numbered], int]:
    found: list[Numbered] = []
    for number, line in lines:
        seen = number
        if wanted(line):
            found.append((number, line))
            if len(found) == limit:
                break
    return found, seen


def _parsed(lines: Iterable[tuple[int, bytes]]) -> Iterator[Numbered]:
    """A line that cannot be read (a disk that was full) is passed over."""
    for number, raw in lines:
        try:
            data = json.loads(raw)
            yield number, LogLine(level=str(data["level"]), text=str(data["text"]), shard=int(data["shard"]), source=str(data["source"]))
        except (ValueError, TypeError, KeyError):
            continue
