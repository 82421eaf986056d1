"""What to render: the config read and frozen, the targets found, the preview config made."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from sidecar import revision as revisions
from sidecar.errors import ConfigError, EngineError, GatewayError
from sidecar.gateway import Gateway
from sidecar.model import Change, Picture, PictureState, PlexServer, PreviewConfig, Problem, Revision, Run, Scope, Severity, Target
from sidecar.pipeline.wanted import Wanted
from sidecar.plex import PlexReader, TargetWishes, Wish, resolve_targets
from sidecar.store import State
from sidecar.yamlfile import Document

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """A revision, ready to be rendered."""

    change: Change
    revision: Revision
    preview: PreviewConfig
    targets: tuple[Target, ...]
    scopes: Mapping[str, Scope]
    problems: tuple[Problem, ...]
    readers: Mapping[str, PlexReader]
    gone: tuple[Picture, ...] = ()
    """Targets that are asked for and no longer on the server."""
    documents: tuple[Document, ...] = ()
    """The user's overlay files, parsed: where what Kometa complains of is defined."""
    config: Document | None = None
    """config.yml, parsed: where the files are named that are not the user's own."""
    meanings: Mapping[str, str] = field(default_factory=dict)
    """Path of an overlay file below the home -> a hash of what it says, whatever its comments and spaces are."""

    @property
    def key(self) -> str:
        """The same for plans that show the same: equal revision and equal targets with equal base art."""
        return key_of(self.revision.id, self.targets)


def _meaning(document: Document) -> str:
    return hashlib.sha256(repr(document.data).encode("utf-8", "surrogatepass")).hexdigest()


def key_of(revision: str, targets: Iterable[Target]) -> str:
    """See ``Plan.key``; a run's key is that of its revision and its pictures' targets."""
    parts = [revision, *sorted(f"{target.id} {target.thumb}" for target in targets)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def key_of_run(run: Run) -> str:
    return key_of(run.revision, (picture.target for picture in run.pictures if picture.state is not PictureState.GONE))


class Planner:
    """Makes plans from the config directory. Holds the Plex readers between them.

    ``kometa`` asks for the directory with Kometa's own overlay files; EngineError where only a worker could tell and there is none.
    """

    def __init__(
        self,
        *,
        config_dir: Path,
        options: revisions.ReadOptions,
        kometa: Callable[[], Awaitable[Path | None]],
        store: Path,
        wishes: TargetWishes,
        gateway: Gateway,
        state: State,
        learn_secrets: Callable[[Iterable[str]], None],
        follow: Callable[[Iterable[Path]], None],
        notes: Callable[[], tuple[Problem, ...]],
        wanted: Wanted,
    ) -> None:
        """``wanted``: items that were asked for in passing (:meth:`want`) and are previewed besides."""
        self._config_dir = config_dir
        self._options = options
        self._kometa = kometa
        self._store = store
        self._wishes = wishes
        self._gateway = gateway
        self._state = state
        self._learn_secrets = learn_secrets
        self._follow = follow
        self._notes = notes
        self._readers: dict[str, PlexReader] = {}
        self._servers: tuple[PlexServer, ...] = ()
        self._wanted = wanted
        self.libraries: frozenset[str] = frozenset()
        """Those with overlay files, of the last config that could be read; empty before there is one."""
        self.targets: tuple[Target, ...] = ()
        """Of the last plan."""

    async def want(self, rating_key: int) -> None:
        """Preview that item too from now on, unless it is previewed anyway. StoreError."""
        if rating_key in await self._wanted.keys() or all(target.rating_key != rating_key for target in self.targets):
            await self._wanted.add(rating_key)

    @property
    def readers(self) -> Mapping[str, PlexReader]:
        """By server name, of the last config that could be read."""
        return self._readers

    async def plan(self, change: Change) -> Plan:
        """ConfigError where the config cannot be used, PlexError where Plex cannot say which items there are, EngineError, StoreError."""
        try:
            home = await self._kometa()
        except EngineError:
            await self._read(self._options.kometa_home)  # a fault in the config is told also while there is no worker
            raise
        reading = await self._read(home)
        await self._connect(reading.servers)
        await self._gateway.check()
        wishes = replace(self._wishes, extra=[Wish(rating_key=key) for key in await self._wanted.keys()])
        libraries = [library.plan for library in reading.libraries]
        self.libraries = frozenset(library.name for library in libraries)
        found = await resolve_targets(self._readers, libraries, wishes, await self._state.remembered())
        self.targets = found.targets
        for (server, section), choices in found.remembered.items():
            await self._state.remember_targets(server, section, choices)
        revision = await asyncio.to_thread(revisions.freeze, reading, found.targets, self._store)
        preview = await asyncio.to_thread(revisions.preview, reading)
        return Plan(
            change=change,
            revision=revision,
            preview=preview,
            targets=found.targets,
            scopes=found.scopes,
            problems=tuple(dict.fromkeys((*revision.problems, *preview.problems, *found.problems, *self._notes()))),
            readers=dict(self._readers),
            documents=tuple(reading.documents.values()),
            config=reading.config,
            meanings={reading.files[path][0]: _meaning(document) for path, document in reading.documents.items() if path in reading.files},
            gone=tuple(Picture(target=target, state=PictureState.GONE) for target in found.gone),
        )

    async def _read(self, kometa_home: Path | None) -> revisions.Reading:
        reading = await asyncio.to_thread(revisions.read, self._config_dir, replace(self._options, kometa_home=kometa_home))
        self._learn_secrets(reading.secrets)
        self._follow(reading.watch)
        return reading

    async def _connect(self, servers: tuple[PlexServer, ...]) -> None:
        if servers == self._servers:
            return
        try:
            self._gateway.set_servers(servers)
        except GatewayError as error:
            mend = "write Plex's address as http://host:32400 or https://host:32400"
            problem = Problem(severity=Severity.ERROR, what=str(error), mend=mend, file="config.yml", source="config")
            raise ConfigError([problem]) from error
        kept = {server.name: self._readers[server.name] for server in self._servers if server in servers}
        gone = [reader for name, reader in self._readers.items() if name not in kept]
        self._readers = {server.name: kept.get(server.name) or self._reader(server) for server in servers}
        self._servers = servers
        for reader in gone:
            await reader.close()

    def _reader(self, server: PlexServer) -> PlexReader:
        reads = self._gateway.reads(server.name)
        return PlexReader(server, reads.through) if reads else PlexReader(server)

    async def close(self) -> None:
        """Let go of Plex."""
        for reader in self._readers.values():
            await reader.close()
