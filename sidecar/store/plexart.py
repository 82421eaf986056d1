"""What Plex showed of each target when it was last looked at."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from datetime import UTC, datetime

from sidecar.model import Blob
from sidecar.store.database import Database
from sidecar.store.rows import blob_of, put_blobs


class PlexArt:
    """This part of :class:`sidecar.store.state.State`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def plex_art(self) -> dict[str, tuple[str, Blob]]:
        """``Target.id`` -> Plex's path of the poster (it changes with the poster), and the poster."""
        sql = "SELECT plex_art.target_id, plex_art.thumb, blobs.* FROM plex_art JOIN blobs ON blobs.sha256 = plex_art.sha256"
        rows = await self._database.read(lambda connection: connection.execute(sql).fetchall())
        return {row["target_id"]: (row["thumb"], blob_of(row)) for row in rows}

    async def keep_plex_art(self, shown: Mapping[str, tuple[str, Blob]]) -> None:
        """Keep this, in place of all that was kept."""
        now = datetime.now(UTC).timestamp()
        rows = [(target, thumb, blob.sha256, now) for target, (thumb, blob) in shown.items()]

        def put(connection: sqlite3.Connection) -> None:
            put_blobs(connection, (blob for _, blob in shown.values()))
            connection.execute("DELETE FROM plex_art")
            connection.executemany("INSERT INTO plex_art (target_id, thumb, sha256, at) VALUES (?, ?, ?, ?)", rows)

        await self._database.write(put)
