"""Chooses who draws. Real Kometa wherever there is one; never a silent fallback from a Kometa that fails to the draft."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree.ElementTree import Element

from sidecar.engine import Engine
from sidecar.engine.container import ContainerEngine, Limits
from sidecar.engine.discover import KometaPlace, discover
from sidecar.engine.docker_api import DEFAULT, Docker
from sidecar.engine.draft import Deliver, DraftEngine, ItemSource
from sidecar.engine.process import ProcessEngine
from sidecar.engine.remote import RemoteEngine
from sidecar.engine.socket import SocketEngine
from sidecar.errors import EngineMissing, PlexAway
from sidecar.places import Places
from sidecar.plex import PlexReader
from sidecar.settings import Settings
from sidecar.sight import is_socket
from sidecar.tasks import Spawn


@dataclass(frozen=True, slots=True)
class Choice:
    """Who is to draw, and why, for people."""

    kind: str
    """process, socket, container or draft."""
    why: str
    place: KometaPlace | None = None
    """The Kometa on this host, where there is one."""
    exchange: Path | None = None
    """What a worker elsewhere shares with the sidecar."""


def choose(settings: Settings, env: Mapping[str, str], config_dir: Path) -> Choice:
    """Looks at the settings and at this host; starts nothing. EngineMissing where the settings ask for a Kometa that is not to be found."""
    engine = settings.engine
    found = discover(env, Path.home(), config_dir=config_dir, home=engine.kometa_home, python=engine.kometa_python)
    if engine.kind == "draft":
        return Choice("draft", "engine: draft is set", found.found)
    if engine.kind in ("auto", "process") and found.found is not None:
        return Choice("process", f"Kometa at {found.found.home}, Python {found.found.python}", found.found)
    if engine.kind == "container":
        return Choice("container", f"a container of image {engine.image}", exchange=settings.exchange)
    if engine.kind == "socket":
        return Choice("socket", f"the worker at {settings.worker_socket}", exchange=settings.exchange)
    named = engine.kometa_home is not None or engine.kometa_python is not None or "KOMETA_HOME" in env
    if engine.kind == "auto" and not named and (engine.exchange or engine.socket or is_socket(settings.worker_socket)):
        return Choice("socket", f"no Kometa on this host, but a worker at {settings.worker_socket}", exchange=settings.exchange)
    if engine.kind == "process" or named or not engine.fallback:
        raise EngineMissing(found.message)
    return Choice("draft", "no Kometa was found: these are drafts, not Kometa's pixels")


def build(
    choice: Choice,
    settings: Settings,
    env: Mapping[str, str],
    places: Places,
    *,
    spawn: Spawn,
    items: ItemSource,
    deliver: Deliver,
    tell: Callable[[str], None],
    patient: bool,
) -> Engine:
    """The engine that was chosen; not started. ``tell`` and ``patient``: see ContainerEngine."""
    cache = places.cache / "worker"
    if choice.kind == "process" and choice.place is not None:
        place = choice.place
        return ProcessEngine(place.home, place.python, places.runtime / "worker", spawn=spawn, layout=settings.engine.layout, cache=cache)
    if choice.kind == "socket" and choice.exchange is not None:
        return SocketEngine(settings.worker_socket, choice.exchange, spawn=spawn, shelf=places.kometa)
    if choice.kind == "container" and choice.exchange is not None:
        engine = settings.engine
        return ContainerEngine(
            Docker(engine.docker or env.get("DOCKER_HOST") or DEFAULT),
            engine.image,
            choice.exchange,
            identity=places.data / "instance",
            cache=places.cache / "container",
            shelf=places.kometa,
            spawn=spawn,
            tell=tell,
            limits=Limits(memory=engine.container_memory, pids=engine.pids, cpus=engine.cpus or engine.shard_count),
            pull=engine.pull,
            patient=patient,
            layout=engine.layout,
        )
    return DraftEngine(items, deliver, kometa_home=choice.place.home if choice.place else None)


def kometa_of(choice: Choice, engine: Engine) -> Callable[[], Awaitable[Path | None]]:
    """Asks where Kometa's own files are to be read: on this host, or as the worker tells them."""
    if isinstance(engine, RemoteEngine):
        return engine.home

    async def local() -> Path | None:
        return choice.place.home if choice.place else None

    return local


class Items:
    """What the draft engine reads of Plex: see ``sidecar.engine.draft.ItemSource``. PlexAway for a server that the config lacks now."""

    def __init__(self, readers: Callable[[], Mapping[str, PlexReader]]) -> None:
        self._readers = readers

    async def metadata(self, server: str, rating_key: int) -> Element:
        return await self._reader(server).metadata(rating_key)

    async def art(self, server: str, rating_key: int) -> bytes:
        return await self._reader(server).art(rating_key)

    def _reader(self, server: str) -> PlexReader:
        reader = self._readers().get(server)
        if reader is None:
            raise PlexAway(f"there is no Plex server {server} in the config now")
        return reader
