"""Serves the gallery's directory, and nothing beside it."""

from __future__ import annotations

import asyncio
import re
import stat
from pathlib import Path
from typing import Final

from aiohttp import hdrs, web

from sidecar.web.headers import CHECK, FOR_EVER

_SEGMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,200}")
"""All that the gallery ever writes. No dot first: unfinished files begin with one."""

_BY_CONTENT: Final = frozenset({"img", "thumbs", "static"})

_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".json": "application/json",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".xml": "application/atom+xml; charset=utf-8",
    ".webp": "image/webp",
    ".jpg": "image/jpeg",
    ".png": "image/png",
    ".gif": "image/gif",
}


class GalleryFiles:
    """GET and HEAD of the gallery's files, with ETag, ranges, and a cache lifetime by what the file is."""

    def __init__(self, root: Path) -> None:
        self._root = root

    @property
    def published(self) -> bool:
        """Whether there is a first page."""
        return (self._root / "index.html").is_file()

    async def serve(self, path: str, *, private: bool) -> web.StreamResponse:
        """The file at ``path`` (decoded, relative). ``private`` keeps shared caches out.

        HTTPNotFound for anything that is not plainly a file of the gallery: other characters, links, special files.
        """
        found = await asyncio.to_thread(self._find, path)
        if found is None:
            raise web.HTTPNotFound
        file, directory = found
        if directory:
            raise web.HTTPFound(f"{file.name}/")  # relative, so that it is right behind any proxy
        life = FOR_EVER if path.split("/", 1)[0] in _BY_CONTENT else CHECK
        return web.FileResponse(
            file,
            headers={
                hdrs.CONTENT_TYPE: _TYPES.get(file.suffix, "application/octet-stream"),
                hdrs.CACHE_CONTROL: f"{'private' if private else 'public'}, {life}",
            },
        )

    def _find(self, path: str) -> tuple[Path, bool] | None:
        if path == "" or path.endswith("/"):
            path += "index.html"
        found, directory = self._root, True
        for segment in path.split("/"):
            if not (directory and _SEGMENT.fullmatch(segment)):
                return None
            found = found / segment
            try:
                mode = found.lstat().st_mode
            except OSError:
                return None
            # Checked from the root down, each component by itself: a link anywhere on the way is refused.
            directory = stat.S_ISDIR(mode)
            if not (directory or stat.S_ISREG(mode)):
                return None
        return found, directory
