"""Chooses who draws. Real Kometa wherever there is one; never a silent fallback from a Kometa that fails to the draft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sidecar.engine import Engine
from sidecar.engine.discover import discover
from sidecar.engine.draft import Deliver, DraftEngine, ItemSource
from sidecar.engine.process import ProcessEngine
from sidecar.errors import EngineMissing
from sidecar.settings import EngineSettings
from sidecar.tasks import Spawn


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine, Kometa's home where it is known, and why it was chosen, for people."""

    engine: Engine
    kometa_home: Path | None
    why: str


def choose(
    settings: EngineSettings,
    env: Mapping[str, str],
    config_dir: Path,
    runtime: Path,
    cache: Path,
    *,
    spawn: Spawn,
    items: ItemSource,
    deliver: Deliver,
) -> Choice:
    """EngineMissing where the settings ask for a Kometa that is not to be found."""
    found = discover(env, Path.home(), config_dir=config_dir, home=settings.kometa_home, python=settings.kometa_python)
    if settings.kind != "draft" and found.found is not None:
        place = found.found
        engine = ProcessEngine(place.home, place.python, runtime / "worker", spawn=spawn, layout=settings.layout, cache=cache)
        return Choice(engine, place.home, f"Kometa at {place.home}, Python {place.python}")
    named = settings.kometa_home is not None or settings.kometa_python is not None or "KOMETA_HOME" in env
    if settings.kind == "process" or (settings.kind == "auto" and (named or not settings.fallback)):
        raise EngineMissing(found.message)
    home = found.found.home if found.found else None
    why = "engine: draft is set" if settings.kind == "draft" else "no Kometa was found: these are drafts, not Kometa's pixels"
    return Choice(DraftEngine(items, deliver, kometa_home=home), home, why)
