"""Finds a target's files: asset images and overlay backups, by the rules of Kometa's ``find_item_assets`` (2.4.4).

With ``asset_folders``: ``<assets>/<folder>/poster.*``, ``Season01.*``, ``S01E01.*``; without: ``<assets>/<folder>.*``,
``<folder>_Season01.*``. The folder is named like the movie's or show's own. Backups: ``overlays/<Library> Original Posters``.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Final

from PIL import Image, UnidentifiedImageError

from sidecar.model import FrozenFile, Level, LibraryPlan, Revision, Target
from sidecar.revision.overlay_files import safe_name
from sidecar.sight import is_dir, is_file

IMAGE_SUFFIXES: Final = (".jpg", ".jpeg", ".png", ".webp")
BACKUP_SUFFIXES: Final = (".png", ".jpg", ".webp")
"""In the order in which Kometa looks."""

_PART_OF_SHOW = re.compile(r"s\d+e\d+|season\d+")


@dataclass(frozen=True, slots=True)
class Found:
    """A target's file: where it is, and its path below its asset directory as Kometa is to find it."""

    path: Path
    directory: Path
    """The asset directory."""
    place: PurePosixPath
    kind: str
    """poster, background, logo or square."""


def folder_name(target: Target) -> str | None:
    """Name of the folder that Kometa looks for; None where Plex tells no path."""
    if not target.locations:
        return None
    path = PurePosixPath(target.locations[0].replace("\\", "/") if "/" not in target.locations[0] else target.locations[0])
    return safe_name(path.parent.name if target.level is Level.MOVIE else path.name)


def file_stem(target: Target) -> str:
    """Name, without suffix, of the target's poster in an asset folder."""
    if target.level is Level.SEASON:
        return f"Season{target.season_number or 0:02}"
    if target.level is Level.EPISODE:
        return f"S{target.season_number or 0:02}E{target.episode_number or 0:02}"
    return target.title if target.level is Level.ALBUM else "poster"


def find_assets(plan: LibraryPlan, target: Target, settings: Mapping[str, Any]) -> list[Found]:
    """The images that Kometa would take for ``target``: poster, and background, logo, square art, which it uploads too."""
    folder, stem = folder_name(target), file_stem(target)
    if folder is None:
        return []
    top = stem == "poster"
    if not plan.asset_folders:
        stem = folder if top else f"{folder}_{stem}"
    for directory in plan.asset_directories:
        holder = _holder(plan, directory, folder, stem)
        if holder is None:
            continue
        bare = top and plan.asset_folders
        names = {"poster": stem, **{kind: kind if bare else f"{stem}_{kind}" for kind in ("background", "logo", "square")}}
        found = [
            Found(path, directory, PurePosixPath(path.relative_to(directory)), kind)
            for kind, name in names.items()
            if (path := _first(holder, name)) is not None
        ]
        if bare and settings.get("dimensional_asset_rename") is True:
            found += _by_shape(holder, directory, {each.kind for each in found})
        return found
    return []


def _holder(plan: LibraryPlan, directory: Path, folder: str, stem: str) -> Path | None:
    if not plan.asset_folders:
        return directory if _first(directory, stem) is not None else None
    if is_dir(directory / folder):
        return directory / folder
    for depth in range(1, plan.asset_depth + 1):
        # unsorted, as Kometa's own glob: the first match counts
        found = glob.glob("*/" * depth + glob.escape(folder), root_dir=directory)  # noqa: PTH207 (Path.glob sorts differently)
        if found:
            return directory / found[0]
    return None


def _first(directory: Path, stem: str) -> Path | None:
    names = glob.glob(f"{glob.escape(stem)}.*", root_dir=directory)  # noqa: PTH207 (as above)
    matches = [path for name in names if (path := directory / name).suffix.lower() in IMAGE_SUFFIXES and is_file(path)]
    exact = [path for path in matches if path.stem.lower() == stem.lower()]
    return next(iter(exact or matches), None)


def _by_shape(holder: Path, directory: Path, have: set[str]) -> Iterator[Found]:
    """``dimensional_asset_rename``: an upright image is the poster, a wide one the background. Given their new names here."""
    for name in glob.glob("*.*", root_dir=holder):  # noqa: PTH207 (as above)
        path = holder / name
        if path.suffix.lower() not in IMAGE_SUFFIXES or _PART_OF_SHOW.match(name.lower()):
            continue
        try:
            with Image.open(path) as image:
                kind = "poster" if image.height >= image.width else "background"
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError):
            continue  # Kometa passes over it too
        if kind not in have:
            have.add(kind)
            yield Found(path, directory, PurePosixPath((holder / f"{kind}{path.suffix.lower()}").relative_to(directory)), kind)


def backup_directory(key: str) -> PurePosixPath:
    """Below the home: where Kometa keeps the originals of the library with this key in config.yml."""
    return PurePosixPath("config/overlays", f"{safe_name(key)} Original Posters")


def plans_of(libraries: Iterable[LibraryPlan], target: Target) -> list[LibraryPlan]:
    """The libraries of config.yml that ``target`` belongs to."""
    return [plan for plan in libraries if plan.name == target.library and plan.server == target.server]


def asset_poster(revision: Revision, target: Target) -> Path | None:
    """The asset image that Kometa draws ``target``'s overlays on, in the revision; None where it takes Plex's poster."""
    folder, stem = folder_name(target), file_stem(target)
    if folder is None:
        return None
    for plan in plans_of(revision.libraries, target):
        name = stem if plan.asset_folders else folder if stem == "poster" else f"{folder}_{stem}"
        for directory in plan.asset_directories:
            for file in revision.files:
                path = PurePosixPath(file.path)
                here = (
                    file.role == "asset"
                    and file.origin.is_relative_to(directory)
                    and (not plan.asset_folders or path.parent.name == folder)
                )
                if here and file.role == "asset" and file.origin.is_relative_to(directory) and _names(path, name):
                    return revision.root / file.path
    return None


def _names(path: PurePosixPath, stem: str) -> bool:
    return path.stem.lower() == stem.lower() or path.name.startswith(f"{stem}.")


def backup_poster(revision: Revision, target: Target) -> Path | None:
    """The original that Kometa kept of ``target`` before it first drew on it, in the revision."""
    known: dict[str, FrozenFile] = {file.path: file for file in revision.files if file.role == "backup"}
    for plan in plans_of(revision.libraries, target):
        for suffix in BACKUP_SUFFIXES:
            path = str(backup_directory(plan.key) / f"{target.rating_key}{suffix}")
            if path in known:
                return revision.root / path
    return None
