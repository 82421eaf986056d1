"""Files of YAML, parsed by the worker while it is idle and handed to the children by fork: Kometa's own, and a user's as they were.

A child that asks for such a file gets a parsed object itself: it is the child's own copy, as if it had parsed the file. Kometa's own
files (its defaults) are known by path, time and size; other files by their text, in which the run's grant counts for nothing. A
file that a run reads several times is held as often. What is not at hand is parsed by Kometa, and parsed ahead for the next run.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import sys
from collections import Counter, OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

MOST = 200
"""Kometa's files held."""
MOST_TEXTS = 40
"""Other files held; those not asked for longest go."""
MOST_CHARACTERS = 512 * 1024
"""Characters of these together, each text as often as it is held: parsed, they take up to 100 times that. The newest is held anyway."""
LONGEST = 512 * 1024
"""Characters of another file."""
MOST_COPIES = 12
"""Times that one file is held."""
GRANT = "grant-of-this-run"
"""Stands for the grant in the text of a file."""

Task = tuple[str, str]
"""What to parse: a path and nothing, or the name of a text and the text."""


class Preload:
    """The parent's, and by fork each child's. ``home`` is Kometa's.

    ``look`` is shown what was parsed, ``overlook`` what is held no more.
    """

    def __init__(
        self, home: Path, look: Callable[[Any], None] = lambda _data: None, overlook: Callable[[Any], None] = lambda _data: None
    ) -> None:
        self._look = look
        self._overlook = overlook
        self._home = os.path.realpath(home) + os.sep
        self._held: OrderedDict[str, list[dict[str, Any]]] = OrderedDict()
        self._stamps: dict[str, tuple[int, int]] = {}
        self._texts: OrderedDict[str, int] = OrderedDict()
        """Their lengths."""
        self._wanted: dict[Task, int] = {}
        self._asked: list[Task] = []
        self._grant = ""
        self._make: Any = None

    def __len__(self) -> int:
        return sum(len(copies) for copies in self._held.values())

    # ── in the parent ────────────────────────────────────────────────────────────────────────────────────

    def want(self, tasks: object) -> None:
        """Files that a child had to parse, as often as it had to."""
        asked: Counter[Task] = Counter()
        for task in tasks if isinstance(tasks, list) else ():
            if isinstance(task, (list, tuple)) and len(task) == 2 and all(isinstance(part, str) for part in task):
                asked[task[0], task[1]] += 1
        for (name, text), times in asked.items():
            if text and len(text) <= LONGEST:
                self._texts[name] = len(text)
                self._texts.move_to_end(name)
            elif not self._ours(name) or len(self._stamps) >= MOST:
                continue
            enough = min(MOST_COPIES, len(self._held.get(name, ())) + times)
            self._wanted[name, text] = max(self._wanted.get((name, text), 0), enough)
        while len(self._texts) > MOST_TEXTS or (len(self._texts) > 1 and self._characters() > MOST_CHARACTERS):
            old, _ = self._texts.popitem(last=False)
            self._drop(old)
            self._wanted = {task: times for task, times in self._wanted.items() if task[0] != old}

    def _characters(self) -> int:
        """Of all texts, held by now or wanted."""
        times = {name: len(copies) for name, copies in self._held.items()}
        times.update({name: wanted for (name, text), wanted in self._wanted.items() if text})
        return sum(length * times.get(name, 1) for name, length in self._texts.items())

    def _drop(self, name: str) -> None:
        for copy in self._held.pop(name, ()):
            self._overlook(copy["data"])

    def load(self, path: Path) -> None:
        """Kometa's files that an earlier worker had parsed, by its list in ``path``."""
        try:
            kept = json.loads(path.read_bytes())
        except (OSError, ValueError):
            return
        if isinstance(kept, dict):
            self.want([(name, "") for name, times in kept.items() if isinstance(times, int) for _ in range(min(times, MOST_COPIES))])

    def save(self, path: Path) -> None:
        """The list of Kometa's files parsed here, with how often each. A disk that does not take it costs only time."""
        with contextlib.suppress(OSError):
            path.write_text(json.dumps({name: len(self._held[name]) for name in sorted(self._stamps) if name in self._held}))

    def step(self) -> bool:
        """Parse one of the wanted files; whether there was one. Takes a tenth of a second or so."""
        if not self._wanted or self._make is None:
            return False
        (name, text), times = next(iter(self._wanted.items()))
        try:
            stamp = (0, 0) if text else _stamp(name)
            if not text and self._stamps.get(name, stamp) != stamp:
                self._drop(name)
            loaded: Any = object.__new__(self._make.owner)
            self._make(loaded, None if text else name, text or None)
            whole = isinstance(loaded.data, dict) and bool(loaded.data) and (bool(text) or _stamp(name) == stamp)
        except Exception:  # noqa: BLE001  # Kometa's parser's, of any kind: the child that needs the file will meet it, and say so
            whole = False
        if whole:
            self._look(loaded.data)
            copies = self._held.setdefault(name, [])
            copies.append(loaded.__dict__)
            if not text:
                self._stamps[name] = stamp
        if not whole or len(self._held[name]) >= times:
            del self._wanted[name, text]
        return True

    # ── in a child ───────────────────────────────────────────────────────────────────────────────────────

    def begin(self, grant: str) -> None:
        """The grant of this run, which is in the text of its config."""
        self._grant = grant

    def news(self) -> list[Task]:
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
        try:
            ours, stamp = self._ours(real), _stamp(real)
            name, text = (real, "") if ours else self._text(real)
            copies = self._held.get(name)
            if not copies or (ours and stamp != self._stamps.get(real)):
                if ours or text:
                    self._asked.append((name, text))
                return False
        except (OSError, ValueError):
            return False  # Kometa will meet the same, and say so
        made.__dict__.update(copies.pop(), path=path, input_data=None)
        if self._grant and GRANT in text:
            _replace(made.data, self._grant)
        return True

    def _text(self, path: str) -> Task:
        """The name and the text of a user's file; no text where it is too long to be held."""
        with Path(path).open(encoding="utf-8") as file:
            text = file.read(LONGEST + 1)
        if len(text) > LONGEST or GRANT in text:
            return "", ""
        text = text.replace(self._grant, GRANT) if self._grant else text
        return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest(), text

    def _ours(self, path: str) -> bool:
        return path.startswith(self._home)


class _Maker:
    def __init__(self, owner: type, original: Any) -> None:
        self.owner = owner
        self._original = original

    def __call__(self, made: Any, path: str | None, text: str | None) -> None:
        self._original(made, path=path, input_data=text)


def _replace(value: Any, grant: str) -> None:
    """Put the grant in the place of what stands for it, in all texts below ``value``."""
    for key, inner in list(value.items() if isinstance(value, dict) else enumerate(value)):
        if isinstance(inner, (dict, list)):
            _replace(inner, grant)
        elif isinstance(inner, str) and GRANT in inner:
            value[key] = inner.replace(GRANT, grant)


def _stamp(path: str) -> tuple[int, int]:
    about = Path(path).stat()
    return about.st_mtime_ns, about.st_size


def yaml_class() -> type | None:
    """Kometa's class for YAML files; None where this Kometa has none as we know it."""
    found = getattr(sys.modules.get("modules.request"), "YAML", None)
    return found if isinstance(found, type) else None
