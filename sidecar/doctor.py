"""``doctor``: what works, what does not, and how to mend it. Reads only; renders nothing; needs no daemon and disturbs none."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import platform
import shutil
import socket
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import StrEnum
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from sidecar import __version__, checks, checkup, logs
from sidecar.app import App
from sidecar.errors import CanaryFailed, EngineError, InputError, PlexAway, PlexError, PlexRefused, SidecarError
from sidecar.gateway.canonical import Canonical
from sidecar.gateway.plex import PlexClient
from sidecar.gateway.policy import RULES, Action
from sidecar.gateway.scope import Garbled, parse
from sidecar.model import Change, Severity
from sidecar.settings import Settings
from sidecar.sight import exists, is_closed, is_socket

FREE: Final = (200 * 1024**2, 2 * 1024**3)
"""Bytes free on the data directory's disk: below the first it fails, below the second it is told."""
SKEW: Final = 60.0
"""Seconds that Plex's clock and ours may differ."""
WATCHES: Final = 8192
"""Directories that inotify should be able to watch."""

MENDS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "process": "engine.kometa_home and engine.kometa_python name a Kometa and its Python",
        "socket": "start the worker (docker compose up worker, or systemctl start kometa-sidecar-worker); see docs/containers.md",
        "container": "Docker must run, this user must be allowed to use it, and the image must be there; see docs/containers.md",
        "draft": "report it, please: the built-in engine needs nothing",
    }
)
"""What to do about an engine that does not start, by its kind."""


