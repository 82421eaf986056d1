"""Settings in the stages' own words: how to read a config directory, which items to preview, what counts as a change."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from sidecar.compare import Rule
from sidecar.model import Level
from sidecar.plex import TargetWishes
from sidecar.revision import Limits, ReadOptions
from sidecar.settings import ReviewSettings, Settings, TargetSettings, kometa_environment


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


def review_rules(settings: ReviewSettings) -> tuple[Rule, ...]:
    """For ``compare.limits_of``."""
    return tuple(
        Rule(
            library=rule.library,
            level=Level(rule.level) if rule.level else None,
            rating_key=rule.rating_key,
            title=rule.title,
            threshold=None if rule.threshold is None else rule.threshold / 100,
            ignore=rule.ignore,
            ignore_overlays=rule.ignore_overlays,
        )
        for rule in settings.rules
    )
