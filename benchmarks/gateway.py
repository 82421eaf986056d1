"""What the gateway costs and saves: latency beside direct reads, and what a render asks of Plex as the library grows.

    python -m benchmarks.gateway [--quick]          (with KOMETA_HOME and KOMETA_PYTHON: renders by the real Kometa, else the stand-in)

Reads: a Plex of fixed answers, the gateway, and a plain pass-through aiohttp proxy, each a process of its own; the same reads direct,
through the proxy, through the gateway (each item once: misses) and again (hits), interleaved in rounds, at 1 and 16 connections.
Renders: 5 movies of a library of 20 and of 20,000, in turn, through the whole daemon without its web server. The last line is one JSON
object.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import functools
import gc
import json
import multiprocessing
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

import aiohttp
from aiohttp import web
from pydantic import SecretStr

from sidecar.demo import DemoPlex, World
from sidecar.gateway import Gateway
from sidecar.gateway.freshness import Freshness
from sidecar.model import Blob, BlockedWrite, Capture, Grant, PlexServer, Problem, Scope
from tests.cold import STANDIN_INSTALL
from tests.conftest import real_install
from tests.e2e.house import House, house
from tests.gateway import fuzz

TOKEN: Final = "benchmark-grant-token"
FIRST: Final = 101
SLOW: Final = 0.005
"""Seconds that the slow Plex takes for an answer."""
HEADERS: Final = {"X-Sidecar-Origin": "http://plex-0.plex.invalid:32400", "X-Sidecar-Grant": TOKEN}
CONFIG: Final = """\
plex: {url: env, token: env, timeout: 60}
tmdb: {apikey: demo, language: en}
settings: {run_order: [operations, metadata, collections, overlays], cache: false}
libraries:
  Movies:
    overlay_files:
      - file: config/own.yml
"""
OVERLAYS: Final = """\
overlays:
  Bar:
    plex_all: true
    overlay: {name: backdrop, back_color: "#000000A0", back_height: 160, vertical_align: bottom, horizontal_align: center}
  UHD:
    plex_search: {all: {resolution: 4k}}
    overlay: {name: text(4K), font_size: 90, horizontal_align: left, vertical_align: top, horizontal_offset: 30, vertical_offset: 30}
  Good:
    plex_search: {all: {critic_rating.gte: 6}}
    overlay: {name: text(GOOD), font_size: 90, horizontal_align: right, vertical_align: top, horizontal_offset: 30, vertical_offset: 30}
