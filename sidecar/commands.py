"""What each command of the command line does. ``cli`` parses, these act; each returns the exit status."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sidecar import archive, checks, logs, stock, telling
from sidecar.app import App
from sidecar.approve import Request, carry_out, told_apart
from sidecar.demo import DEMO_TOKEN, DemoHosts, DemoPlex, World
from sidecar.doctor import Finding, State, examine, verdict
from sidecar.errors import InputError
from sidecar.model import PictureState, Problem, Run, RunState, Severity
from sidecar.places import open_places
from sidecar.progress import Progress
from sidecar.sdnotify import Systemd
from sidecar.service import Hear, Service, end_within
from sidecar.settings import Settings, load_settings
from sidecar.sight import exists, is_closed, is_dir, is_file

Print = Callable[[object], None]
Env = Mapping[str, str]

HERE: Final = Path(__file__).parent


async def run(options: argparse.Namespace, env: Env, progress: Progress, output: Print) -> int:
    """Watch, render and serve until told to stop."""
    directory = _config_dir(options)
    redact = logs.Redactor()

    def read() -> Settings:
        return _settings(options, env, redact=redact)[0]

    def build(settings: Settings, hear: Hear) -> App:
        return App(settings, directory, env, redact=redact, hear=hear)

    await Service(read, build, systemd=Systemd(env), say=progress.say, ending=end_within).run()
    return 0


async def render(options: argparse.Namespace, env: Env, progress: Progress, output: Print) -> int:
    """Render once."""
    settings, redact = _settings(options, env, level="warning")
    result = await _once(settings, _config_dir(options), env, redact, progress)
    if options.json:
        output(summary(result, settings))
    else:
        _tell(result, settings, progress)
    return 0 if result.state is RunState.DONE else 1


async def check(options: argparse.Namespace, env: Env, progress: Progress, output: Print) -> int:
    """Validate the settings and the config directory; nothing is rendered, Plex is not asked."""
    settings, _ = _settings(options, env, level="warning")
    problems = await asyncio.to_thread(checks.check, _config_dir(options), settings, env)
    errors = sum(problem.severity is Severity.ERROR for problem in problems)
    warnings = sum(problem.severity is Severity.WARNING for problem in problems)
    if options.json:
        output({"errors": errors, "warnings": warnings, "problems": [checks.plain(problem) for problem in problems]})
    else:
        for problem in problems:
            progress.problem(problem)
        output(f"{options.directory}: {errors} errors, {warnings} warnings")
    return 1 if errors else 0


async def demo(options: argparse.Namespace, env: Env, progress: Progress, output: Print) -> int:
    """The demo's Plex, and the daemon on the sample config."""
    async with contextlib.AsyncExitStack() as stack:
        progress.step("drawing the demo's posters")
        world = World.sample()
        plex = await stack.enter_async_context(DemoPlex(world))
        hosts = await stack.enter_async_context(DemoHosts(world))
        if options.data is None:
            options.data = Path(tempfile.mkdtemp(prefix="kometa-sidecar-demo-"))
            stack.push_async_callback(asyncio.to_thread, shutil.rmtree, options.data, ignore_errors=True)
        directory = await asyncio.to_thread(_sample, options.data)
        env = {**env, "KOMETA_PLEX_URL": plex.url, "KOMETA_PLEX_TOKEN": DEMO_TOKEN, "KOMETA_TMDB_APIKEY": "0" * 32}
        settings, redact = _settings(options, env, level="warning" if options.once else "info", host_map=hosts.map)
        if options.once:
            result = await _once(settings, directory, env, redact, progress)
            output(summary(result, settings))
            return 0 if result.state is RunState.DONE and not plex.writes else 1
        async with App(settings, directory, env, redact=redact) as app:
            progress.done()
            progress.say(f"\n  gallery   {app.url}", "bold green")
            progress.say(f"  edit      {directory}/overlays/*.yml or config.yml, and watch the posters change")
            progress.say("  stop      Ctrl-C\n")
            await _until_stopped(app)
            progress.say(f"the demo's Plex saw {len(plex.requests)} reads, {len(plex.writes)} writes")
    return 0


