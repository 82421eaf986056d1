"""Other hosts: secrets, cache, limits, retries, rebinding, record and replay, against a recording host."""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from email.utils import formatdate
from pathlib import Path

import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from pydantic import SecretStr

from sidecar.addresses import GuardedResolver
from sidecar.gateway.admit import Origin, parse_origin
from sidecar.gateway.cache import DiskCache, Entry
from sidecar.gateway.egress import Ask, Egress, Mode
from sidecar.gateway.pace import Pace
from sidecar.model import Grant, Placeholder, Problem
from tests.gateway.upstream import Reply, Seen, Upstream

HOST = "api.themoviedb.org"
SECRET = "the-real-key-of-tmdb"


def origin(text: str) -> Origin:
    got = parse_origin(text)
    assert isinstance(got, Origin)
    return got


def grant(run: str = "a") -> Grant:
    places = (
        Placeholder(text=f"placeholder-{run}-tmdb", secret=SecretStr(SECRET), hosts=(HOST,), connector="tmdb"),
        Placeholder(text=f"placeholder-{run}-mdb", secret=SecretStr("mdb-key"), hosts=("api.mdblist.com",), connector="mdblist"),
    )
    return Grant(
        token=f"grant-token-of-run-{run}",
        run_id=run,
        shard=0,
        scopes={},
        placeholders=places,
        hosts=frozenset({HOST, "graphql.anilist.co"}),
    )


def ask(target: str = "/3/movie/1?api_key=placeholder-a-tmdb", method: str = "GET", host: str = HOST, **more: object) -> Ask:
    return Ask(method, origin(f"https://{host}"), target, **more)  # type: ignore[arg-type]


class Bench:
    def __init__(self, egress: Egress, counted: Counter[str]) -> None:
        self.egress = egress
        self.counted = counted
        self.notes: list[Problem] = []

    async def fetch(self, what: Ask, under: Grant | None = None) -> Entry:
        return await self.egress.fetch(what, under or grant(), self.notes.append)


@asynccontextmanager
async def egress(tmp_path: Path, host_map: dict[str, str], **more: object) -> AsyncIterator[Bench]:
    counted: Counter[str] = Counter()

    def count(what: str) -> None:
        counted[what] += 1

    options: dict[str, object] = {"max_body": 10_000, "timeout": 5.0, "backoff": 0.001, **more}
    made = Egress(cache=DiskCache(tmp_path / "cache", max_bytes=100_000), host_map=host_map, count=count, **options)  # type: ignore[arg-type]
    await made.start()
    try:
        yield Bench(made, counted)
    finally:
        await made.stop()
        await made.stop()


async def test_secrets_reach_their_host_and_nothing_else_sees_them(tmp_path: Path) -> None:
    def echo(seen: Seen) -> Reply:
        return Reply(
            f"you sent {seen.target} {seen.header('Authorization')}".encode(),
            headers={"ETag": f'"{SECRET}"', "Set-Cookie": "a=b", "X-Odd": "1"},
        )

    async with Upstream(echo) as host, egress(tmp_path, {HOST: host.url + "/base/"}) as bench:
        headers = {
            "authorization": "Bearer placeholder-a-tmdb",
            "cookie": "a=b",
            "x-sidecar-grant": "t",
            "x-http-method-override": "PUT",
            "accept": "*/*",
        }
        got = await bench.fetch(ask(headers=headers))
        (seen,) = host.requests
        assert seen.target == f"/base/3/movie/1?api_key={SECRET}"
        assert seen.header("Authorization") == f"Bearer {SECRET}"
        assert not {"cookie", "x-sidecar-grant", "x-http-method-override"} & {name.lower() for name, _ in seen.headers}
        assert SECRET not in got.body.decode()
        assert b"placeholder-a-tmdb" in got.body
        assert dict(got.headers) == {"content-type": "text/xml;charset=utf-8", "etag": '"placeholder-a-tmdb"'}
    for path in tmp_path.rglob("*"):
        assert SECRET not in str(path)
        assert "placeholder" not in path.name
        assert not path.is_file() or SECRET.encode() not in path.read_bytes()


