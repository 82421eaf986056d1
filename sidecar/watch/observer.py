"""The kernel's events: the only module that knows watchdog. Threads on this side, plain calls on the other.

Needs Linux (inotify). Events of opening, reading and closing unwritten files are not even asked for.
"""

from __future__ import annotations

import errno
import logging
import os
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from watchdog.events import (
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
    FileClosedEvent,
    FileCreatedEvent,
    FileDeletedEvent,
    FileModifiedEvent,
    FileMovedEvent,
    FileSystemEvent,
    FileSystemEventHandler,
)
from watchdog.observers.api import ObservedWatch
from watchdog.observers.inotify import InotifyObserver

from sidecar.sight import is_symlink

_log = logging.getLogger(__name__)

_EVENTS: Final[list[type[FileSystemEvent]]] = [
    FileCreatedEvent,
    FileModifiedEvent,
    FileClosedEvent,
    FileMovedEvent,
    FileDeletedEvent,
    DirCreatedEvent,
    DirDeletedEvent,
    DirMovedEvent,
]

_LIMITS: Final = frozenset({errno.ENOSPC, errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""inotify_init(2), inotify_add_watch(2): too many watches, instances or open files."""


class WatchLimit(Exception):
    """The kernel gives no more inotify watches or instances; the text says which."""


@dataclass(frozen=True, slots=True)
class Touch:
    """Something happened to ``path``."""

    path: Path
    finished: bool
    """A save that closed the file, or a rename to this name."""
    directory: bool
    """A directory, or a link to something."""
    left: bool = False
    """A rename away from this name."""


@dataclass(frozen=True, slots=True)
class _Watched:
    watch: ObservedWatch
    identity: tuple[int, int]
    recursive: bool


class Lookout(FileSystemEventHandler):
    """Watches directories; ``tell`` is called in a thread of watchdog's for every event, and must not block."""

    def __init__(self, tell: Callable[[Touch], None]) -> None:
        self._tell = tell
        self._observer: InotifyObserver | None = None
        self._watched: dict[Path, _Watched] = {}
        self._lock = threading.Lock()
        self._closed = False

    def sync(self, trees: Iterable[Path], spots: Iterable[Path]) -> bool:
        """Watch exactly ``trees`` (with all below) and ``spots`` (alone), anew where one was replaced. Blocks.

        True where anything was begun to be watched: what happened there before is untold. WatchLimit stops it all.
        """
        with self._lock:
            if self._closed:
                return False
            try:
                return self._sync(dict.fromkeys(spots, False) | dict.fromkeys(trees, True))
            except OSError as error:
                if error.errno not in _LIMITS:
                    raise
                self._end()
                raise WatchLimit(error.strerror or str(error)) from error

    def stop(self) -> None:
        """For good. Safe to call twice. Blocks until the threads have ended."""
        with self._lock:
            self._closed = True
            self._end()

    def on_any_event(self, event: FileSystemEvent) -> None:
        """Watchdog's call."""
        source, goal = os.fsdecode(event.src_path), os.fsdecode(event.dest_path)
        if isinstance(event, FileMovedEvent | DirMovedEvent):
            if source:
                self._tell(Touch(Path(source), finished=True, directory=event.is_directory, left=True))
            if goal:
                self._tell(Touch(Path(goal), finished=True, directory=_is_directory(event, goal)))
        elif source:
            self._tell(Touch(Path(source), finished=isinstance(event, FileClosedEvent), directory=_is_directory(event, source)))

    def _sync(self, wanted: dict[Path, bool]) -> bool:
        if self._observer is None:
            self._observer = InotifyObserver(generate_full_events=True)
            self._observer.start()
        alive = {emitter.watch for emitter in self._observer.emitters if emitter.is_alive()}
        for path, watched in list(self._watched.items()):
            if wanted.get(path) != watched.recursive or watched.watch not in alive or _identity(path) != watched.identity:
                del self._watched[path]
                self._observer.unschedule(watched.watch)
        begun = False
        # The bare spots come last: watchdog passes over a subdirectory that the kernel gives no watch for, but not over a root.
        for path, recursive in sorted(wanted.items(), key=lambda item: not item[1]):
            begun |= self._add(path, recursive)
        return begun

    def _end(self) -> None:
        observer, self._observer = self._observer, None
        self._watched = {}
        if observer is not None:
            observer.stop()
            observer.join()

    def _add(self, path: Path, recursive: bool) -> bool:
        identity = _identity(path)
        if path in self._watched or identity is None:
            return False
        assert self._observer is not None
        try:
            watch = self._observer.schedule(self, str(path), recursive=recursive, event_filter=_EVENTS)
        except OSError as error:
            if error.errno in _LIMITS:
                raise
            _log.debug("%s cannot be watched: %s", path, error)  # gone, or closed to us: the next scan tries again
            return False
        self._watched[path] = _Watched(watch, identity, recursive)
        return True


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.lstat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _is_directory(event: FileSystemEvent, path: str) -> bool:
    return event.is_directory or is_symlink(Path(path))
