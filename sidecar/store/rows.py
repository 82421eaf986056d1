"""Blobs as rows, for the tables that speak of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable

from sidecar.model import Blob


def put_blobs(connection: sqlite3.Connection, blobs: Iterable[Blob | None]) -> None:
    """Make sure that rows may refer to ``blobs``."""
    connection.executemany(
        "INSERT OR IGNORE INTO blobs (sha256, size, media_type, width, height) VALUES (?, ?, ?, ?, ?)",
        {(blob.sha256, blob.size, blob.media_type, blob.width, blob.height) for blob in blobs if blob},
    )


def blob_of(row: sqlite3.Row) -> Blob:
    """The blob of a row that has the columns of ``blobs``."""
    return Blob(sha256=row["sha256"], size=row["size"], media_type=row["media_type"], width=row["width"], height=row["height"])
