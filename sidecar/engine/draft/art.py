"""Which picture the overlays are drawn on: an asset, a backup of the original, or the current poster."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import Final

from sidecar.engine.draft.facts import Facts
from sidecar.model import FrozenFile, LibraryPlan, Revision, Target

_PICTURES: Final = (".jpg", ".jpeg", ".png", ".webp")
_BACKUPS: Final = (".png", ".jpg", ".webp")
"""In the order in which Kometa looks for them."""


def asset_of(revision: Revision, plan: LibraryPlan, target: Target, facts: Facts) -> Path | None:
    """The target's poster of the library's asset directories, in the frozen tree; None where there is none."""
    folder = asset_name(target, facts)
    if not folder:
        return None
    name = {
        "season": f"Season{target.season_number or 0:02}",
        "episode": f"S{target.season_number or 0:02}E{target.episode_number or 0:02}",
    }.get(facts.level, "")
    for directory in plan.asset_directories:
        for file in revision.files:
            if file.origin.suffix.lower() in _PICTURES and _is_asset(file, directory, plan, folder, name):
                return revision.root / file.path
    return None


def asset_name(target: Target, facts: Facts) -> str:
    """The folder's name by which Kometa knows the item's assets: the movie's folder, or the show's."""
    owner = facts.show or facts
    place = (owner.files or target.locations or ("",))[0].replace("\\", "/")
    path = PurePosixPath(place)
    return path.parent.name if facts.level == "movie" else path.name


def _is_asset(file: FrozenFile, directory: Path, plan: LibraryPlan, folder: str, name: str) -> bool:
    origin = file.origin
    if not origin.is_relative_to(directory):
        return False
    above = origin.parent.relative_to(directory).parts
    if plan.asset_folders:
        return bool(above) and above[-1] == folder and len(above) <= 1 + plan.asset_depth and origin.stem == (name or "poster")
    return not above and origin.stem == (f"{folder}_{name}" if name else folder)


def backup_of(revision: Revision, plan: LibraryPlan, target: Target) -> Path | None:
    """The original that Kometa put aside when it drew on the target last; None where there is none."""
    folder = revision.root / "config" / "overlays" / f"{plan.key} Original Posters"
    found = (folder / f"{target.rating_key}{suffix}" for suffix in _BACKUPS)
    return next((path for path in found if path.is_file()), None)
