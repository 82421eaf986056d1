"""What Prometheus is told, and whom."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from sidecar.metrics import Figures, Metrics
from sidecar.model import Health
from tests.web.site import Site, raw, running


def values(text: bytes) -> dict[tuple[str, ...], float]:
    """(name, label values...) -> value."""
    found = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            found[(sample.name.removeprefix("kometa_sidecar_"), *sample.labels.values())] = sample.value
    return found


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def figures(tmp_path: Path) -> Figures:
    return Figures(
        gateway={
            "forwarded": 7,
            "captured": 3,
            "blocked": 2,
            "refused": 1,
            "plex_hits": 40,
            "egress_hits": 5,
            "egress_sent": 1,
            "plex_sent": 9,
        },
        health=[Health(part="plex", ok=False, detail="Alien (1979) is not to be told"), Health(part="worker", ok=True)],
        queue={"change": 1, "render": 0, "chores": 0},
        outbox={("discord", "pending"): 2, ("discord", "dead"): 1},
        worker_starts=3,
        listeners=4,
        chores={"drift": (datetime(2026, 11, 21, tzinfo=UTC), True)},
        data=tmp_path,
    )


def test_what_is_counted(figures: Figures) -> None:
    clock = Clock()
    metrics = Metrics("1.2.3", clock=clock)
    for _ in range(2):
        metrics.heard("run.started", {"run": "r", "targets": 2})
        metrics.heard("run.phase", {"phase": "connect", "shard": 0})
        metrics.heard("run.phase", {"phase": "connect", "shard": 1})
        clock.now += 2
        metrics.heard("run.phase", {"phase": "draw", "shard": 0})
        metrics.heard("picture", {"state": "rendered", "title": "Alien (1979)"})
        clock.now += 3
        metrics.heard("run.ended", {"run": "r", "state": "done", "seconds": 5.25})
    metrics.heard("run.ended", {"run": "r", "state": "invalid", "seconds": 0.0})
    metrics.heard("health", {"part": "plex", "ok": True})
    text = metrics.text(figures)
    assert b"Alien" not in text
    got = values(text)
    expected: dict[tuple[str, ...], float] = {
        ("runs_total", "done"): 2,
        ("runs_total", "invalid"): 1,
        ("runs_total", "failed"): 0,
        ("run_seconds_sum", "done"): 10.5,
        ("phase_seconds_sum", "connect", "done"): 2 * (2 + 5),
        ("phase_seconds_sum", "draw", "done"): 2 * 3,
        ("phase_seconds_count", "draw", "done"): 2,
        ("pictures_total", "rendered"): 2,
        ("gateway_requests_total", "captured"): 3,
        ("gateway_requests_total", "answered"): 0,
        ("cache_hits_total", "plex"): 40,
        ("cache_misses_total", "plex"): 7,
        ("upstream_requests_total", "plex"): 9,
        ("worker_restarts_total",): 2,
        ("healthy", "plex"): 0,
        ("queue", "change"): 1,
        ("outbox_letters", "discord", "dead"): 1,
        ("info", "1.2.3"): 1,
        ("chore_ok", "drift"): 1,
    }
    assert {key: got.get(key) for key in expected} == expected
    assert got["disk_free_bytes",] > 0
    assert got["process_cpu_seconds_total",] > 0
    assert values(metrics.text(figures)).keys() == got.keys(), "a second look registers nothing twice"
    assert not any(family.name.startswith("kometa_sidecar") for family in REGISTRY.collect()), "the global registry is left alone"


TOKEN = "a long enough token"


async def numbers() -> bytes:
    return b"# HELP up Up.\n# TYPE up gauge\nup 1.0\n"


@pytest.mark.parametrize(
    ("headers", "base_url", "status"),
    [
        ("", "", 200),
        ("Authorization: Bearer wrong-wrong-wrong\r\n", "", 200),
        ("X-Forwarded-For: 192.0.2.1\r\n", "", 401),
        ("Forwarded: for=192.0.2.1\r\n", "", 401),
        ("", "https://kometa.example", 401),
        (f"Authorization: Bearer {TOKEN}\r\n", "https://kometa.example", 200),
    ],
)
async def test_programs_here_need_no_token_and_others_do(site_files: Path, headers: str, base_url: str, status: int) -> None:
    async with running(Site(site_files), token=SecretStr(TOKEN), metrics=numbers, base_url=base_url) as site:
        request = f"GET /metrics HTTP/1.1\r\nHost: 127.0.0.1:{site.port}\r\nConnection: close\r\n{headers}\r\n"
        got, text = await raw(site.port, request.encode())
        assert got == status, text
        assert ("up 1.0" in text) == (status == 200)
        if status == 200:
            assert "Content-Type: text/plain; version=0.0.4; charset=utf-8" in text


async def test_a_name_that_is_not_this_machine_s_own_needs_the_token(site_files: Path) -> None:
    """A page elsewhere whose name was pointed at 127.0.0.1 sends its own name."""
    async with running(Site(site_files), token=SecretStr(TOKEN), metrics=numbers, allowed_hosts=["nas.lan"]) as site:
        for host, status in (("nas.lan", 401), ("evil.example", 421), ("192.0.2.7", 401), ("localhost", 200), ("[::1]", 200)):
            got, text = await raw(site.port, f"GET /metrics HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
            assert got == status, (host, text)
