"""The composition root: the only place where the daemon's parts are built, joined, started and stopped."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import logging
import shutil
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from sidecar import __version__, engines, logs, reviewing
from sidecar import web as pages
from sidecar.backend import Archive, Controls
from sidecar.gateway import Gateway, Limits, Mode
from sidecar.listening import listen, own_names
from sidecar.metrics import Metrics
from sidecar.model import Change, Run, RunState
from sidecar.pipeline import Pipeline, Planner, Renderer
from sidecar.pipeline.asked import Asks
from sidecar.pipeline.housekeeping import Housekeeping, Keep
from sidecar.pipeline.intake import Intake
from sidecar.pipeline.plexnow import PlexNow
from sidecar.pipeline.probes import Probes
from sidecar.pipeline.runlog import RunLogs
from sidecar.pipeline.showcase import Showcase
from sidecar.pipeline.stage import Stages
from sidecar.pipeline.wanted import Wanted
from sidecar.places import Places, open_places
from sidecar.publish import Gallery
from sidecar.settings import Settings, is_loopback
from sidecar.store import Blobs, State, Sync
from sidecar.tasks import Tasks
from sidecar.telling import Desk, notifier_of
from sidecar.upkeep import Upkeep, recall_runs
from sidecar.watch import Timing, Watcher
from sidecar.wishes import read_options, target_wishes

log = logging.getLogger(__name__)


class App:
    """One daemon over one Kometa config directory. ``async with App(...) as app`` starts it, without rendering anything yet.

    ``serving`` False leaves out what only a daemon needs: the web server, the watcher, notifications. ``hear`` is told
    of every event that browsers are told of.
    """

    def __init__(
        self,
        settings: Settings,
        config_dir: Path,
        env: Mapping[str, str],
        *,
        redact: logs.Redactor,
        serving: bool = True,
        hear: Callable[[str, Mapping[str, Any]], None] | None = None,
    ) -> None:
        self.settings = settings
        self.config_dir = config_dir
        self.url = ""
        self._env = env
        self._redact = redact
        self._serving = serving
        self._hear = hear
        self._tasks = Tasks()
        self.spawn = self._tasks.spawn
        self._stack = contextlib.AsyncExitStack()
        self.desk = Desk()

    async def __aenter__(self) -> Self:
        try:
            await self._build()
        except BaseException:  # cancelled while it starts, too: what was opened is closed
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        await self._stack.aclose()

    async def _build(self) -> None:
        settings = self.settings
        self._redact.learn(settings.secrets)
        self.choice = await asyncio.to_thread(engines.choose, settings, self._env, self.config_dir)
        log.info("%s", self.choice.why)
        places = await asyncio.to_thread(open_places, settings.data.absolute(), self._env, self.choice.exchange)
        self._stack.callback(places.release)
        self.places = places
        self._stack.push_async_callback(asyncio.to_thread, shutil.rmtree, places.runtime, ignore_errors=True)
        self.state = await State.open(places.database)
        self._stack.push_async_callback(self.state.close)
        if self.state.rebuilt:
            await recall_runs(self.state, places.gallery)
        for run in await self.state.interrupted():
            log.warning("run %s was cut off when the daemon stopped", run.id)
        await asyncio.to_thread(places.clear_work)
        self.blobs = Blobs(places.blobs)
        self.events = pages.Events()
        self.metrics = Metrics(__version__)
        self.gallery = Gallery(places.gallery, self.blobs.path, base_url=settings.web.base_url)
        self.showcase = Showcase(
            self.gallery,
            self._publish_event,
            config_dir=self.config_dir.name,
            watching=self._serving,
            at_once=self._heard,
        )
        self.reviews, comparer = reviewing.build(
            settings.review,
            state=self.state,
            blobs=self.blobs,
            gallery=self.gallery,
            showcase=self.showcase,
            revisions=places.revisions,
            redact=self._redact,
        )
        self._stack.callback(comparer.close)  # after the tasks that compare have ended
        await self._start_gateway(places)
        self._stack.push_async_callback(self._tasks.close)
        self._join(places)
        self._stack.push_async_callback(self.engine.stop)
        self._stack.push_async_callback(self.planner.close)
        self._stack.push_async_callback(self.renderer.close)
        self._stack.push_async_callback(self.pipeline.cancel)
        await reviewing.note_name(self.state, self.config_dir.name)
        await reviewing.restore(self.showcase, self.state)
        if self._serving:
            await self._start_web(places)
            await self._start_notifications()

    async def _start_gateway(self, places: Places) -> None:
        settings = self.settings.gateway
        self.gateway = Gateway(
            socket=places.socket,
            put_blob=functools.partial(self.blobs.put, sync=Sync.LATER),  # a run's pictures are settled before it is recorded
            cache_dir=settings.cache_dir or places.cache,
            host_map=settings.host_map,
            tcp_port=settings.tcp_port,
            limits=Limits(egress_ttl=settings.cache_ttl),
            mode=Mode(settings.mode),
            recording=settings.recording,
            private_hosts=settings.private_hosts,
            spawn=self._tasks.spawn,
        )
        await self.gateway.start()
        self._stack.push_async_callback(self.gateway.stop)
        await self.gateway.canary()

    def _join(self, places: Places) -> None:
        settings = self.settings
        self.watcher = Watcher(
            self.config_dir,
            mode=settings.watch.mode,
            timing=Timing(closed=settings.watch.settle_closed, written=settings.watch.settle_written, cap=settings.watch.settle_most),
            rescan=settings.watch.rescan,
            poll_interval=settings.watch.poll_interval,
        )
        intake = Intake(self.blobs)
        self.engine = engines.build(
            self.choice,
            settings,
            self._env,
            places,
            spawn=self._tasks.spawn,
            items=engines.Items(lambda: self.planner.readers),
            deliver=intake.deliver,
            tell=self._worker_waits,
            patient=not self._serving,
        )
        here = self.choice.place.home if self.choice.place else None
        self.planner = Planner(
            config_dir=self.config_dir,
            options=read_options(settings, self._env, here),
            kometa=engines.kometa_of(self.choice, self.engine),
            store=places.revisions,
            wishes=target_wishes(settings.targets),
            gateway=self.gateway,
            state=self.state,
            learn_secrets=self._redact.learn,
            follow=self.watcher.follow,
            notes=lambda: (*self.state.problems, *self.watcher.problems),
            wanted=Wanted(self.state, most=settings.hooks.extra, lifetime=settings.hooks.extra_for),
        )
        self.logs = RunLogs(places.logs, self._redact)
        self.renderer = Renderer(
            engine=self.engine,
            gateway=self.gateway,
            intake=intake,
            socket=places.socket,
            blobs=self.blobs,
            state=self.state,
            showcase=self.showcase,
            work=places.work,
            open_log=self.logs.open,
            tell=self._tell,
            spawn=self._tasks.spawn,
            kometa_home=here,
            shards=settings.engine.shard_count,
            deadline=settings.engine.deadline,
            phase_deadline=settings.engine.phase_deadline,
            memory=settings.engine.memory,
        )
        self.stages = Stages(
            planner=self.planner,
            renderer=self.renderer,
            showcase=self.showcase,
            state=self.state,
            tell=self._tell,
            review=self.reviews.submit,
        )
        self.pipeline = Pipeline(self.stages, self._tasks.spawn)
        self.archive = Archive(
            state=self.state,
            logs=self.logs,
            status=self.status,
            health=lambda: self.showcase.health,
            problems=lambda: (*self.state.problems, *self.watcher.problems),
            current=lambda: self.showcase.view.current,
        )
        self.asks = Asks(self.planner, self.pipeline.submit)
        self.plex_now = PlexNow(
            state=self.state, blobs=self.blobs, readers=lambda: self.planner.readers, site=self.gallery, tell=self._publish_event
        )
        self.housekeeping = Housekeeping(
            state=self.state,
            blobs=self.blobs,
            gallery=self.gallery,
            revisions=places.revisions,
            logs=places.logs,
            keep=Keep(runs=settings.retention.runs, age=settings.retention.age, size=settings.retention.size),
            forgot=self._forgot,
        )
        self.probes = Probes(self.planner, self.engine, self.showcase, self.pipeline.recovered)
        self.upkeep = Upkeep(
            settings.schedule,
            data=places.data,
            state=self.state,
            gateway=self.gateway,
            engine=self.engine,
            pipeline=self.pipeline,
            housekeeping=self.housekeeping,
            showcase=self.showcase,
            events=self.events,
        )

    async def _start_notifications(self) -> None:
        notifier = notifier_of(
            self.settings,
            self.state,
            self.blobs,
            self._redact,
            self.settings.web.base_url or self.url,
            review=lambda run: self.reviews.compare(run.id),
            tell=self._notifications_health,
        )
        self._stack.push_async_callback(notifier.close)
        await notifier.start()
        await notifier.catch_up(await self.state.runs(limit=5))
        self.desk.notifier = notifier
        self._tasks.spawn(notifier.serve(), "notifications")

    def _notifications_health(self, name: str, well: bool, why: str) -> None:
        part = f"notifications ({name})"
        if not well:
            self.showcase.away(part, why)
        elif any(known.part == part for known in self.showcase.health):
            self.showcase.well(part)

    async def _start_web(self, places: Places) -> None:
        settings = self.settings.web
        app = pages.make_app(
            gallery=places.gallery,
            events=self.events,
            source=self.archive,
            actions=Controls(self.pipeline),
            reviewing=self.reviews,
            telling=self.desk,
            asking=self.asks,
            hook_secret=self.settings.hooks.secret,
            metrics=self._scrape,
            redact=self._redact,
            host=settings.host,
            token=settings.token,
            base_url=settings.base_url,
            base_path=settings.base_path,
            trusted_proxies=settings.trusted_proxies,
            allowed_hosts=() if is_loopback(settings.host) else own_names(),
        )
        self.url = await listen(app, settings.host, settings.port, self._stack)
        await asyncio.to_thread(places.announce, self.url)
        self._stack.callback(places.fall_silent)

    # ── doing the work ───────────────────────────────────────────────────────────────────────────────────

    async def serve(self, stop: asyncio.Event) -> None:
        """Watch and render until ``stop`` is set."""
        self._tasks.spawn(self.showcase.serve(), "gallery")
        self._tasks.spawn(self.reviews.serve(), "reviews")
        self._tasks.spawn(self.asks.serve(), "hooks")
        self._tasks.spawn(self.plex_now.serve(), "what Plex shows")
        self._tasks.spawn(self.probes.plex(), "probe: plex")
        self._tasks.spawn(self.probes.worker(), "probe: worker")
        await self.upkeep.start(self._tasks.spawn)
        self._stack.callback(self.upkeep.stop)
        serving = self._tasks.spawn(self.pipeline.serve(self.watcher.changes()), "pipeline")
        stopping = self._tasks.spawn(stop.wait(), "stop")
        await asyncio.wait({serving, stopping}, return_when=asyncio.FIRST_COMPLETED)
        await self.watcher.stop()
        await self.pipeline.cancel()
        serving.cancel()
        await asyncio.wait({serving}, timeout=5)

    async def render_once(self) -> Run:
        """Render the config as it is now; returns the finished run. SidecarError where there is nothing to render."""
        change = Change(reason="request", seen=time.monotonic())
        serving = self._tasks.spawn(self.showcase.serve(), "gallery")
        try:
            plan = await self.stages.plan(change)
            run = await self.stages.render(plan, lambda: RunState.CANCELLED)
            await self.reviews.settle()
            await self.showcase.flush()
            return run
        finally:
            serving.cancel()

    def status(self) -> dict[str, object]:
        """What the daemon is doing, for the API."""
        view = self.showcase.view
        return {
            "version": __version__,
            "config": self.config_dir.name,
            "engine": view.engine.kind if view.engine else None,
            "engine_version": view.engine.version if view.engine else None,
            "rendering": view.current.id if view.current else None,
            "waiting": self.pipeline.waiting,
            "shown": view.shown.id if view.shown else None,
            "latest": view.latest.id if view.latest else None,
            "polling": self.watcher.polling,
            "health": [{"part": part.part, "ok": part.ok, "detail": part.detail, "since": part.since} for part in self.showcase.health],
            "gateway": self.gateway.snapshot(),
            "schedule": self.upkeep.status(),
        }

    # ── what the parts are given ─────────────────────────────────────────────────────────────────────────

    async def _scrape(self) -> bytes:
        return self.metrics.text(await self.upkeep.figures())

    def _publish_event(self, kind: str, data: Mapping[str, Any]) -> None:
        told = logs.masked(data, self._redact)
        self.events.publish(kind, told)
        self.upkeep.heard(kind)
        if self._hear is not None:
            self._hear(kind, told)

    def _forgot(self, runs: Collection[str]) -> None:
        self.showcase.forgotten(runs)
        shown = self.showcase.view.shown
        self.reviews.refresh(picture.target for picture in (shown.pictures if shown else ()))

    def _heard(self, kind: str, data: Mapping[str, Any]) -> None:
        self.metrics.heard(kind, data)
        if kind == "health" and data["part"] == "plex" and not data["ok"]:
            self.probes.alarm()
        if kind == "health" and self.desk.notifier is not None:
            self.desk.notifier.heard(str(data["part"]), bool(data["ok"]), str(data["detail"]))

    async def _tell(self, run: Run) -> None:
        if run.state is RunState.DONE:
            self.plex_now.submit(run)
        if self.desk.notifier is not None:
            self.desk.notifier.ended(run)

    def _worker_waits(self, words: str) -> None:
        self.showcase.away("worker", words)
