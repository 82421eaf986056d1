"""A host that asks to be left alone is, by every request of every run; and what one key was answered is no other key's answer."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from pathlib import Path

import pytest
from pydantic import SecretStr

from sidecar.gateway import pace as module
from sidecar.gateway.egress import Mode
from sidecar.model import Grant
from tests.gateway.test_egress import HOST, ask, egress, grant
from tests.gateway.upstream import Reply, Seen, Upstream


def with_key(key: str) -> Grant:
    tmdb, mdb = grant().placeholders
    return replace(grant(), placeholders=(replace(tmdb, secret=SecretStr(key)), mdb))


@pytest.mark.parametrize("status", [429, 503])
async def test_a_host_that_asks_for_an_hour_is_not_asked_other_things_meanwhile(tmp_path: Path, status: int) -> None:
    async with (
        Upstream(lambda seen: Reply(b"", status=status, headers={"Retry-After": "3600"})) as host,
        egress(tmp_path, {HOST: host.url}) as bench,
    ):
        for number in range(5):
            got = await bench.fetch(ask(f"/3/movie/{number}"))
            assert got.status == (status if number == 0 else 429)
            assert int(dict(got.headers)["retry-after"]) > 500
        assert len(host.requests) == 1
        assert bench.counted["egress_sent"] == 1
        assert all(HOST in note.what and note.passing for note in bench.notes)


async def test_requests_that_waited_for_their_turn_do_not_go_out_either(tmp_path: Path) -> None:
    async with (
        Upstream(lambda seen: Reply(b"", status=429, headers={"Retry-After": "3600"}, wait=0.05)) as host,
        egress(tmp_path, {HOST: host.url}) as bench,
    ):
        got = await asyncio.gather(*(bench.fetch(ask(f"/3/movie/{number}")) for number in range(30)))
        assert {entry.status for entry in got} == {429}
        assert len(host.requests) <= module.PER_HOST, "those that were under way already"


async def test_a_short_rest_is_waited_for_by_all(tmp_path: Path) -> None:
    came: list[float] = []

    def answer(seen: Seen) -> Reply:
        came.append(time.monotonic())
        return Reply(b"", status=429, headers={"Retry-After": "1"}) if len(came) == 1 else Reply(b"here")

    async with Upstream(answer) as host, egress(tmp_path, {HOST: host.url}) as bench:
        first = asyncio.ensure_future(bench.fetch(ask("/3/movie/1")))
        while not bench.egress._paces or not bench.egress._paces[HOST].rest_until:
            await asyncio.sleep(0.01)
        other = await bench.fetch(ask("/3/movie/2"))
        assert (other.body, (await first).body) == (b"here", b"here")
        assert all(at - came[0] >= 1.0 for at in came[1:])
        assert bench.notes == []


async def test_nobody_is_left_alone_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replies = [Reply(b"", status=429, headers={"Retry-After": "99999999999"}), Reply(b"here")]
    async with Upstream(lambda seen: replies.pop(0)) as host, egress(tmp_path, {HOST: host.url}) as bench:
        assert (await bench.fetch(ask())).status == 429
        now = time.monotonic
        monkeypatch.setattr(time, "monotonic", lambda: now() + module.LONGEST_REST)
        assert (await bench.fetch(ask())).body == b"here"


async def test_what_one_key_was_answered_is_not_given_to_another(tmp_path: Path) -> None:
    lists = {"one": b"films of the first", "two": b"films of the second"}
    async with Upstream(lambda seen: Reply(lists[seen.target[-3:]])) as host, egress(tmp_path, {HOST: host.url}) as bench:
        for key in ("one", "two", "one", "two"):
            assert (await bench.fetch(ask(), with_key(key))).body == lists[key]
        assert len(host.requests) == 2
    for path in tmp_path.rglob("*"):
        assert "one" not in path.name


async def test_a_recording_is_replayed_whatever_the_key_is_now(tmp_path: Path) -> None:
    async with Upstream(lambda seen: Reply(b"then")) as host:
        async with egress(tmp_path, {HOST: host.url}, mode=Mode.RECORD) as bench:
            await bench.fetch(ask(), with_key("old"))
        async with egress(tmp_path, {HOST: host.url}, mode=Mode.REPLAY) as bench:
            assert (await bench.fetch(ask(), with_key("new"))).body == b"then"
        assert len(host.requests) == 1