"""


class Deaf:
    """A sink that keeps nothing."""

    def captured(self, capture: Capture) -> None: ...

    def blocked(self, write: BlockedWrite) -> None: ...

    def note(self, problem: Problem) -> None: ...


# ── processes of their own ───────────────────────────────────────────────────────────────────────────────


async def _plex(ready: Any, item: str, delay: float) -> None:
    """Answers every read of an item with a recorded one's XML."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                line = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1].decode()
                if delay:
                    await asyncio.sleep(delay)
                body = item.replace("KEY", line.partition("?")[0].rsplit("/", 1)[1]).encode()
                head = f"HTTP/1.1 200 OK\r\nContent-Type: text/xml;charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
                writer.write(head.encode() + body)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    ready.send(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
    await server.serve_forever()


async def _proxy(ready: Any, upstream: str) -> None:
    """A pass-through proxy as one writes it with aiohttp."""
    async with aiohttp.ClientSession(auto_decompress=False) as session:

        async def handle(request: web.BaseRequest) -> web.StreamResponse:
            async with session.get(upstream + request.raw_path) as answer:
                response = web.StreamResponse(headers={"Content-Type": answer.headers["Content-Type"]})
                response.content_length = answer.content_length
                await response.prepare(request)
                async for chunk in answer.content.iter_any():
                    await response.write(chunk)
                await response.write_eof()
                return response

        runner = web.ServerRunner(web.Server(handle, access_log=None))
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        ready.send(f"http://127.0.0.1:{runner.addresses[0][1]}")
        await asyncio.Event().wait()


async def _gateway(ready: Any, upstream: str, directory: str, keys: int) -> None:
    async def put(data: bytes, media_type: str = "") -> Blob:
        return Blob(sha256="0" * 64, size=len(data), media_type=media_type)

    pending: set[asyncio.Task[Any]] = set()

    def spawn(work: Any, name: str) -> asyncio.Task[Any]:
        task = asyncio.create_task(work, name=name)
        pending.add(task)
        task.add_done_callback(pending.discard)
        return task

    gateway = Gateway(socket=Path(directory) / "g.sock", put_blob=put, cache_dir=Path(directory) / "cache", spawn=spawn)
    gateway.set_servers([PlexServer(name="plex-0", url=upstream, token=SecretStr("real"), timeout=10.0)])
    await gateway.start()
    seen = frozenset(range(FIRST, FIRST + keys))
    gateway.open(
        Grant(token=TOKEN, run_id="bench", shard=0, scopes={"plex-0": Scope(targets=seen, visible=seen, sections=frozenset({1}))}), Deaf()
    )
    await gateway.check()
    ready.send(str(Path(directory) / "g.sock"))
    while True:
        await asyncio.sleep(60)
        await gateway.check()


def _run(work: Callable[..., Awaitable[None]], *arguments: Any) -> None:
    asyncio.run(work(*arguments))  # type: ignore[arg-type]


def start(work: Callable[..., Awaitable[None]], *arguments: Any) -> tuple[BaseProcess, str]:
    """A process that does ``work``, and the address it told."""
    context = multiprocessing.get_context("spawn")
    mine, its = context.Pipe()
    process = context.Process(target=_run, args=(work, its, *arguments), daemon=True)
    process.start()
    if not mine.poll(60):
        raise RuntimeError(f"{work.__name__} did not start")
    return process, mine.recv()


# ── reads ────────────────────────────────────────────────────────────────────────────────────────────────


@contextlib.asynccontextmanager
async def client(where: str, connections: int) -> AsyncIterator[Callable[[int], Awaitable[bytes]]]:
    """Reads items of a server: an http address, or the gateway's unix socket."""
    socket = not where.startswith("http")
    connector = aiohttp.UnixConnector(where, limit=connections) if socket else aiohttp.TCPConnector(limit=connections)
    base, headers = ("http://plex", HEADERS) if socket else (where, {})
    async with aiohttp.ClientSession(connector=connector, headers=headers) as session:

        async def read(key: int) -> bytes:
            async with session.get(f"{base}/library/metadata/{key}?includeGuids=1&skipRefresh=1") as answer:
                assert answer.status == 200, await answer.text()
                return await answer.read()

        yield read


async def timed(where: str, keys: range, connections: int) -> tuple[list[float], float]:
    """Seconds of each read, and reads per second."""
    times: list[float] = []
    left = iter(keys)
    async with client(where, connections) as read:
        await asyncio.gather(*(read(FIRST) for _ in range(connections)))  # opens them; no key of those that are timed

        async def work() -> None:
            for key in left:
                begun = time.perf_counter()
                await read(key)
                times.append(time.perf_counter() - begun)

        begun = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(connections)))
        return times, len(times) / (time.perf_counter() - begun)


