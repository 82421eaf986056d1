"""Kometa's own YAML files (its defaults), parsed once by the worker while it is idle and handed to the children by fork.

A child that asks for such a file gets the parsed object itself, once: it is the child's own copy, as if it had parsed the file. A
second time it parses. The user's files are never taken from here, and a file that changed since is parsed.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

MOST = 200
"""Files held."""


class Preload:
    """The parent's, and by fork each child's. ``home`` is Kometa's; ``look`` is shown what was parsed."""

    def __init__(self, home: Path, look: Callable[[Any], None] = lambda _data: None) -> None:
        self._look = look
        self._home = os.path.realpath(home) + os.sep
        self._parsed: dict[str, tuple[tuple[int, int], dict[str, Any]]] = {}
        self._wanted: dict[str, None] = {}
        self._asked: list[str] = []
        self._make: Any = None

    def __len__(self) -> int:
        return len(self._parsed)

    # ── in the parent ────────────────────────────────────────────────────────────────────────────────────

    def want(self, paths: object) -> None:
        """Files that a child had to parse."""
        for path in paths if isinstance(paths, list) else ():
            if isinstance(path, str) and self._ours(path) and len(self._parsed) + len(self._wanted) < MOST:
                self._wanted[path] = None

    def load(self, path: Path) -> None:
        """Files that an earlier worker had parsed, by its list in ``path``."""
        try:
            self.want(json.loads(path.read_bytes()))
        except (OSError, ValueError):
            return

    def save(self, path: Path) -> None:
        """The list of files parsed here. A disk that does not take it costs only time."""
        with contextlib.suppress(OSError):
            path.write_text(json.dumps(sorted(self._parsed)), encoding="utf-8")

    def step(self) -> bool:
        """Parse one of the wanted files; whether there was one. Takes a tenth of a second or so."""
        if not self._wanted or self._make is None:
            return False
        path = next(iter(self._wanted))
        del self._wanted[path]
        try:
            stamp = _stamp(path)
            loaded: Any = object.__new__(self._make.owner)
            self._make(loaded, path)
            if isinstance(loaded.data, dict) and loaded.data and _stamp(path) == stamp:
                self._look(loaded.data)
                self._parsed[path] = (stamp, loaded.__dict__)
        except Exception:  # noqa: BLE001, S110  # Kometa's parser's, of any kind: the child that needs the file will meet it, and say so
            pass
        return True

    # ── in a child ───────────────────────────────────────────────────────────────────────────────────────

    def news(self) -> list[str]:
        """Files that this child parsed itself."""
        return self._asked

    def attach(self, owner: type) -> None:
        """Let ``owner`` (Kometa's YAML class) look here before it parses a file."""
        preload = self
        original = owner.__init__  # type: ignore[misc]
        self._make = _Maker(owner, original)

        def __init__(  # noqa: N807  # it takes that one's place
            self: Any, path: Any = None, input_data: Any = None, check_empty: bool = False, create: bool = False, start_empty: bool = False
        ) -> None:
            if isinstance(path, str) and not input_data and not create and not start_empty and preload.fill(self, path):
                return
            original(self, path=path, input_data=input_data, check_empty=check_empty, create=create, start_empty=start_empty)

        owner.__init__ = __init__  # type: ignore[misc]

    def fill(self, made: Any, path: str) -> bool:
        """Make ``made`` what parsing ``path`` would make of it, where that is at hand."""
        real = os.path.realpath(path)
        if not self._ours(real):
            return False
        stamp, parsed = self._parsed.pop(real, ((0, 0), None))
        if parsed is None or _stamp(real) != stamp:
            self._asked.append(real)
            return False
        made.__dict__.update(parsed, path=path)
        return True

    def _ours(self, path: str) -> bool:
        return path.startswith(self._home)


class _Maker:
    def __init__(self, owner: type, original: Any) -> None:
        self.owner = owner
        self._original = original

    def __call__(self, made: Any, path: str) -> None:
        self._original(made, path=path)


def _stamp(path: str) -> tuple[int, int]:
    about = Path(path).stat()
    return about.st_mtime_ns, about.st_size


def yaml_class() -> type | None:
    """Kometa's class for YAML files; None where this Kometa has none as we know it."""
    found = getattr(sys.modules.get("modules.request"), "YAML", None)
    return found if isinstance(found, type) else None