async def grant(options: argparse.Namespace, env: Env, progress: Progress, output: Print) -> int:
    """Let a stock Kometa preview through the gateway until told to stop."""
    with tempfile.TemporaryDirectory(prefix="kometa-sidecar-grant-") as scratch:  # the daemon may be at work in its own directory
        folder: Path = (options.output or Path("kometa-sidecar-previews")).absolute()
        options.data = Path(scratch)
        settings, redact = _settings(options, env, level="warning", tcp_port=options.port or 0)
        async with App(settings, _config_dir(options), env, redact=redact, serving=False) as app, _signals() as stop:
            progress.step("choosing targets")
            async with stock.lend(app, folder, progress.say) as loan:
                progress.done()
                progress.say(f"{len(loan.targets)} items can be seen. In a copy of config.yml, replace the section plex with:\n", "bold")
                output(loan.snippet)
                progress.say(f"Then start Kometa on it (kometa.py -r --overlays-only). Pictures come to {folder}")
                progress.say(
                    f"Good for {options.minutes} minutes, or until Ctrl-C. Its settings: cache should be false, to get every picture.\n"
                )
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), options.minutes * 60)
    for problem in loan.notes:
        progress.problem(problem)
    refused = sum(not write.expected for write in loan.writes)
    progress.say(f"{len(loan.pictures)} pictures in {folder}; {len(loan.writes)} writes kept from Plex, {refused} of them unusual")
    return 0


async def doctor(options: argparse.Namespace, env: Env, progress: Progress, output: Print) -> int:
    """Look at everything; exit 1 where something fails."""
    settings, redact = _settings(options, env, level="error")
    findings: list[Finding] = []
    styles = {State.OK: "green", State.WARN: "yellow", State.FAIL: "bold red"}
    with tempfile.TemporaryDirectory(prefix="kometa-sidecar-doctor-") as scratch:
        progress.step("looking")
        async for finding in examine(_config_dir(options), settings, env, redact, Path(scratch)):
            finding = replace(finding, says=redact(finding.says), mend=redact(finding.mend))
            findings.append(finding)
            if not options.json:
                progress.done()
                output(f"{finding.state.value:4}  {finding.part:9} {finding.says}")
                if finding.mend:
                    progress.say(f"      → {finding.mend}", styles[finding.state])
    result = verdict(findings)
    if options.json:
        output(result)
    return 0 if result["ok"] else 1


async def backup(options: argparse.Namespace, env: Env, progress: Progress, output: Print) -> int:
    """Write the data directory into one file."""
    settings, _ = _settings(options, env, level="warning")
    to = Path.cwd() / (options.output or f"kometa-sidecar-{datetime.now(UTC):%Y%m%d-%H%M%S}.tar.gz")
    progress.step("copying")
    done = await asyncio.to_thread(archive.backup, settings.data.absolute(), to)
    progress.done()
    progress.say(f"{done.files} files, {done.size:,} bytes")
    output(str(done.place))
    return 0


async def restore(options: argparse.Namespace, env: Env, progress: Progress, output: Print) -> int:
    """Bring a backup back."""
    settings, _ = _settings(options, env, level="warning")
    data = settings.data.absolute()
    places = await asyncio.to_thread(open_places, data, env)  # refused while a daemon works in it
    try:
        progress.step("unpacking")
        done = await asyncio.to_thread(archive.restore, options.archive.absolute(), data, force=options.force)
    finally:
        places.release()
        await asyncio.to_thread(shutil.rmtree, places.runtime, ignore_errors=True)
    progress.done()
    progress.say(f"{done.files} files, {done.size:,} bytes" + (f"; what was there is in {done.replaced}" if done.replaced else ""))
    output(str(data))
    return 0


async def approve(options: argparse.Namespace, env: Env, progress: Progress, output: Print) -> int:
    """Approve, reject or take back; exit 0 also where nothing was left to decide."""
    settings, redact = _settings(options, env, level="warning")
    run, targets = told_apart(options.what)
    verb = "undo" if options.undo is not None else "reject" if options.reject else "approve"
    who = options.who or env.get("SUDO_USER") or env.get("USER") or "command line"
    progress.step("looking at the pictures")
    told = await carry_out(
        Request(verb=verb, run=run, targets=targets, group=options.group, batch=options.undo or "", who=who), settings, env, redact
    )
    progress.done()
    if options.json:
        output(told)
    else:
        word = {"approve": "approved", "reject": "rejected", "undo": "taken back"}[verb]
        for skipped in told["skipped"] if targets or options.group else ():
            progress.say(f"{skipped['target']}: {skipped['reason']}", "yellow")
        if told.get("newer"):
            progress.say(f"a newer run exists: {told['newer']}", "yellow")
        output(f"{word}: {', '.join(told['targets']) or 'nothing'} (run {told['run']})")
    return 0


async def notifications(options: argparse.Namespace, env: Env, progress: Progress, output: Print) -> int:
    """List, send again, or test; exit 1 where a test does not arrive."""
    settings, redact = _settings(options, env, level="error")
    progress.step("asking" if options.verb == "test" else "looking")
    told = await telling.carry_out(options.verb, options.what, settings, redact)
    progress.done()
    if options.json:
        output(told)
    elif options.verb == "list":
        for each in told["destinations"]:
            counts = ", ".join(f"{each[state]} {state}" for state in ("pending", "sent", "dead") if each[state]) or "nothing yet"
            output(f"{each['name']:16} {each['kind']:11} {each['closed'] or 'open'} ({counts})")
        for letter in told["letters"]:
            output(
                redact(f"{letter['state']:8} {letter['created'][:19]} {letter['id']}  {letter['title']}  {letter['error'] or ''}".rstrip())
            )
        if not told["destinations"]:
            progress.say("nobody is told: there are no notifications in the settings; see docs/webhooks.md")
    elif options.verb == "replay":
        output(f"{told['replayed']} messages are sent again")
    else:
        for name, why in told["results"].items():
            output(f"{name}: {why or 'arrived'}")
    return 1 if any(told.get("results", {}).values()) else 0


