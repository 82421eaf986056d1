"""A run's log as the engine told it: one JSON line each in ``DATA/logs/RUN.jsonl``, written when the run ends."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sidecar.model import LogLine

log = logging.getLogger(__name__)

MOST: Final = 20_000
"""Lines kept; Kometa writes about 3,000 for 150 overlay definitions."""


class RunLog:
    """Collects in memory, so that a burst of lines never waits for the disk."""

    def __init__(self, path: Path, redact: Callable[[str], str]) -> None:
        self._path = path
        self._redact = redact
        self._lines: list[LogLine] = []
        self._dropped = 0

    def write(self, line: LogLine) -> None:
        if len(self._lines) < MOST:
            self._lines.append(line)
        else:
            self._dropped += 1

    async def save(self) -> None:
        """Write it. A disk that refuses costs the log, not the run."""
        if self._dropped:
            self._lines.append(LogLine(level="WARNING", text=f"{self._dropped} further lines were not kept"))
        try:
            await asyncio.to_thread(self._save)
        except OSError as error:
            log.warning("the log %s could not be written: %s", self._path, error)

    def _save(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("w", encoding="utf-8") as file:
            for line in self._lines:
                text = json.dumps(
                    {"level": line.level, "shard": line.shard, "source": line.source, "text": self._redact(line.text)},
                    ensure_ascii=False,
                )
                file.write(text.encode("utf-8", "replace").decode() + "\n")
