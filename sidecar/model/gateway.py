"""What was kept from Plex."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Blob:
    """Bytes in the store, by content."""

    sha256: str
    size: int
    media_type: str
    """image/webp, image/jpeg, image/png, ..."""
    width: int = 0
    height: int = 0

    @property
    def suffix(self) -> str:
        return {"image/webp": ".webp", "image/jpeg": ".jpg", "image/png": ".png", "image/gif": ".gif"}.get(self.media_type, ".bin")

    @property
    def name(self) -> str:
        return self.sha256 + self.suffix


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture:
    """An image that Kometa tried to upload to Plex and that was kept instead."""

    run_id: str
    server: str
    rating_key: int
    kind: str
    """poster, art, logo, square_art, theme."""
    blob: Blob
    at: datetime
    url: str = ""
    """For uploads by ``?url=``: where Kometa pointed Plex."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockedWrite:
    """A request that would have changed Plex (or something else) and did not leave the gateway."""

    run_id: str
    server: str
    method: str
    path: str
    """Path and query, without any token."""
    meaning: str
    """For people: "add label Overlay to 101"."""
    answered: int
    """The HTTP status that the renderer saw: 200 where Kometa must believe in it, else 403."""
    at: datetime
    expected: bool = True
    """False for a request that no ordinary overlays run makes: shown as a warning."""
