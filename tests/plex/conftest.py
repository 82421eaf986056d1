from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from pydantic import SecretStr

from sidecar.demo import DemoPlex, World
from sidecar.model import PlexServer
from sidecar.plex import PlexReader


def server_of(plex: DemoPlex, *, name: str = "plex-0", token: str = "", timeout: float = 10.0) -> PlexServer:
    return PlexServer(name=name, url=plex.url, token=SecretStr(token or plex.token), timeout=timeout)


@pytest.fixture
async def plex() -> AsyncIterator[DemoPlex]:
    """A demo Plex with movies, shows and music; nothing that a test does may write to it or change it."""
    async with DemoPlex(World.sample(music=True)) as plex:
        yield plex
        assert plex.writes == []
        assert plex.mutations == []
        assert all("token" not in request.target.lower() for request in plex.requests)


@pytest.fixture
async def reader(plex: DemoPlex) -> AsyncIterator[PlexReader]:
    reader = PlexReader(server_of(plex))
    yield reader
    await reader.close()
