"""Settings in the stages' own words: how to read a config directory, which items to preview."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sidecar.plex import TargetWishes
from sidecar.revision import Limits, ReadOptions
from sidecar.settings import Settings, TargetSettings, kometa_environment


def read_options(settings: Settings, env: Mapping[str, str], kometa_home: Path | None) -> ReadOptions:
    """For ``revision.read``."""
    return ReadOptions(
        env=kometa_environment(env),
        kometa_home=kometa_home,
        libraries=settings.targets.libraries,
        roots=settings.roots,
        path_map=settings.path_map,
        extra_hosts=settings.gateway.extra_hosts,
        limits=Limits(file_size=settings.limits.file_size, total_size=settings.limits.total_size, files=settings.limits.files),
    )


def target_wishes(settings: TargetSettings) -> TargetWishes:
    """For ``plex.resolve_targets``."""
    return TargetWishes(listed=settings.listed, per_library=settings.per_library, seasons=settings.seasons, episodes=settings.episodes)