def summary(run: Run, settings: Settings) -> dict[str, Any]:
    """A run as one line of JSON."""
    return {
        "run": run.id,
        "state": run.state.value,
        "engine": run.engine.kind if run.engine else None,
        "version": run.engine.version if run.engine else None,
        "pictures": sum(picture.state is PictureState.RENDERED for picture in run.pictures),
        "targets": len(run.pictures),
        "changed": len(run.changed),
        "blocked_writes": len(run.blocked),
        "errors": run.errors,
        "warnings": run.warnings,
        "seconds": run.seconds,
        "gallery": str(settings.data.absolute() / "gallery" / "index.html"),
    }


async def _once(settings: Settings, directory: Path, env: Env, redact: logs.Redactor, progress: Progress) -> Run:
    progress.step("starting")
    async with App(settings, directory, env, redact=redact, serving=False, hear=lambda kind, data: _follow(progress, kind, data)) as app:
        return await app.render_once()


def _follow(progress: Progress, kind: str, data: Mapping[str, Any]) -> None:
    if kind == "run.started":
        progress.step(f"rendering {data['targets']} items")
    elif kind == "run.phase":
        progress.step(f"shard {data['shard']}: {data['name']}")
    elif kind == "picture":
        progress.step(f"{data['title']}: {data['state']}")
    elif kind == "health" and not data["ok"]:
        progress.step(f"{data['part']}: {data['detail']}")


def _tell(run: Run, settings: Settings, progress: Progress) -> None:
    progress.done()
    for problem in run.problems:
        progress.problem(problem)
    line = summary(run, settings)
    progress.say(
        f"{line['state']}: {line['pictures']} of {line['targets']} pictures by {line['engine']} {line['version'] or ''} in "
        f"{line['seconds']:.1f} s, {line['blocked_writes']} writes blocked\n{line['gallery']}"
    )


def _config_dir(options: argparse.Namespace) -> Path:
    """The directory given, or that of the config.yml given. InputError where there is none."""
    given: Path = options.directory.expanduser()
    directory = given.parent if is_file(given) else given
    if not is_dir(directory):
        closed = is_closed(given)
        problem = Problem(
            severity=Severity.ERROR,
            what=f"{given} may not be looked at by this user (uid {os.geteuid()})" if closed else f"there is no directory {given}",
            mend="give it the right to enter the directories above" if closed else "give the directory that holds Kometa's config.yml",
            source="settings",
        )
        raise InputError([problem])
    return directory


def _settings(
    options: argparse.Namespace,
    env: Env,
    *,
    level: str | None = None,
    host_map: Mapping[str, str] | None = None,
    tcp_port: int | None = None,
    redact: logs.Redactor | None = None,
) -> tuple[Settings, logs.Redactor]:
    file = options.settings or (Path(env["KOMETA_SIDECAR_SETTINGS"]) if env.get("KOMETA_SIDECAR_SETTINGS") else None)
    overrides: dict[str, Any] = {
        "data": str(options.data) if options.data else None,
        "engine": {"kind": options.engine},
        "web": {"port": getattr(options, "port", None) if tcp_port is None else None, "host": getattr(options, "host", None)},
        "gateway": {"host_map": dict(host_map) if host_map else None, "tcp_port": tcp_port},
    }
    settings = load_settings(file, env, overrides)
    redact = redact or logs.Redactor()
    logs.set_up(level=level if level and settings.log.level == "info" else settings.log.level, style=settings.log.format, redact=redact)
    return settings, redact


def _sample(data: Path) -> Path:
    """The sample config to edit: the checkout's own where there is one, else a copy of the installed one below ``data``."""
    checkout = HERE.parent / "config" / "kometa"
    if is_file(checkout / "config.yml"):
        return checkout
    copy = data / "config"
    if not exists(copy):
        shutil.copytree(HERE / "demo" / "sample" / "kometa", copy)
    return copy


async def _until_stopped(app: App) -> None:
    """Serve until SIGINT or SIGTERM."""
    async with _signals() as stop:
        await app.serve(stop)


@contextlib.asynccontextmanager
async def _signals() -> AsyncIterator[asyncio.Event]:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    try:
        yield stop
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)