class State(StrEnum):
    """How a finding stands."""

    OK = "ok"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at. ``mend`` says what to do, unless all is well."""

    part: str
    state: State
    says: str
    mend: str = ""

    def plain(self) -> dict[str, str]:
        """As JSON."""
        return {"part": self.part, "state": self.state.value, "says": self.says, "mend": self.mend}


Looks = AsyncIterator[Finding]


async def examine(config_dir: Path, settings: Settings, env: Mapping[str, str], redact: logs.Redactor, scratch: Path) -> Looks:
    """Every finding, as it is made. ``scratch`` is an empty directory to work in, so that a running daemon is not disturbed."""
    yield Finding("version", State.OK, f"kometa-sidecar {__version__}, Python {platform.python_version()}, {platform.machine()}")
    yield await asyncio.to_thread(_config, config_dir, settings, env)
    for finding in await asyncio.to_thread(_data, settings.data.absolute()):
        yield finding
    for part, state, says, mend in await asyncio.to_thread(lambda: list(checkup.look(settings.data.absolute(), settings.schedule))):
        yield Finding(part, State(state), says, mend)
    yield await asyncio.to_thread(_port, settings)
    yield await asyncio.to_thread(_watches)
    own = await asyncio.to_thread(_apart, settings, scratch)
    try:
        async with App(own, config_dir, env, redact=redact, serving=False) as app:
            yield Finding("gateway", State.OK, "its self-test: every forbidden request was refused, and nothing was sent")
            yield _policy()
            yield await _engine(app)
            async for finding in _plex(app):
                yield finding
    except CanaryFailed as error:
        yield Finding("gateway", State.FAIL, str(error), "do not use this installation; report it, please")
    except EngineError as error:
        yield Finding("engine", State.FAIL, str(error), "set engine.kometa_home, or KOMETA_HOME and KOMETA_PYTHON")
    except SidecarError as error:
        yield Finding("daemon", State.FAIL, str(error))


def _apart(settings: Settings, scratch: Path) -> Settings:
    """``settings`` with everything that is written in ``scratch``; a worker that others started stays where it is."""
    there = settings.worker_socket
    engine = settings.engine
    socket = there if engine.kind == "socket" or engine.exchange or engine.socket or is_socket(there) else None
    return settings.model_copy(update={"data": scratch, "engine": engine.model_copy(update={"exchange": None, "socket": socket})})


def _config(config_dir: Path, settings: Settings, env: Mapping[str, str]) -> Finding:
    problems = checks.check(config_dir, settings, env)
    count = Counter(problem.severity for problem in problems)
    worst = next((p for p in problems if p.severity is not Severity.INFO), None)
    says = f"{config_dir}: {count[Severity.ERROR]} errors, {count[Severity.WARNING]} warnings"
    if worst is None:
        return Finding("config", State.OK, says)
    state = State.FAIL if count[Severity.ERROR] else State.WARN
    place = f"{worst.place}: " if worst.place else ""
    return Finding("config", state, f"{says}; {place}{worst.what}", worst.mend or "see kometa-sidecar check")


def _data(data: Path) -> list[Finding]:
    if is_closed(data):
        what = f"{data} may not be looked at by this user (uid {os.geteuid()})"
        return [Finding("data", State.FAIL, what, "run doctor as the daemon's user, or choose another --data")]
    there = next(path for path in (data, *data.parents) if exists(path))
    if not os.access(there, os.W_OK | os.X_OK):
        return [
            Finding("data", State.FAIL, f"{data} cannot be written", f"give this user the right to write {there}, or choose another --data")
        ]
    free = shutil.disk_usage(there).free
    state = State.FAIL if free < FREE[0] else State.WARN if free < FREE[1] else State.OK
    mend = "" if state is State.OK else "make room, or choose another --data"
    running = _runs(data)
    return [
        Finding("disk", state, f"{free / 1024**3:.1f} GiB free for {data}", mend),
        Finding("daemon", State.OK, f"running (process {running})" if running else "not running"),
    ]


def _runs(data: Path) -> str:
    """The process that works in ``data``; empty where none does."""
    try:
        lock = os.open(data / "lock", os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return ""
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return os.read(lock, 20).decode("ascii", "replace").strip() or "unknown"
    except OSError:
        return ""
    finally:
        os.close(lock)
    return ""


def _port(settings: Settings) -> Finding:
    host, port = settings.web.host, settings.web.port
    where = f"{host}:{port}"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((host, port))
        except OSError as error:
            if _runs(settings.data.absolute()):
                return Finding("port", State.OK, f"{where} is in use, as it should be by the running daemon")
            return Finding("port", State.FAIL, f"{where} cannot be had: {error.strerror or error}", "choose another with web.port")
    return Finding("port", State.OK, f"{where} is free")


def _watches() -> Finding:
    try:
        most = int(Path("/proc/sys/fs/inotify/max_user_watches").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return Finding("watching", State.OK, "no inotify here: files are looked at every second instead")
    if most < WATCHES:
        mend = "sysctl fs.inotify.max_user_watches=524288, or set watch.mode: polling"
        return Finding("watching", State.WARN, f"inotify may watch {most} directories only", mend)
    return Finding("watching", State.OK, f"inotify may watch {most} directories")


def _policy() -> Finding:
    count = Counter(rule.action for rule in RULES)
    reads = count[Action.CUT] + count[Action.FORWARD]
    says = f"{reads} kinds of reads are sent to Plex; {count[Action.CAPTURE]} kinds of uploads and {count[Action.RECORD]} of edits are kept"
    return Finding("policy", State.OK, f"{says} from it; all else is refused (docs/gateway.md lists them)")


async def _engine(app: App) -> Finding:
    try:
        info = app.engine.info or await app.engine.start()
    except EngineError as error:
        return Finding("engine", State.FAIL, str(error), MENDS[app.choice.kind])
    if info.kind != "kometa":
        mend = "install Kometa on this machine, or set engine.kometa_home; drafts are not Kometa's pixels"
        return Finding("engine", State.WARN, "no Kometa was found: pictures would be drafts", mend)
    off = [name for name, how in info.speedups.items() if how != "on"]
    says = f"Kometa {info.version}, Python {info.python}, Pillow {info.pillow}, text layout {info.layout}, network: {info.network}"
    if info.network != "none":
        mend = "unprivileged user namespaces are off here: the worker refuses connections itself instead of having no network at all"
        return Finding("engine", State.WARN, says, mend)
    return Finding("engine", State.OK, says + (f"; without {', '.join(off)}" if off else ""))


async def _plex(app: App) -> Looks:
    try:
        plan = await app.planner.plan(Change(reason="request", seen=time.monotonic()))
    except InputError as error:
        yield Finding("targets", State.FAIL, str(error), "see kometa-sidecar check")
        return
    except EngineError:  # told already
        yield Finding("plex", State.WARN, "not looked at: only the worker knows Kometa's own overlay files", "mend the engine first")
        return
    except PlexError as error:
        plan = None
        trouble = str(error)
    for name in app.planner.readers:
        reads = app.gateway.reads(name)
        if reads is not None:  # pragma: no branch  (the planner gives both the same servers)
            for finding in await _server(reads.client, name):
                yield finding
    if plan is None:
        yield Finding("targets", State.FAIL, trouble)
    elif not plan.targets:
        yield Finding("targets", State.WARN, "no item would be previewed", "look at targets in sidecar.yml, and at the libraries' names")
    else:
        libraries = {(target.server, target.library) for target in plan.targets}
        yield Finding("targets", State.OK, f"{len(plan.targets)} items of {len(libraries)} libraries would be previewed")
        for problem in plan.problems:
            if problem.source == "targets" and problem.severity is not Severity.INFO:
                yield Finding("targets", State.WARN, problem.what, problem.mend)


async def _server(client: PlexClient, name: str) -> list[Finding]:
    """What one Plex server says of itself and of the token."""
    try:
        async with client.stream(Canonical("GET", ("identity",)), {}) as answer:
            date = answer.headers.get("Date", "")
        about = parse(await client.read(Canonical("GET", ()), {}))
        sections = parse(await client.read(Canonical("GET", ("library", "sections")), {}))
    except PlexRefused as error:
        return [Finding(name, State.FAIL, str(error), "give config.yml's plex.token the token of the server's owner")]
    except PlexAway as error:
        return [Finding(name, State.FAIL, str(error), "start Plex, or correct plex.url in config.yml")]
    except (PlexError, Garbled) as error:
        return [Finding(name, State.FAIL, str(error), "is it Plex that answers at plex.url?")]
    libraries = [row for row in sections if row.tag == "Directory"]
    version = about.get("version", "of an unknown version")
    found = [Finding(name, State.OK, f"{about.get('friendlyName', 'Plex')}, Plex {version}, {len(libraries)} libraries")]
    closed = [row.get("title", "?") for row in libraries if row.get("allowSync") != "1"]
    if closed:
        mend = "Kometa takes such a token for read-only and stops: use the token of the server's owner"
        found.append(Finding(name, State.FAIL, f"the token lacks rights on: {', '.join(closed)}", mend))
    else:
        found.append(Finding(name, State.OK, "the token is valid and the owner's (Kometa asks for that; nothing is written with it)"))
    skew = _skew(date)
    if skew is not None and abs(skew) > SKEW:
        found.append(Finding(name, State.WARN, f"its clock differs from ours by {skew:.0f} s", "set both clocks by NTP"))
    return found


def _skew(date: str) -> float | None:
    """Seconds by which the other clock is ahead; None where it does not tell its time."""
    with contextlib.suppress(ValueError, TypeError):
        return parsedate_to_datetime(date).timestamp() - time.time()
    return None


def verdict(findings: list[Finding]) -> dict[str, Any]:
    """All findings as one JSON object."""
    return {"ok": all(finding.state is not State.FAIL for finding in findings), "findings": [finding.plain() for finding in findings]}
