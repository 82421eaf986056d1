"""A demo Plex that is ill, and its notifications."""

from __future__ import annotations

import asyncio
import http.client
import json
import time
from xml.etree import ElementTree

import aiohttp
import pytest

from sidecar.demo import DemoPlex
from tests.demo.client import get


async def test_down_is_a_dropped_connection(demo_plex: DemoPlex) -> None:
    demo_plex.fail("down")
    with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
        await get(demo_plex, "/")
    demo_plex.heal()
    assert (await get(demo_plex, "/")).status == 200
    assert len(demo_plex.requests) == 2


async def test_statuses(demo_plex: DemoPlex) -> None:
    for kind, status in (("unauthorized", 401), ("maintenance", 503), ("error", 500), ("redirect", 302)):
        demo_plex.fail(kind, times=1)
        answer = await get(demo_plex, "/library/sections")
        assert answer.status == status
        assert (await get(demo_plex, "/library/sections")).status == 200
    demo_plex.fail("maintenance")
    answer = await get(demo_plex, "/")
    assert answer.xml.attrib["title"] == "Maintenance"
    assert answer.headers["retry-after"] == "5"


async def test_faults_strike_where_and_as_often_as_told(demo_plex: DemoPlex) -> None:
    demo_plex.fail("error", times=2, path=r"/metadata/\d+")
    assert (await get(demo_plex, "/library/sections")).status == 200
    statuses = [(await get(demo_plex, "/library/metadata/101?skipRefresh=1")).status for _ in range(3)]
    assert statuses == [500, 500, 200]
    with pytest.raises(ValueError, match="no such fault"):
        demo_plex.fail("flood")


async def test_slow(demo_plex: DemoPlex) -> None:
    demo_plex.fail("slow", seconds=0.2)
    started = time.monotonic()
    assert (await get(demo_plex, "/")).status == 200
    assert time.monotonic() - started >= 0.2


async def test_trickle_sends_all_in_the_end(demo_plex: DemoPlex) -> None:
    whole = await get(demo_plex, "/identity")
    demo_plex.fail("trickle", seconds=0.0)
    assert (await get(demo_plex, "/identity")).body == whole.body


async def test_truncated(demo_plex: DemoPlex) -> None:
    demo_plex.fail("truncated")
    with pytest.raises(http.client.IncompleteRead):
        await get(demo_plex, "/library/sections")


async def test_what_is_no_xml(demo_plex: DemoPlex) -> None:
    demo_plex.fail("garbage", times=1)
    answer = await get(demo_plex, "/library/sections")
    assert answer.status == 200
    with pytest.raises(ElementTree.ParseError):
        _ = answer.xml
    demo_plex.fail("entity_bomb", times=1)
    assert b"<!ENTITY a9" in (await get(demo_plex, "/library/sections")).body
    demo_plex.fail("bad_gzip", times=1)
    with pytest.raises(OSError, match="gzip"):
        await get(demo_plex, "/library/sections")


async def test_faults_change_nothing(demo_plex: DemoPlex) -> None:
    for kind in ("down", "unauthorized", "maintenance", "error", "garbage", "redirect"):
        demo_plex.fail(kind, times=1)
        try:
            await get(demo_plex, "/library/metadata/101", "DELETE")
        except (ConnectionResetError, http.client.RemoteDisconnected):
            assert kind == "down"
    assert demo_plex.mutations == []
    assert 101 in demo_plex.world.items


async def test_changes_are_told_to_websockets(demo_plex: DemoPlex) -> None:
    address = f"{demo_plex.url}/:/websockets/notifications"
    async with aiohttp.ClientSession() as session:
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await session.ws_connect(address)
        async with session.ws_connect(address, headers={"X-Plex-Token": demo_plex.token}) as socket:
            demo_plex.world.change(101, rating=1.0)
            await get(demo_plex, "/library/metadata/208", "DELETE")
            told = [json.loads(await socket.receive_str(timeout=5))["NotificationContainer"] for _ in range(2)]
            await demo_plex.stop()
            assert (await socket.receive(timeout=5)).type in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSING)
    entries = [entry for container in told for entry in container["TimelineEntry"]]
    assert [(entry["sectionID"], entry["itemID"], entry["type"], entry["state"]) for entry in entries] == [
        ("1", "101", 1, 5),
        ("2", "208", 4, 9),
    ]
    assert {container["type"] for container in told} == {"timeline"}
    assert [request.path for request in demo_plex.requests][:2] == ["/:/websockets/notifications"] * 2


async def test_a_client_that_leaves_is_forgotten(demo_plex: DemoPlex) -> None:
    async with aiohttp.ClientSession(headers={"X-Plex-Token": demo_plex.token}) as session:
        async with session.ws_connect(f"{demo_plex.url}/:/websockets/notifications"):
            assert len(demo_plex._sockets) == 1
        async with asyncio.timeout(5):
            while demo_plex._sockets:
                await asyncio.sleep(0.01)
    demo_plex.world.change(101, rating=2.0)