async def test_answers_are_kept_across_runs_and_restarts(tmp_path: Path) -> None:
    async with Upstream(lambda seen: Reply(b"once")) as host:
        for run in ("a", "b"):
            async with egress(tmp_path, {HOST: host.url}) as bench:
                got = await bench.fetch(ask(f"/3/movie/1?api_key=placeholder-{run}-tmdb"), grant(run))
                assert got.body == b"once"
                assert bench.counted["egress_hits"] == (run == "b")
        assert len(host.requests) == 1


async def test_different_questions_have_different_answers(tmp_path: Path) -> None:
    async with (
        Upstream(lambda seen: Reply(seen.target.encode() + seen.body)) as host,
        egress(tmp_path, {HOST: host.url, "graphql.anilist.co": host.url}) as bench,
    ):
        asks = [ask("/1"), ask("/2"), ask("/1", headers={"accept-language": "de"})]
        asks += [
            ask("/", "POST", "graphql.anilist.co", body=body, headers={"content-type": "application/json"})
            for body in (b'{"query":"a"}', b'{"query":"b"}')
        ]
        got = [(await bench.fetch(one)).body for one in asks]
        assert got == [b"/1", b"/2", b"/1", b'/{"query":"a"}', b'/{"query":"b"}']
        assert len(host.requests) == 5


async def test_shards_that_ask_the_same_ask_once(tmp_path: Path) -> None:
    async with Upstream(lambda seen: Reply(b"x", wait=0.05)) as host, egress(tmp_path, {HOST: host.url}) as bench:
        got = await asyncio.gather(*(bench.fetch(ask()) for _ in range(8)))
        assert {entry.body for entry in got} == {b"x"}
        assert len(host.requests) == 1
        assert bench.egress._asking == {}


async def test_a_tired_host_is_asked_again(tmp_path: Path) -> None:
    replies = [Reply(b"slow down", status=429, headers={"Retry-After": "0"}), Reply(b"oops", status=503), Reply(b"here")]
    async with Upstream(lambda seen: replies.pop(0)) as host, egress(tmp_path, {HOST: host.url}) as bench:
        assert (await bench.fetch(ask())).body == b"here"
        assert bench.notes == []


@pytest.mark.parametrize("said", ["3600", "date", "nonsense"])
async def test_a_host_that_wants_too_much_patience_is_given_up(tmp_path: Path, said: str) -> None:
    later = formatdate(time.time() + 3600, usegmt=True) if said == "date" else said
    async with (
        Upstream(lambda seen: Reply(b"", status=429, headers={"Retry-After": later})) as host,
        egress(tmp_path, {HOST: host.url}) as bench,
    ):
        got = await bench.fetch(ask())
        assert got.status == 429
        assert dict(got.headers)["retry-after"] == later
        assert len(host.requests) == (3 if said == "nonsense" else 1)
        assert [HOST in note.what for note in bench.notes] == [True]
        await bench.fetch(ask())
        assert len(host.requests) == (6 if said == "nonsense" else 1), (
            "a failure is never kept, but a host is left alone where it asks for that"
        )


async def test_a_refused_key_is_told(tmp_path: Path) -> None:
    async with Upstream(lambda seen: Reply(b"", status=401)) as host, egress(tmp_path, {HOST: host.url}) as bench:
        assert (await bench.fetch(ask())).status == 401
        assert "key" in bench.notes[0].mend
        assert SECRET not in str(bench.notes)


async def test_what_is_not_there_is_passed_on(tmp_path: Path) -> None:
    async with Upstream(lambda seen: Reply(b"{}", status=404)) as host, egress(tmp_path, {HOST: host.url}) as bench:
        assert (await bench.fetch(ask())).status == 404
        assert bench.notes == []


async def test_redirects_are_not_followed(tmp_path: Path) -> None:
    async with (
        Upstream(lambda seen: Reply(b"", status=302, headers={"Location": "http://169.254.169.254/"})) as host,
        egress(tmp_path, {HOST: host.url}) as bench,
    ):
        got = await bench.fetch(ask())
        assert (got.status, dict(got.headers)["location"]) == (302, "http://169.254.169.254/")
        assert len(host.requests) == 1


