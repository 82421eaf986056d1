"""What was edited between two frozen revisions, as unified diffs. Their YAML holds no secrets: see ``freeze``."""

from __future__ import annotations

import difflib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from sidecar.review import Edit, FileEdit

MOST_FILES: Final = 100
MOST_LINES: Final = 400
"""Lines of one file's diff; a longer one is cut and says so."""
MOST_TOTAL: Final = 4000
"""Lines of all diffs of an edit together."""
LARGEST: Final = 256 * 1024
"""Bytes of a text file that is compared line by line."""
LONGEST: Final = 500
"""Characters of one line."""
BACKUPS: Final = " Original Posters"
"""Kometa's own copies of posters come and go with its runs; nobody edits them."""


def edit_between(store_dir: Path, before: str, after: str, redact: Callable[[str], str]) -> Edit | None:
    """What was edited from revision ``before`` to ``after``; None where either is no longer in the store.

    ``redact`` sees each line: a second net below the masks that the frozen files have already.
    """
    old_root, new_root = store_dir / before, store_dir / after
    if not before or not after or not old_root.is_dir() or not new_root.is_dir():
        return None
    old, new = _tree(old_root), _tree(new_root)
    changed = [path for path in sorted({*old, *new}, key=_order) if not _same(old.get(path), new.get(path))]
    files, room = [], MOST_TOTAL
    for path in changed[:MOST_FILES]:
        file = _edit(path, old.get(path), new.get(path), redact, min(room, MOST_LINES))
        room -= file.diff.count("\n")
        files.append(file)
    return Edit(before=before, after=after, files=tuple(files), more=len(changed) - len(files))


def _tree(root: Path) -> dict[str, Path]:
    found = {}
    for folder, _, names in os.walk(root):
        for name in names:
            path = Path(folder) / name
            place = path.relative_to(root).as_posix()
            if BACKUPS not in place:
                found[place] = path
    return found


def _order(place: str) -> tuple[bool, bool, str]:
    """config.yml first, then other YAML, then pictures and fonts."""
    return (place != "config/config.yml", not place.endswith((".yml", ".yaml")), place)


def _same(old: Path | None, new: Path | None) -> bool:
    if old is None or new is None:
        return False
    one, other = old.stat(), new.stat()
    if (one.st_dev, one.st_ino) == (other.st_dev, other.st_ino):  # both are links to one object of the store
        return True
    return one.st_size == other.st_size and old.read_bytes() == new.read_bytes()


def _edit(place: str, old: Path | None, new: Path | None, redact: Callable[[str], str], room: int) -> FileEdit:
    shown = redact(place.removeprefix("config/"))
    kind = "added" if old is None else "removed" if new is None else "changed"
    before, after = _lines(old), _lines(new)
    if before is None or after is None:
        return FileEdit(path=shown, kind=kind)
    names = (f"a/{shown}" if old else "/dev/null", f"b/{shown}" if new else "/dev/null")
    lines = list(difflib.unified_diff(before, after, *names, lineterm=""))
    added = sum(line.startswith("+") for line in lines[2:])
    removed = sum(line.startswith("-") for line in lines[2:])
    text = [redact(line)[:LONGEST] for line in lines[:room]]
    if len(lines) > room:
        text.append(f"\\ {len(lines) - room} more lines")
    return FileEdit(path=shown, kind=kind, added=added, removed=removed, diff="".join(f"{line}\n" for line in text))


def _lines(path: Path | None) -> list[str] | None:
    """The file's lines; empty for one that is not there, None for one that is no text or too large."""
    if path is None:
        return []
    if path.stat().st_size > LARGEST:
        return None
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        return None
    # Not splitlines(): a form feed or U+2028 within a YAML text is no new line.
    text = text.replace("\r\n", "\n").removesuffix("\n")
    return None if "\x00" in text else text.split("\n") if text else []
