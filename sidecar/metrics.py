"""Figures for Prometheus. The only module that knows prometheus_client; a registry of its own, never the global one.

Most figures are counted elsewhere already and read when somebody asks (:class:`Figures`); only what passes by as events
(runs, phases, pictures) is counted here.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from sidecar.model import Health

PREFIX: Final = "kometa_sidecar"
BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0, 5.0, 8.0, 13.0, 30.0, 60.0, 120.0, 300.0)
"""Seconds."""

DECISIONS: Final = ("forwarded", "answered", "captured", "blocked", "refused")
"""What the gateway does with a request; see ``Gateway.snapshot``."""
CACHES: Final = {"plex": ("plex_hits", "forwarded"), "egress": ("egress_hits", "egress_sent")}
"""Cache -> its counters of hits and of misses."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What is read when somebody asks; nothing of it may hold a secret or a title."""

    gateway: Mapping[str, int]
    health: Sequence[Health]
    queue: Mapping[str, int]
    """change, render, chores: how many wait."""
    outbox: Mapping[tuple[str, str], int]
    """(destination, state of a letter) -> how many."""
    worker_starts: int
    listeners: int
    chores: Mapping[str, tuple[datetime, bool]]
    """Chore -> when it began last, and whether it went well."""
    data: Path
    """The data directory: the free space of its disk."""
    sizes: Mapping[str, int] = field(default_factory=dict)
    """Part of the data -> bytes."""


class Metrics:
    """``heard`` takes the daemon's events as they happen; ``text`` answers /metrics."""

    def __init__(self, version: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._registry = CollectorRegistry(auto_describe=False)
        self._clock = clock
        self._phases: dict[int, tuple[str, float]] = {}
        self._begun = 0.0
        self._runs = Counter(f"{PREFIX}_runs", "Runs that ended, by state.", ["state"], registry=self._registry)
        self._seconds = Histogram(
            f"{PREFIX}_run_seconds", "From the save to the published result.", ["state"], buckets=BUCKETS, registry=self._registry
        )
        self._phase = Histogram(
            f"{PREFIX}_phase_seconds",
            "A shard's time in a phase, by the run's state.",
            ["phase", "state"],
            buckets=BUCKETS,
            registry=self._registry,
        )
        self._pictures = Counter(f"{PREFIX}_pictures", "Pictures that were shown, by state.", ["state"], registry=self._registry)
        self._ended: list[tuple[str, float]] = []
        Info(PREFIX, "The daemon.", registry=self._registry).info({"version": version})
        ProcessCollector(namespace=PREFIX, registry=self._registry)
        for state in ("done", "failed", "invalid", "superseded", "cancelled"):  # there from the start, so that rates are right
            self._runs.labels(state)

    def heard(self, kind: str, data: Mapping[str, Any]) -> None:
        """An event of the daemon: run.started, run.phase, picture, run.ended. Others are passed over."""
        now = self._clock()
        if kind == "run.started":
            self._phases.clear()
            self._ended.clear()
        elif kind == "run.phase":
            self._leave(int(data["shard"]), now)
            self._phases[int(data["shard"])] = (str(data["phase"]), now)
        elif kind == "picture":
            self._pictures.labels(str(data["state"])).inc()
        elif kind == "run.ended":
            state = str(data["state"])
            for shard in list(self._phases):
                self._leave(shard, now)
            for phase, seconds in self._ended:
                self._phase.labels(phase, state).observe(seconds)
            self._ended.clear()
            self._runs.labels(state).inc()
            if (seconds := float(data.get("seconds") or 0.0)) > 0:
                self._seconds.labels(state).observe(seconds)

    def _leave(self, shard: int, now: float) -> None:
        if (before := self._phases.pop(shard, None)) is not None:
            self._ended.append((before[0], now - before[1]))

    def text(self, figures: Figures) -> bytes:
        """The text of /metrics, in Prometheus' exposition format 0.0.4."""
        now = _Now(figures)
        self._registry.register(now)
        try:
            return generate_latest(self._registry)
        finally:
            self._registry.unregister(now)


class _Now(Collector):
    """The figures of one moment."""

    def __init__(self, figures: Figures) -> None:
        self._figures = figures

    def describe(self) -> Iterable[Metric]:
        return ()  # each answer has a collector of its own: nothing to compare names with

    def collect(self) -> Iterable[Metric]:
        f = self._figures
        yield _counted("gateway_requests", "Requests of renderers, by what became of them.", "decision", f.gateway, DECISIONS)
        yield _counted("gateway_failures", "Reads of Plex that failed.", "upstream", {"plex": f.gateway.get("plex_failures", 0)})
        sent = {"plex": f.gateway.get("plex_sent", 0), "egress": f.gateway.get("egress_sent", 0)}
        yield _counted("upstream_requests", "Requests that left this machine's gateway.", "upstream", sent)
        for end, column, words in (("hits", 0, "Answers from a cache."), ("misses", 1, "Answers that had to be asked for.")):
            yield _counted(f"cache_{end}", words, "cache", {name: f.gateway.get(keys[column], 0) for name, keys in CACHES.items()})
        yield GaugeMetricFamily(f"{PREFIX}_grants", "Grants that are open.", value=f.gateway.get("grants", 0))
        restarts = max(0, f.worker_starts - 1)
        yield CounterMetricFamily(f"{PREFIX}_worker_restarts", "Workers that were started after the first.", value=restarts)
        yield _gauges("healthy", "1 where the part works.", "part", {part.part: int(part.ok) for part in f.health})
        yield _gauges("queue", "What waits.", "what", f.queue)
        letters = GaugeMetricFamily(f"{PREFIX}_outbox_letters", "Notifications, by state.", labels=["destination", "state"])
        for labels, count in f.outbox.items():
            letters.add_metric(labels, count)
        yield letters
        yield GaugeMetricFamily(f"{PREFIX}_listeners", "Open pages that hear events.", value=f.listeners)
        yield _gauges(
            "chore_last_seconds", "When a chore began last (Unix time).", "chore", {n: at.timestamp() for n, (at, _) in f.chores.items()}
        )
        yield _gauges("chore_ok", "1 where a chore's last time went well.", "chore", {n: int(ok) for n, (_, ok) in f.chores.items()})
        yield _gauges("data_bytes", "Size of a part of the data.", "part", f.sizes)
        try:
            disk = os.statvfs(f.data)
        except OSError:
            return
        yield GaugeMetricFamily(f"{PREFIX}_disk_free_bytes", "Free on the data directory's disk.", value=disk.f_bavail * disk.f_frsize)


def _counted(name: str, words: str, label: str, values: Mapping[str, int], keys: Iterable[str] | None = None) -> Metric:
    family = CounterMetricFamily(f"{PREFIX}_{name}", words, labels=[label])
    for key in keys or values:
        family.add_metric([key], values.get(key, 0))
    return family


def _gauges(name: str, words: str, label: str, values: Mapping[str, float]) -> Metric:
    family = GaugeMetricFamily(f"{PREFIX}_{name}", words, labels=[label])
    for key, value in values.items():
        family.add_metric([key], value)
    return family
