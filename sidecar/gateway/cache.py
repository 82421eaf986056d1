"""Answers on disk: pictures and pages by content, a small index file per question.

    DIR/content/ab/abcdef...    the body, by its sha256: equal bodies are kept once
    DIR/index/KEY.json          status, headers, body's hash, when stored

Files are written beside and renamed, so a kill -9 leaves whole files or none. Nothing here holds a secret: the callers
ask with a hash as key and give answers that were cleaned. Blocking: call it in a thread.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import secrets
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

_KEY: Final = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Entry:
    """One answer. ``headers`` are those that are passed on; ``stored``: when it was asked for, in seconds since the epoch (0: now)."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes
    stored: float = 0.0


@dataclass(slots=True)
class _Line:
    status: int
    headers: list[list[str]]
    sha256: str
    size: int
    stored: float


class DiskCache:
    """A bounded cache in a directory. Thread-safe. A damaged or missing file is a miss, never an error."""

    def __init__(self, directory: Path, *, max_bytes: int, max_lines: int = 50_000) -> None:
        self.place = directory
        self._content = directory / "content"
        self._index = directory / "index"
        self._max_bytes = max_bytes
        self._max_lines = max_lines
        self._lines: dict[str, _Line] = {}
        self._used: dict[str, float] = {}
        self._holders: Counter[str] = Counter()
        self._weights: dict[str, int] = {}
        self._size = 0
        self.lost = 0
        """Answers that went because there were too many, since the start."""
        self._lock = threading.Lock()

    def open(self) -> None:
        """Reads the index; leftovers of an interrupted write go. OSError where the directory cannot be made."""
        with self._lock:
            self._content.mkdir(parents=True, exist_ok=True)
            self._index.mkdir(parents=True, exist_ok=True)
            self._lines.clear()
            self._used.clear()
            self._holders.clear()
            self._weights.clear()
            self._size = 0
            for path in self._index.iterdir():
                found = _read_line(path) if path.suffix == ".json" and _KEY.fullmatch(path.stem) else None
                if found is None:
                    path.unlink(missing_ok=True)
                else:
                    line, weight = found
                    self._hold(path.stem, line, weight)
                    self._used[path.stem] = line.stored
            for path in self._content.glob("*/*"):
                if path.name not in self._holders:
                    path.unlink(missing_ok=True)
            self._evict()

    def get(self, key: str, max_age: float | None) -> Entry | None:
        """The answer under ``key`` if it is at most ``max_age`` seconds old (None: however old)."""
        with self._lock:
            line = self._lines.get(key)
            if line is None or (max_age is not None and not 0 <= time.time() - line.stored <= max_age):
                return None
            try:
                body = self._place(line.sha256).read_bytes()
            except OSError:
                body = b""
            if hashlib.sha256(body).hexdigest() != line.sha256:
                self._forget(key)
                return None
            self._used[key] = time.time()
            return Entry(line.status, tuple((name, value) for name, value in line.headers), body, line.stored)

    def put(self, key: str, entry: Entry) -> None:
        """Keeps an answer; the least recently used go where it gets too much. OSError where the disk does not take it."""
        digest = hashlib.sha256(entry.body).hexdigest()
        now = time.time()
        line = _Line(entry.status, [list(pair) for pair in entry.headers], digest, len(entry.body), entry.stored or now)
        said = json.dumps(asdict(line)).encode()
        if line.size + len(said) > self._max_bytes:
            return
        with self._lock:
            place = self._place(digest)
            if not place.exists():
                place.parent.mkdir(parents=True, exist_ok=True)
                _write(place, entry.body)
            _write(self._index / f"{key}.json", said)
            before = self._lines.get(key)
            self._hold(key, line, len(said))
            self._used[key] = now
            if before:
                self._drop(before)
            self._evict()

    def forget(self, key: str) -> None:
        """Forgets the answer under ``key``, if there is one."""
        with self._lock:
            if key in self._lines:
                self._forget(key)

    def prune(self, unused: float) -> tuple[int, int]:
        """Forgets what was neither stored nor used for ``unused`` seconds; returns how many answers, and bytes."""
        before = time.time() - unused
        with self._lock:
            size, old = self._size, [key for key, used in self._used.items() if used < before]
            for key in old:
                self._forget(key)
            return len(old), size - self._size

    @property
    def size(self) -> int:
        """Bytes of content, equal bodies counted once, and of the index."""
        return self._size

    def __contains__(self, key: str) -> bool:
        return key in self._lines

    def __len__(self) -> int:
        return len(self._lines)

    def _place(self, digest: str) -> Path:
        return self._content / digest[:2] / digest

    def _evict(self) -> None:
        """The least recently used go, to nine tenths of the bound: not one by one from then on."""
        if self._size <= self._max_bytes and len(self._lines) <= self._max_lines:
            return
        newest_first = sorted(self._lines, key=lambda known: self._used[known], reverse=True)
        while self._size > self._max_bytes * 0.9 or len(self._lines) > self._max_lines * 0.9:
            self._forget(newest_first.pop())
            self.lost += 1

    def _hold(self, key: str, line: _Line, weight: int) -> None:
        self._size += weight - self._weights.get(key, 0)
        self._weights[key] = weight
        self._lines[key] = line
        self._holders[line.sha256] += 1
        if self._holders[line.sha256] == 1:
            self._size += line.size

    def _forget(self, key: str) -> None:
        line = self._lines.pop(key)
        self._used.pop(key)
        self._size -= self._weights.pop(key)
        with contextlib.suppress(OSError):  # a file that cannot go now goes at the next open
            (self._index / f"{key}.json").unlink(missing_ok=True)
        self._drop(line)

    def _drop(self, line: _Line) -> None:
        """One answer less has this body; without any, it goes."""
        self._holders[line.sha256] -= 1
        if self._holders[line.sha256] == 0:
            del self._holders[line.sha256]
            self._size -= line.size
            with contextlib.suppress(OSError):
                self._place(line.sha256).unlink(missing_ok=True)


def _read_line(path: Path) -> tuple[_Line, int] | None:
    """A line of the index, and its own size in bytes."""
    try:
        said = path.read_bytes()
        data = json.loads(said)
        line = _Line(
            int(data["status"]),
            [[str(n), str(v)] for n, v in data["headers"]],
            str(data["sha256"]),
            int(data["size"]),
            float(data["stored"]),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return (line, len(said)) if _KEY.fullmatch(line.sha256) else None


def _write(place: Path, data: bytes) -> None:
    beside = place.with_name(f".{place.name}.{secrets.token_hex(4)}")
    try:
        beside.write_bytes(data)
        os.replace(beside, place)  # noqa: PTH105 Path.replace is the same; the name says that it is atomic
    except OSError:
        beside.unlink(missing_ok=True)
        raise