async def reads(rounds: int, each: int) -> dict[str, float]:
    """Latencies in milliseconds, by way and number of connections; prints them."""
    item = await recorded()
    directory = Path(tempfile.mkdtemp(prefix="ks-", dir="/tmp"))
    total = 2 * rounds * each + 1
    _, quick = start(_plex, item, 0.0)
    _, slow = start(_plex, item, SLOW)
    _, proxy = start(_proxy, quick)
    _, gateway = start(_gateway, quick, str(directory), total)
    found: dict[str, list[float]] = {}
    rates: dict[str, list[float]] = {}
    try:
        for connections in (1, 16):
            for turn in range(rounds):
                at = FIRST + 1 + ((0 if connections == 1 else rounds) + turn) * each
                keys = range(at, at + each)
                for name, where in (("direct", quick), ("proxy", proxy), ("miss", gateway), ("hit", gateway), ("slow", slow)):
                    times, rate = await timed(where, keys[: each // 5] if name == "slow" else keys, connections)
                    found.setdefault(f"{name}{connections}", []).extend(times)
                    rates.setdefault(f"{name}{connections}", []).append(rate)
    finally:
        for process in multiprocessing.active_children():
            process.kill()
        shutil.rmtree(directory, ignore_errors=True)
    for name, times in found.items():
        p50, p99 = (1000 * statistics.quantiles(times, n=100)[at] for at in (49, 98))
        print(f"{name:9} p50 {p50:7.3f} ms   p99 {p99:7.3f} ms   {statistics.median(rates[name]):8.0f} reads/s")
    return {name: 1000 * statistics.median(times) for name, times in found.items()}


async def recorded() -> str:
    """A movie as the demo's Plex tells of it, its rating key replaced by KEY."""
    async with (
        DemoPlex(World.sample()) as plex,
        aiohttp.ClientSession(headers={"X-Plex-Token": plex.token}) as session,
        session.get(f"{plex.url}/library/metadata/101?includeGuids=1") as answer,
    ):
        return (await answer.text()).replace('ratingKey="101"', 'ratingKey="KEY"').replace("/metadata/101", "/metadata/KEY")


# ── renders ──────────────────────────────────────────────────────────────────────────────────────────────


class Library:
    """A daemon over a library of so many movies, 5 of them its targets."""

    def __init__(self, movies: int) -> None:
        self.movies = movies
        self.world = World.sized(movies)
        self.seconds: list[float] = []
        self.figures: dict[str, int] = {}

    @contextlib.asynccontextmanager
    async def opened(self) -> AsyncIterator[House]:
        found = real_install()
        kometa = STANDIN_INSTALL if isinstance(found, str) else found
        directory = Path(tempfile.mkdtemp(prefix="ks-", dir="/tmp"))
        config = directory / "config"
        config.mkdir()
        (config / "config.yml").write_text(CONFIG)
        (config / "own.yml").write_text(OVERLAYS)
        targets = {"per_library": 0, "list": [{"rating_key": key} for key in range(FIRST, FIRST + 5)]}
        try:
            async with house(kometa, config, directory / "data", world=self.world, serving=False, targets=targets) as home:
                await home.app.engine.start()
                yield home
                assert home.plex.writes == []
                assert home.plex.mutations == []
                print(f"{self.movies:6} movies, 5 targets ({kometa.kind} Kometa): {self.figures}, {statistics.median(self.seconds):.3f} s")
        finally:
            shutil.rmtree(directory, ignore_errors=True)

    async def first(self, home: House) -> None:
        """What a first render asks of Plex, and another one after it."""
        first = await home.app.render_once()
        assert len(first.pictures) == 5, first.problems
        self.figures = {"requests": len(home.plex.requests), "bytes": home.plex.sent}
        await asyncio.sleep(1.0)  # the notifications are heard by now
        home.plex.forget()
        await home.app.render_once()
        self.figures["again"] = len(home.plex.requests)

    async def again(self, home: House) -> None:
        """A render after a change, so that everything is asked again."""
        reads = home.app.gateway.reads("plex-0")
        assert reads is not None
        self.world.change(FIRST, summary=f"Changed {len(self.seconds)}")
        await home.until(functools.partial(_differs, reads.freshness, reads.freshness.epoch))
        begun = time.perf_counter()
        await home.app.render_once()
        self.seconds.append(time.perf_counter() - begun)


async def renders(movies: tuple[int, int], times: int) -> tuple[Library, Library]:
    """Libraries of both sizes, rendered in turn: what else goes on in the machine concerns both."""
    small, large = Library(movies[0]), Library(movies[1])
    gc.collect()
    gc.freeze()  # a real Plex's items are not for this process to look through
    async with small.opened() as one, large.opened() as other:
        await small.first(one)
        await large.first(other)
        for _ in range(times):
            await small.again(one)
            await large.again(other)
    return small, large


def _differs(freshness: Freshness, epoch: str | None) -> bool:
    return freshness.epoch != epoch


async def main(*, quick: bool) -> dict[str, float]:
    """The whole benchmark."""
    rounds, each = (4, 100) if quick else (20, 100)
    way = await reads(rounds, each)
    small, large = await renders((20, 2_000 if quick else 20_000), 5 if quick else 15)
    ratios = [after / before for before, after in zip(small.seconds, large.seconds, strict=True)]
    verdict = await fuzz.run(2_000 if quick else 100_000, fuzz.SEED)
    print(verdict)
    return {
        "fuzz_requests": verdict.requests,
        "forbidden_seen": len(verdict.forbidden) + verdict.mutations + verdict.writes,
        "miss_over_direct_ms_p50": round(way["miss1"] - way["direct1"], 3),
        "proxy_over_direct_ms_p50": round(way["proxy1"] - way["direct1"], 3),
        "hit_speedup": round(way["slow1"] / way["hit1"], 2),
        "upstream_requests_20": small.figures["requests"],
        "upstream_requests_20000": large.figures["requests"],
        "upstream_bytes_20": small.figures["bytes"],
        "upstream_bytes_20000": large.figures["bytes"],
        "seconds_ratio_20000_20": round(statistics.median(ratios), 3),
        "second_run_plex_requests": max(small.figures["again"], large.figures["again"]),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="fewer rounds, 2,000 items instead of 20,000, 2,000 fuzzed requests")
    result = asyncio.run(main(quick=parser.parse_args().quick))
    sys.stdout.flush()
    print(json.dumps(result))
