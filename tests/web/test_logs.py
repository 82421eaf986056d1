"""Runs' logs: past and live, by level, searched, followed."""

from __future__ import annotations

import asyncio
import json
from typing import Any

from aiohttp import ClientResponse

from sidecar.model import LogLine, RunState
from tests.web.site import Site
from tests.web.test_api import a_run, run_id
from tests.web.test_events import read_event

LINES = (
    LogLine(level="INFO", text="Connecting", source="plex.py:1"),
    LogLine(level="DEBUG", text="matched HEAT", shard=1),
    LogLine(level="WARNING", text="no rating for Heat"),
    LogLine(level="ERROR", text="it failed"),
    LogLine(level="NEW", text="a level of a later Kometa"),
)


async def written(site: Site, lines: tuple[LogLine, ...] = LINES) -> None:
    await site.state.save_run(a_run())
    log = site.logs.open(run_id(1))
    for line in lines:
        log.write(line)
    await log.save()


def numbers(body: Any) -> list[int]:
    return [line["number"] for line in body["lines"]]


async def test_a_past_log(site: Site) -> None:
    await written(site)
    body = await site.get("/runs/latest/logs")
    assert (body["run"], body["live"], body["next"], numbers(body)) == (run_id(1), False, None, [1, 2, 3, 4, 5])
    assert body["lines"][0] == {"number": 1, "level": "INFO", "text": "Connecting", "source": "plex.py:1", "shard": 0}
    assert numbers(await site.get("/runs/latest/logs?level=WARNING")) == [3, 4, 5]
    assert numbers(await site.get("/runs/latest/logs?q=heat")) == [2, 3]
    assert numbers(await site.get("/runs/latest/logs?q=heat&level=INFO")) == [3]
    first = await site.get("/runs/latest/logs?limit=2")
    assert (numbers(first), first["next"]) == ([1, 2], 2)
    rest = await site.get("/runs/latest/logs?limit=2&after=2&q=a")
    assert (numbers(rest), rest["next"]) == ([3, 4], 4)
    assert numbers(await site.get("/runs/latest/logs?after=900")) == []


async def test_a_run_without_a_log_has_no_lines(site: Site) -> None:
    await site.state.save_run(a_run())
    assert await site.get("/runs/latest/logs") == {"run": run_id(1), "lines": [], "next": None, "live": False}


async def test_a_damaged_line_is_passed_over(site: Site) -> None:
    await written(site)
    path = site.data / "logs" / f"{run_id(1)}.jsonl"
    rows = path.read_bytes().split(b"\n")
    rows[1], rows[3] = b'{"level": "INFO", "te', b"\xff\xfe"
    path.write_bytes(b"\n".join(rows))
    assert numbers(await site.get("/runs/latest/logs")) == [1, 3, 5]


async def test_a_bad_log_query_is_named(site: Site) -> None:
    await written(site)
    for query in ("level=info", "level=", "limit=2001", "after=-1", "after=x", "q=" + "a" * 201, "page=1"):
        error = (await site.get(f"/runs/latest/logs?{query}", 400))["error"]
        assert query.partition("=")[0] in error["message"]


async def test_what_is_masked_cannot_be_found(site: Site) -> None:
    """Else a search, letter by letter, would tell the secret."""
    await written(site, (LogLine(level="INFO", text="key abcdef123456 sent"),))
    assert numbers(await site.get("/runs/latest/logs?q=abcdef12")) == [1]
    site.redact.learn(["abcdef123456"])
    assert numbers(await site.get("/runs/latest/logs?q=abcdef12")) == []
    assert (await site.get("/runs/latest/logs?q=sent"))["lines"][0]["text"] == "key (redacted) sent"


async def test_a_live_log_is_read_while_it_grows(site: Site) -> None:
    await site.state.save_run(a_run(state=RunState.RENDERING, ended=None))
    log = site.logs.open(run_id(1))
    for line in LINES[:3]:
        log.write(line)
    body = await site.get("/runs/latest/logs?level=WARNING")
    assert (body["live"], numbers(body), body["next"]) == (True, [3], 3)
    log.write(LINES[3])
    body = await site.get(f"/runs/latest/logs?after={body['next']}")
    assert (body["live"], numbers(body), body["next"]) == (True, [4], 4)
    await log.save()
    body = await site.get(f"/runs/latest/logs?after={body['next']}")
    assert (body["live"], numbers(body), body["next"]) == (False, [], None)


async def followed(answer: ClientResponse) -> tuple[str, str, dict[str, Any]]:
    event = await read_event(answer)
    return event["id"], event["event"], json.loads(event["data"])


async def test_a_live_log_is_followed_to_its_end(site: Site) -> None:
    await site.state.save_run(a_run(state=RunState.RENDERING, ended=None))
    log = site.logs.open(run_id(1))
    log.write(LINES[0])
    site.redact.learn(["hunter2-hunter2"])
    async with site.session() as client:
        async with client.get("/api/v1/runs/latest/logs/stream?level=INFO") as answer:
            assert answer.content_type == "text/event-stream"
            assert (await followed(answer))[:2] == ("1", "line")
            for line in (LINES[1], LINES[2], LogLine(level="INFO", text="with hunter2-hunter2")):
                log.write(line)
            number, kind, data = await followed(answer)
            assert (number, kind, data["text"]) == ("3", "line", "no rating for Heat")
            assert (await followed(answer))[2]["text"] == "with (redacted)"
            await log.save()
            assert (await followed(answer))[:2] == ("end", "end")
            assert await answer.content.read() == b""
        # Who lost the connection gets what it missed; who has it all is told to stay away (WHATWG HTML, 9.2.3).
        async with client.get("/api/v1/runs/latest/logs/stream", headers={"Last-Event-ID": "3"}) as answer:
            assert (await followed(answer))[0] == "4"
        async with client.get("/api/v1/runs/latest/logs/stream", headers={"Last-Event-ID": "end"}) as answer:
            assert answer.status == 204


async def test_a_past_log_can_be_followed_too(site: Site) -> None:
    await written(site, tuple(LogLine(level="INFO", text=f"line {n}") for n in range(450)))
    async with site.session() as client, client.get("/api/v1/runs/latest/logs/stream?q=9") as answer:
        async with asyncio.timeout(40):
            text = (await answer.content.read()).decode()
    seen = [line.removeprefix("id: ") for line in text.split("\n") if line.startswith("id: ")]
    assert seen == [*(str(n + 1) for n in range(450) if "9" in str(n)), "end"]
