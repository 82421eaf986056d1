"""Asks through hooks: bursts are one render, items become targets, what is unknown is refused; and how requests merge."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import pytest

from sidecar.errors import NotThere
from sidecar.model import Change, Level, Target
from sidecar.pipeline.asked import Asks
from sidecar.pipeline.loop import _merge


@dataclass
class Chooser:
    """Two libraries, one target."""

    libraries: Collection[str] = ("Movies", "Shows")
    targets: Collection[Target] = (Target(rating_key=101, level=Level.MOVIE, library="Movies", section=1, title="Heat"),)
    wanted: list[int] = field(default_factory=list)

    async def want(self, rating_key: int) -> None:
        self.wanted.append(rating_key)


@asynccontextmanager
async def asking(chooser: Chooser, quiet: float = 0.02, longest: float = 5.0) -> AsyncIterator[tuple[Asks, list[Change]]]:
    got: list[Change] = []
    asks = Asks(chooser, got.append, quiet=quiet, longest=longest)
    task = asyncio.create_task(asks.serve())
    yield asks, got
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def until(got: list[Change], count: int) -> None:
    async with asyncio.timeout(40):
        while len(got) < count:
            await asyncio.sleep(0.005)


async def test_a_burst_is_one_render() -> None:
    async with asking(Chooser(), quiet=0.3) as (asks, got):
        for _ in range(20):
            asks.library("Movies")
            await asks.item(101)
            await asyncio.sleep(0.001)
        asks.library("Shows")
        await until(got, 1)
        assert [(change.reason, change.libraries) for change in got] == [("request", ("Movies", "Shows"))]
        asks.library("Shows")
        asks.everything()
        await until(got, 2)
        assert (got[1].reason, got[1].libraries) == ("request", ())


async def test_an_endless_burst_is_rendered_all_the_same() -> None:
    async with asking(Chooser(), quiet=0.2, longest=0.3) as (asks, got):
        async with asyncio.timeout(40):
            while not got:
                asks.library("Movies")
                await asyncio.sleep(0.01)


async def test_items() -> None:
    chooser = Chooser()
    async with asking(chooser) as (asks, got):
        assert not await asks.item(7, "Music")
        assert await asks.item(202, "Shows")
        await until(got, 1)
        assert chooser.wanted == [202]
        assert got[0].reason == "a hook asked", "the plan differs by the new target: nothing else is drawn"
        assert await asks.item(101, "Movies")
        await until(got, 2)
        assert chooser.wanted == [202, 101], "whether it is an extra one is the chooser's to say"
        assert (got[1].reason, got[1].libraries) == ("request", ("Movies",))


async def test_kometas_run_is_no_request() -> None:
    async with asking(Chooser()) as (asks, got):
        asks.plex_changed()
        await until(got, 1)
        assert got[0].reason == "Kometa ran"


async def test_an_unknown_library() -> None:
    async with asking(Chooser()) as (asks, _):
        with pytest.raises(NotThere, match="no library Nowhere"):
            asks.library("Nowhere")
    async with asking(Chooser(libraries=())) as (asks, got):
        asks.library("Whatever")  # nothing was read yet: the plan will tell
        await until(got, 1)


def merged(*changes: tuple[str, tuple[str, ...]]) -> tuple[str, tuple[str, ...]]:
    left, right = (Change(reason=reason, libraries=libraries) for reason, libraries in changes)
    both = _merge(left, right)
    assert both is not None
    return both.reason, both.libraries


def test_requests_are_not_lost_by_merging() -> None:
    assert merged(("request", ("Movies",)), ("edit", ())) == ("request", ("Movies",))
    assert merged(("edit", ()), ("request", ("Movies",))) == ("request", ("Movies",))
    assert merged(("request", ("Movies",)), ("request", ("Shows",))) == ("request", ("Movies", "Shows"))
    assert merged(("request", ("Movies",)), ("request", ())) == ("request", ())
    assert merged(("edit", ()), ("rescan", ())) == ("edit", ())
    assert merged(("start", ()), ("edit", ())) == ("edit", ())
