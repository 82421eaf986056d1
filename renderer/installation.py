"""Whether Kometa on the disk is still the one that this worker has in memory.

Somebody may upgrade Kometa or its Python packages while the worker runs: its children would then draw with yesterday's code and today's
overlay files and fonts, or with a Pillow that nobody would meet any more. Code, overlay files and fonts are looked at one by one, Kometa's
hundreds of images by their folders alone: those are read anew by each render, or held with a stamp of their own (pictures.py).
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
from pathlib import Path

LOOKS = ("kometa.py", "VERSION", "PART")
"""Besides ``modules/*.py``, ``fonts`` and what is below ``defaults/overlays``. Not config/: a user's own Kometa writes there."""


class Installation:
    """The Kometa in ``home`` as it is now. Make it before anything of it is read."""

    def __init__(self, home: Path) -> None:
        self._home = str(home)
        self._folders = [folder for folder, _, _ in os.walk(home / "defaults" / "overlays" / "images")] + _packages()
        self.build = self._stamps()
        """The same as long as nothing of it was changed: a hash of names, times and sizes."""

    def changed(self) -> bool:
        """Takes a millisecond."""
        return self._stamps() != self.build

    def _stamps(self) -> str:
        stamps = hashlib.sha256()
        files = [f"{self._home}/{name}" for name in LOOKS]
        for folder, ending in (("modules", ".py"), ("fonts", ""), ("defaults/overlays", ".yml")):
            files += self._listed(f"{self._home}/{folder}", ending)
        for path in (*files, *self._folders):
            try:
                about = os.stat(path)  # noqa: PTH116  # a hundred times before each render: no Path for each
            except OSError:
                continue  # not there, as PART in some versions
            stamps.update(f"{path}\0{about.st_mtime_ns}\0{about.st_size}\n".encode("utf-8", "surrogateescape"))
        return stamps.hexdigest()[:16]

    @staticmethod
    def _listed(folder: str, ending: str) -> list[str]:
        try:
            return sorted(f"{folder}/{name}" for name in os.listdir(folder) if name.endswith(ending))  # noqa: PTH208  # likewise
        except OSError:
            return []


def _packages() -> list[str]:
    """Where Pillow is, and with it the other packages: installers make and rename folders there."""
    spec = importlib.util.find_spec("PIL")
    return [folder for place in (spec and spec.submodule_search_locations) or () for folder in (place, os.path.dirname(place))]  # noqa: PTH120  # likewise
