"""Files in and around a Kometa config directory that are nobody's edit. Pure.

Only what is surely no input is named here: a needless announcement costs one reading of the config, a missed one costs
the user's trust.
"""

from __future__ import annotations

import re
from typing import Final

_ANYWHERE: Final = frozenset({".git", ".hg", ".svn", "__pycache__", ".idea", ".vscode", "@eaDir", "#recycle", ".stfolder", ".stversions"})
"""Directories of version control, editors, NAS indexers and syncing programs."""

_KOMETA_DIRECTORIES: Final = frozenset({"logs", "missing"})
"""Directories in the config directory that Kometa writes."""

_KOMETA_FILES: Final = re.compile(
    r"""UUID
    | .+\.cache (-journal|-wal|-shm)?      # the SQLite cache beside config.yml
    | overlays/temp (\.[a-z]+)?            # the picture being drawn
    | overlays/[^/]+[ ]Original[ ]Posters/temp (\.[a-z]+)?
    """,
    re.VERBOSE,
)

_EDITORS: Final = re.compile(
    r""".+~ | \#.*\# | \.\#.*              # Emacs, and everybody's backups
    | \..*\.sw[a-px] | .*\.sw[op]          # Vim
    | \.goutputstream-.* | \..*\.kate-swp  # GNOME, KDE
    | .*___jb_(tmp|old)___ | .*\.vsctmp    # JetBrains, VS Code
    | sed[A-Za-z0-9]{6}                    # sed -i
    | \.nfs[0-9a-f]+ | \.fuse_hidden.*     # removed while open
    | [.~]syncthing[.~].* | .*\.(part|crdownload)
    | \.DS_Store | Thumbs\.db | desktop\.ini
    """,
    re.VERBOSE,
)


def editors_own(name: str) -> bool:
    """Is a file of this name (no directories) an editor's or a system's own: swap, backup, probe?"""
    return _EDITORS.fullmatch(name) is not None or _vim_probe(name)


def ignored(relative: str, *, config: bool) -> bool:
    """May a change of this path (POSIX, below the watched directory) be passed over? ``config``: that is Kometa's config directory."""
    parts = relative.split("/")
    if not _ANYWHERE.isdisjoint(parts) or editors_own(parts[-1]):
        return True
    return config and (parts[0] in _KOMETA_DIRECTORIES or _KOMETA_FILES.fullmatch(relative) is not None)


def _vim_probe(name: str) -> bool:
    """Vim tries whether it may write in a directory with a file 4913, or while that exists 5036, 5159, ... (steps of 123)."""
    return name.isascii() and name.isdigit() and 4 <= len(name) <= 5 and int(name) >= 4913 and (int(name) - 4913) % 123 == 0
