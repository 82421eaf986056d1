"""What a run remembers for the next, beside config.yml: which overlays each item has, and on which art."""

from __future__ import annotations

import sqlite3
from pathlib import Path

TABLE = "CREATE TABLE IF NOT EXISTS image_map (rating_key TEXT, library TEXT, art TEXT, overlays TEXT, UNIQUE (rating_key, library))"


class Cache:
    """``config.cache`` for ``config.yml``."""

    def __init__(self, config_path: Path) -> None:
        self.path = config_path.with_suffix(".cache")
        database = self._open()
        database.execute(TABLE)
        database.close()

    def _open(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path)

    def query_image_map(self, rating_key, library) -> tuple[str, str] | None:
        """The art and the overlays it had, last time."""
        database = self._open()
        try:
            return database.execute(
                "SELECT art, overlays FROM image_map WHERE rating_key = ? AND library = ?", (str(rating_key), library)
            ).fetchone()
        finally:
            database.close()

    def update_image_map(self, rating_key, library, art, overlays) -> None:
        database = self._open()
        try:
            with database:
                database.execute("INSERT OR REPLACE INTO image_map VALUES (?, ?, ?, ?)", (str(rating_key), library, art, overlays))
        finally:
            database.close()