async def test_too_long_bodies_are_cut_short(tmp_path: Path) -> None:
    async with Upstream(lambda seen: Reply(b"x" * 20_000)) as host, egress(tmp_path, {HOST: host.url}) as bench:
        assert (await bench.fetch(ask())).status == 502
        assert "10000 bytes" in bench.notes[0].what
        assert len(host.requests) == 1


@pytest.mark.parametrize(
    "reply",
    [
        Reply(raw=b"", then_close=True),
        Reply(raw=b"nonsense\r\n\r\n", then_close=True),
        Reply(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc", then_close=True),
    ],
)
async def test_a_host_that_breaks_off(tmp_path: Path, reply: Reply) -> None:
    async with Upstream(lambda seen: reply) as host, egress(tmp_path, {HOST: host.url}) as bench:
        got = await bench.fetch(ask())
        assert got.status == 502
        assert len(bench.notes) == 1
        assert SECRET not in str(bench.notes)


async def test_a_host_that_is_silent(tmp_path: Path) -> None:
    async with Upstream(lambda seen: Reply(b"late", wait=5)) as host, egress(tmp_path, {HOST: host.url}, timeout=0.1) as bench:
        assert (await bench.fetch(ask())).status == 504
        assert "in time" in bench.notes[0].what


class Names(AbstractResolver):
    """Says that every name stands for these addresses, one answer after the other."""

    def __init__(self, *answers: list[str] | OSError) -> None:
        self.answers = list(answers)

    async def resolve(self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET) -> list[ResolveResult]:
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, OSError):
            raise answer
        return [ResolveResult(hostname=host, host=ip, port=port, family=socket.AF_INET, proto=0, flags=0) for ip in answer]

    async def close(self) -> None:
        pass


@pytest.mark.parametrize("addresses", [["127.0.0.1"], ["93.184.216.34", "10.0.0.1"], ["169.254.169.254"], ["100.64.0.1"]])
async def test_names_that_stand_for_private_addresses(tmp_path: Path, addresses: list[str]) -> None:
    async with Upstream(lambda seen: Reply(b"secret")) as host, egress(tmp_path, {}, resolver=Names(addresses)) as bench:
        got = await bench.fetch(Ask("GET", Origin("http", HOST, host.port), "/x"))
        assert got.status == 403
        assert "private address" in bench.notes[0].what
        assert host.connections == 0


async def test_names_that_stand_for_public_addresses() -> None:
    guarded = GuardedResolver(Names(["93.184.216.34", "2606:4700::1111"]))
    assert [found["host"] for found in await guarded.resolve("example.org", 443)] == ["93.184.216.34", "2606:4700::1111"]
    await guarded.close()


async def test_a_name_that_changes_its_mind_gains_nothing(tmp_path: Path) -> None:
    """DNS rebinding: each connection is made to the addresses that were checked for it, and a later answer is checked again."""
    names = Names(["127.0.0.1"], ["93.184.216.34"])
    async with Upstream(lambda seen: Reply(b"secret")) as host, egress(tmp_path, {}, resolver=names) as bench:
        assert (await bench.fetch(Ask("GET", Origin("http", HOST, host.port), "/x"))).status == 403
        assert host.connections == 0


async def test_a_name_that_is_not_known(tmp_path: Path) -> None:
    async with egress(tmp_path, {}, resolver=Names(OSError(errno.ENOENT, "no such name"))) as bench:
        assert (await bench.fetch(ask())).status == 502
        assert "not known" in bench.notes[0].what


async def test_record_and_replay(tmp_path: Path) -> None:
    answers = iter([b"first", b"second"])
    async with Upstream(lambda seen: Reply(b"", status=404) if "none" in seen.target else Reply(next(answers))) as host:
        async with egress(tmp_path, {HOST: host.url}, mode=Mode.RECORD) as bench:
            assert (await bench.fetch(ask("/x"))).body == b"first"
            assert (await bench.fetch(ask("/x"))).body == b"second", "record asks always"
            assert (await bench.fetch(ask("/none"))).status == 404
        asked = len(host.requests)
        async with egress(tmp_path, {HOST: host.url}, mode=Mode.REPLAY) as bench:
            assert (await bench.fetch(ask("/x"))).body == b"second"
            assert (await bench.fetch(ask("/none"))).status == 404
            assert bench.notes == []
            assert (await bench.fetch(ask("/other"))).status == 504
            assert "recorded" in bench.notes[0].what
        assert len(host.requests) == asked


