from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import ClientResponse
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.web import Events, Subscription
from tests.web.site import Site, running


def drain(subscription: Subscription) -> list[tuple[str, str]]:
    subscription.close()

    async def collect() -> list[tuple[str, str]]:
        return [(event.kind, event.data) async for event in subscription]

    return asyncio.run(collect())


def test_each_listener_hears_all_in_order() -> None:
    events = Events()
    one, two = events.subscribe(), events.subscribe()
    for number in range(3):
        events.publish("picture", {"n": number})
    expected = [("picture", json.dumps({"n": n}, separators=(",", ":"))) for n in range(3)]
    assert drain(one) == drain(two) == expected
    assert events.listeners == 0


def test_a_slow_listener_loses_the_oldest_and_is_told() -> None:
    events = Events(backlog=3)
    slow = events.subscribe()
    for number in range(10):
        events.publish("picture", {"n": number})
    assert [kind for kind, _ in drain(slow)] == ["reload", "picture", "picture", "picture"]


def test_resumes_where_it_left_off() -> None:
    events = Events()
    ids = [events.publish("picture", {"n": n}) for n in range(5)]
    assert [json.loads(data)["n"] for _, data in drain(events.subscribe(ids[2]))] == [3, 4]
    assert drain(events.subscribe(ids[4])) == []
    assert drain(events.subscribe()) == []


def test_what_cannot_be_resumed_is_a_reload() -> None:
    events, before = Events(history=3), Events()
    old = events.publish("picture", {"n": 0})
    for number in range(1, 6):
        events.publish("picture", {"n": number})
    for last in (old, before.publish("health", {}), f"{old.partition('-')[0]}-999", "nonsense", "-", "a-" + "9" * 40):
        assert [kind for kind, _ in drain(events.subscribe(last))] == ["reload"]


@settings(deadline=None)
@given(st.text(max_size=60))
def test_any_last_event_id_is_survived(last: str) -> None:
    events = Events()
    events.publish("health", {})
    assert [kind for kind, _ in drain(events.subscribe(last))] == ([] if last == "" else ["reload"])


@pytest.mark.parametrize("kind", ["", "Picture", "a b", "x\nevent: y", "run."])
def test_a_kind_cannot_break_the_stream(kind: str) -> None:
    with pytest.raises(ValueError, match="not an event kind"):
        Events().publish(kind, {})


def test_data_stays_on_one_line() -> None:
    events = Events()
    listener = events.subscribe()
    events.publish("picture", {"title": "a\n\ndata: b\r\u2028"})
    listener.close()

    async def frame() -> bytes:
        return (await anext(listener)).frame()

    lines = asyncio.run(frame()).split(b"\n")
    assert [line.partition(b":")[0] for line in lines] == [b"id", b"event", b"data", b"", b""]


async def read_event(answer: ClientResponse) -> dict[str, str]:
    fields: dict[str, str] = {}
    async with asyncio.timeout(40):
        while True:
            line = (await answer.content.readline()).decode().rstrip("\n")
            if not line:
                if "event" in fields:
                    return fields
                fields = {}
                continue
            name, _, value = line.partition(": ")
            fields[name] = value


async def until_listening(site: Site, count: int) -> None:
    async with asyncio.timeout(40):
        while site.events.listeners != count:
            await asyncio.sleep(0.01)


async def test_streams_and_resumes_over_http(site_files: Path) -> None:
    # A listener that went away is noticed at the next sign of life.
    async with running(Site(site_files), heartbeat=0.05) as site, site.session() as client:
        async with client.get("/api/v1/events") as stream:
            assert stream.headers["Content-Type"] == "text/event-stream; charset=utf-8"
            await until_listening(site, 1)
            site.events.publish("run.started", {"run": "r1"})
            first = await read_event(stream)
            assert (first["event"], json.loads(first["data"])) == ("run.started", {"run": "r1"})
        await until_listening(site, 0)
        site.events.publish("picture", {"run": "r1", "target": "101"})
        async with client.get("/api/v1/events", headers={"Last-Event-ID": first["id"]}) as stream:
            assert json.loads((await read_event(stream))["data"])["target"] == "101"


async def test_idle_streams_show_signs_of_life(site: Site) -> None:
    async with running(Site(site.gallery), heartbeat=0.05) as quick, quick.session() as client, client.get("/api/v1/events") as stream:
        async with asyncio.timeout(40):
            while (await stream.content.readline()) != b": still here\n":
                pass


async def test_stopping_ends_the_streams(site: Site) -> None:
    other = Site(site.gallery)
    async with running(other):
        client = other.session()
        stream = await client.get("/api/v1/events")
        await until_listening(other, 1)
    assert await stream.read() is not None  # ends, rather than hangs
    await client.close()


async def test_listeners_are_bounded(site: Site) -> None:
    async with running(Site(site.gallery), max_listeners=1) as small, small.session() as client, client.get("/api/v1/events"):
        await until_listening(small, 1)
        async with client.get("/api/v1/events") as second:
            assert second.status == 503
            assert (await second.json())["error"]["code"] == "too_many_listeners"
