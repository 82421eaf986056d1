"""``check``: what can be said of a Kometa config directory without asking Plex or rendering."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sidecar import revision
from sidecar.engine.catalogue import kept
from sidecar.engine.discover import discover
from sidecar.errors import ConfigError
from sidecar.model import Problem, Severity
from sidecar.places import Places
from sidecar.settings import Settings
from sidecar.wishes import read_options

_ORDER = (Severity.ERROR, Severity.WARNING, Severity.INFO)


def check(config_dir: Path, settings: Settings, env: Mapping[str, str]) -> list[Problem]:
    """Every problem, errors first, then by place. Blocking."""
    place = discover(env, Path.home(), config_dir=config_dir, home=settings.engine.kometa_home, python=settings.engine.kometa_python).found
    # Else what a worker told last of its Kometa, where the daemon has had one.
    home = place.home if place else kept(Places(data=settings.data.absolute(), runtime=settings.data).kometa)
    try:
        reading = revision.read(config_dir, read_options(settings, env, home))
        problems = (*reading.problems, *revision.preview(reading).problems)
    except ConfigError as error:
        problems = error.problems
    return sorted(dict.fromkeys(problems), key=lambda p: (_ORDER.index(p.severity), p.file, p.line or 0))


def plain(problem: Problem) -> dict[str, Any]:
    """As JSON."""
    return {
        "severity": problem.severity.value,
        "what": problem.what,
        "mend": problem.mend,
        "file": problem.file,
        "line": problem.line,
        "source": problem.source,
    }
