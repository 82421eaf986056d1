"""The gateway as a renderer meets it: raw HTTP over its unix socket, a recording Plex behind it."""

from __future__ import annotations

from tests.gateway.conftest import REAL, TOKEN, Bench


async def test_reads_reach_plex_with_the_real_token_only(bench: Bench) -> None:
    answer = await bench.ask("GET /library/metadata/1?checkFiles=1&X-Plex-Token=" + TOKEN, headers={"X-Plex-Token": TOKEN})
    assert answer.status == 200
    assert b'ratingKey="1"' in answer.body
    (seen,) = bench.plex.requests
    assert seen.line == "GET /library/metadata/1?skipRefresh=1 HTTP/1.1"
    assert seen.header("X-Plex-Token") == REAL
    assert TOKEN not in str(seen)
    assert [name for name, _ in seen.headers if name.lower() == "x-plex-token"] == ["X-Plex-Token"]


async def test_listings_show_the_targets_only(bench: Bench) -> None:
    answer = await bench.ask(
        "GET /library/sections/1/all?includeGuids=1&type=1", headers={"X-Plex-Container-Start": "0", "X-Plex-Container-Size": "100"}
    )
    assert answer.status == 200
    assert answer.text.count("<Video") == 3
    assert 'totalSize="3"' in answer.text


async def test_canary(bench: Bench) -> None:
    await bench.gateway.canary()
    assert bench.plex.requests == []
