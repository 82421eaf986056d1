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
    number, season = int(facts.number("index") or 0), int(facts.number("parentIndex") or 0)
    name = {"season": f"Season{number:02}", "episode": f"S{season:02}E{number:02}"}.get(facts.level, "")
    for directory in plan.asset_directories:
        for file in revision.files:
            if file.role == "asset" and file.origin.is_relative_to(directory) and _is_poster(PurePosixPath(file.path), plan, folder, name):
                return revision.root / file.path
    return None


def asset_name(target: Target, facts: Facts) -> str:
    """The folder's name by which Kometa knows the item's assets: the movie's folder, or the show's."""
    owner = facts.show or facts
    place = (owner.files or target.locations or ("",))[0].replace("\\", "/")
    path = PurePosixPath(place)
    return path.parent.name if facts.level == "movie" else path.name


def _is_poster(path: PurePosixPath, plan: LibraryPlan, folder: str, name: str) -> bool:
    if path.suffix.lower() not in _PICTURES:
        return False
    if plan.asset_folders:
        return path.parent.name == folder and path.stem.lower() == (name or "poster").lower()
    return path.stem.lower() == (f"{folder}_{name}" if name else folder).lower()


def backup_of(revision: Revision, plan: LibraryPlan, target: Target) -> Path | None:
    """The original that Kometa put aside when it drew on the target last; None where there is none."""
    for suffix in _BACKUPS:
        for file in revision.files:
            if file.role == "backup" and _is_backup(file, plan) and PurePosixPath(file.path).name == f"{target.rating_key}{suffix}":
                return revision.root / file.path
    return None


def _is_backup(file: FrozenFile, plan: LibraryPlan) -> bool:
    """The folder is named after the library's key, without what a file name cannot hold."""
    folder = PurePosixPath(file.path).parent.name.removesuffix(" Original Posters")
    return [letter for letter in folder if letter.isalnum()] == [letter for letter in plan.key if letter.isalnum()]