async def test_a_full_disk_costs_the_cache_only(tmp_path: Path) -> None:
    async with Upstream(lambda seen: Reply(b"here")) as host, egress(tmp_path, {HOST: host.url}) as bench:
        key = bench.egress._key(ask(), grant())
        (tmp_path / "cache" / "index" / f"{key}.json").mkdir()
        assert (await bench.fetch(ask())).body == b"here"
        assert "cannot be kept" in bench.notes[0].what


async def test_admission(tmp_path: Path) -> None:
    async with egress(tmp_path, {}) as bench:
        assert bench.egress.admit(ask(), grant()) is None
        stranger = ask("/?k=1", headers={"x-api-key": "placeholder-a-mdb"})
        assert "mdblist" in str(bench.egress.admit(stranger, grant()))
        assert bench.egress.admit(ask(host="evil.example"), grant())
        body = json.dumps({"query": "placeholder-a-tmdb"}).encode()
        assert bench.egress.admit(ask("/", "POST", "graphql.anilist.co", body=body), grant())


async def test_hosts_are_asked_at_their_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """Four at once: the first goes, each further one waits one turn longer."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(round(seconds, 3))

    monkeypatch.setattr(time, "monotonic", lambda: 1000.0)
    monkeypatch.setattr(asyncio, "sleep", sleep)
    pace = Pace(0.25, asyncio.Semaphore(6))
    for _ in range(4):
        await pace.turn()
    assert waits == [0.25, 0.5, 0.75]


def test_keys_are_hashes(tmp_path: Path) -> None:
    made = Egress(cache=DiskCache(tmp_path, max_bytes=1), host_map={}, count=lambda what: None, max_body=1, timeout=1)
    key = made._key(ask(), grant())
    assert len(key) == len(hashlib.sha256().hexdigest())
    assert key == made._key(ask("/3/movie/1?api_key=placeholder-b-tmdb"), grant("b"))


async def test_what_may_be_gone_at_the_next_try_says_so(tmp_path: Path) -> None:
    """What was drawn without it is not to be carried on from run to run."""
    statuses = iter([503, 503, 503, 401, 200])
    async with Upstream(lambda _: Reply(b"", status=next(statuses))) as host, egress(tmp_path, {HOST: host.url}) as bench:
        for _ in range(3):
            await bench.fetch(ask())
        assert [note.passing for note in bench.notes] == [True, False]


async def test_other_ways_to_other_hosts_have_another_word(tmp_path: Path) -> None:
    words, lasts = set(), []
    for options in ({}, {"private": ("radarr.lan",)}, {"mode": Mode.RECORD}, {"mode": Mode.REPLAY}, {"ttl": 60.0}):
        async with egress(tmp_path, {}, **options) as bench:
            words.add(bench.egress.word)
            lasts.append(bench.egress.lasts)
    async with egress(tmp_path, {HOST: "http://127.0.0.1:9"}) as bench:
        words.add(bench.egress.word)
    assert len(words) == 5, "how long answers are kept changes none of them"
    assert lasts == [86_400.0, 86_400.0, 0.0, 86_400.0, 60.0]


async def test_a_header_that_is_part_of_the_question_is_part_of_its_place(tmp_path: Path) -> None:
    def answer(seen: Seen) -> Reply:
        return Reply(str(seen.header("X-IMDb-User-Language")).encode())

    async with Upstream(answer) as host, egress(tmp_path, {HOST: host.url}) as bench:
        for language in ("de-DE", "en-US", "de-DE"):
            got = await bench.fetch(ask(headers={"x-imdb-user-language": language, "user-agent": f"Kometa {language}"}))
            assert got.body == language.encode()
        assert len(host.requests) == 2
