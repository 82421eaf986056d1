"""What an app gives the draft engine, for a demo Plex: items and posters over HTTP, and a revision of a config directory."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from xml.etree.ElementTree import Element

import aiohttp
from defusedxml.ElementTree import fromstring

from sidecar import yamlfile
from sidecar.demo import DemoPlex, World
from sidecar.errors import PlexError
from sidecar.model import (
    FrozenFile,
    Level,
    LibraryPlan,
    PreviewConfig,
    RenderJob,
    Revision,
    Shard,
    Target,
)


class PlexSource:
    """An ItemSource that reads a demo Plex."""

    def __init__(self, plex: DemoPlex) -> None:
        self._plex = plex
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        timeout = aiohttp.ClientTimeout(total=20)
        self._session = aiohttp.ClientSession(headers={"X-Plex-Token": self._plex.token}, timeout=timeout)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._session is not None:
            await self._session.close()

    async def metadata(self, server: str, rating_key: int) -> Element:
        root: Element = fromstring(await self._get(f"/library/metadata/{rating_key}?skipRefresh=1"))
        return root[0]

    async def art(self, server: str, rating_key: int) -> bytes:
        return await self._get((await self.metadata(server, rating_key)).get("thumb", ""))

    async def _get(self, path: str) -> bytes:
        assert self._session is not None
        async with self._session.get(self._plex.url + path) as response:
            if response.status != 200:
                raise PlexError(f"Plex answered {response.status} for {path.split('?')[0]}")
            return await response.read()


def targets(world: World, *types: str) -> list[Target]:
    """Every item of these types."""
    found = []
    for item in world.items.values():
        if item.type in types:
            library = world.libraries[item.section].title
            found.append(
                Target(rating_key=item.rating_key, level=Level(item.type), library=library, section=item.section, title=item.title)
            )
    return found


def revision(source: Path, root: Path, plans: Iterable[LibraryPlan]) -> Revision:
    """``source``, a config directory, frozen below ``root``/config."""
    shutil.copytree(source, root / "config", dirs_exist_ok=True)
    paths = [path for path in sorted((root / "config").rglob("*")) if path.is_file()]
    files = tuple(
        FrozenFile(
            path=path.relative_to(root).as_posix(), sha256="", size=0, origin=source / path.relative_to(root / "config"), role=_role(path)
        )
        for path in paths
    )
    return Revision(id="0" * 64, root=root, files=files, libraries=tuple(plans), servers=())


def _role(path: Path) -> str:
    return "backup" if path.parent.name.endswith("Original Posters") else "asset" if "assets" in path.parts else "other"


def job(frozen: Revision, config: Mapping[str, Any], items: Iterable[Target], shards: int = 1, deadline: float = 60) -> RenderJob:
    """A job of ``items``, dealt to ``shards`` shards with tokens t0, t1, ..."""
    all_items = list(items)
    return RenderJob(
        run_id="run",
        revision=frozen,
        preview=PreviewConfig(data=config, placeholders=(), connectors=frozenset(), hosts=frozenset()),
        shards=tuple(
            Shard(index=index, token=f"t{index}", home=frozen.root, targets=tuple(all_items[index::shards])) for index in range(shards)
        ),
        gateway=frozen.root / "none.sock",
        deadline=deadline,
    )


def write(directory: Path, files: Mapping[str, Any]) -> Path:
    """YAML files of a config directory."""
    for name, data in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yamlfile.dump(data), encoding="utf-8")
    return directory
