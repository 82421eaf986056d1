"""What Plex answered is not held for its word where it cannot be: garbage, files cut short, another server's."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from pydantic import SecretStr

from sidecar.gateway import freshness
from sidecar.gateway.answers import Answers
from sidecar.gateway.cache import DiskCache, Entry
from sidecar.gateway.scope import parse
from sidecar.model import PlexServer
from tests.gateway.conftest import REAL, Bench, Library
from tests.gateway.upstream import Reply, Seen, Upstream

STARTING = b"<html>Plex Media Server is starting</html>"
DATED = "/library/metadata/1/thumb/1700000000"


def keys(body: bytes) -> list[str | None]:
    return [item.get("ratingKey") for item in parse(body)]


@pytest.mark.parametrize("line", ["GET /library/metadata/1", "GET /library/sections/1/all?type=1", "GET /library/sections"])
async def test_garbage_is_asked_for_again(bench: Bench, library: Library, line: str) -> None:
    path = line.split(" ")[1].partition("?")[0]
    await bench.gateway.check()
    library.special[path] = Reply(STARTING)
    assert (await bench.ask(line)).status == 502
    library.special.clear()
    assert (await bench.ask(line)).status == 200
    sent = len(bench.plex.requests)
    assert (await bench.ask(line)).status == 200
    assert len(bench.plex.requests) == sent, "what is sound is kept"


async def test_garbage_for_the_daemon_itself_is_asked_for_again(bench: Bench) -> None:
    await bench.gateway.check()
    reads = bench.gateway.reads("plex-0")
    assert reads
    replies = [STARTING, b"<MediaContainer/>", b"<MediaContainer/>"]
    got = [await asyncio.to_thread(reads.through, "/library/sections", lambda: replies.pop(0)) for _ in range(3)]
    assert got == [STARTING, b"<MediaContainer/>", b"<MediaContainer/>"]
    assert len(replies) == 1


async def test_what_is_forgotten_is_gone_from_memory_and_disk(tmp_path: Path) -> None:
    disk = DiskCache(tmp_path, max_bytes=10_000)
    disk.open()
    answers = Answers(disk, memory=10_000)
    key = "a" * 64
    await answers.forget(key)  # nothing there is no error
    await answers.keep_beside(key, Entry(200, (), b"on disk"), None)
    await answers.forget(key)
    assert answers.recall(key, 60.0) is None
    assert len(disk) == 0

    waiting: list[str] = []

    def later(work: object, name: str) -> asyncio.Task[None]:
        work.close()  # type: ignore[attr-defined]  # the disk stands still: nothing is written
        waiting.append(name)
        return asyncio.create_task(asyncio.sleep(0))

    await answers.keep_beside(key, Entry(200, (), b"not yet on disk"), later)
    await answers.forget(key)
    await answers.flush()
    assert waiting == ["plex cache"]
    assert answers.recall(key, 60.0) is None


async def test_a_picture_whose_end_nobody_knows_is_not_kept(bench: Bench, library: Library) -> None:
    """Without a length and without chunks, a connection that broke off looks like an end."""
    await bench.gateway.check()
    library.special[DATED] = Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Type: image/jpeg\r\n\r\nhalf a pict", then_close=True)
    assert (await bench.ask(f"GET {DATED}")).body == b"half a pict"
    library.special[DATED] = Reply(raw=b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n7\r\npicture\r\n0\r\n\r\n")
    for _ in range(2):
        assert (await bench.ask(f"GET {DATED}")).body == b"picture"
    assert len([seen for seen in bench.plex.requests if seen.target == DATED]) == 2


async def test_another_server_under_the_same_name_is_asked_where_its_items_are(bench: Bench, library: Library) -> None:
    await bench.gateway.check()
    library.special["/library/metadata/1,2,3"] = Reply(b"", status=404)
    assert keys((await bench.ask("GET /library/sections/1/all?type=1")).body) == []
    async with Upstream(Library()) as other:
        bench.gateway.set_servers([PlexServer(name="plex-0", url=other.url, token=SecretStr(REAL), timeout=5.0)])
        await bench.gateway.check()
        assert keys((await bench.ask("GET /library/sections/1/all?type=1")).body) == ["1", "2", "3"]


async def test_items_that_come_back_are_listed(bench: Bench, library: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freshness, "POLL", 0.0)
    await bench.gateway.check()
    library.special["/library/metadata/1,2,3"] = Reply(b"", status=404)  # a drive that is away for a moment
    assert keys((await bench.ask("GET /library/sections/1/all?type=1")).body) == []
    library.special.clear()
    library.special["/library/sections"] = Reply(b'<MediaContainer size="1"><Directory key="1" scannedAt="2"/></MediaContainer>')
    await bench.gateway.check()
    assert keys((await bench.ask("GET /library/sections/1/all?type=1")).body) == ["1", "2", "3"]


def seasons(*, counted: bool) -> Reply:
    total = ' totalSize="2"' if counted else ""
    rows = '<Directory ratingKey="2" type="season"/><Directory ratingKey="3" type="season"/>'
    return Reply(f'<MediaContainer size="2"{total}>{rows}</MediaContainer>'.encode())


async def test_children_with_a_row_that_is_no_item_come_once(bench: Bench, library: Library) -> None:
    """Plex puts "All episodes" before the seasons, and counts it (``excludeAllLeaves`` not given)."""
    rows = ['<Directory key="/library/metadata/1/allLeaves" title="All episodes"/>']
    rows += [f'<Directory ratingKey="{key}" type="season"/>' for key in (2, 3)]

    def answer(seen: Seen) -> Reply:
        if not seen.target.startswith("/library/metadata/1/children"):
            return library(seen)
        start, size = int(seen.header("X-Plex-Container-Start") or 0), int(seen.header("X-Plex-Container-Size") or 100)
        page = rows[start : start + size]
        return Reply(f'<MediaContainer size="{len(page)}" totalSize="{len(rows)}">{"".join(page)}</MediaContainer>'.encode())

    bench.plex.answer = answer
    assert keys((await bench.ask("GET /library/metadata/1/children")).body) == [None, "2", "3"]


@pytest.mark.parametrize("counted", [True, False])
async def test_how_many_there_are_where_plex_does_not_page(bench: Bench, library: Library, counted: bool) -> None:
    library.special["/library/metadata/1/children"] = seasons(counted=counted)
    answer = await bench.ask("GET /library/metadata/1/children", headers={"X-Plex-Container-Start": "0", "X-Plex-Container-Size": "0"})
    assert parse(answer.body).get("totalSize") == "2"
    assert keys(answer.body) == []
