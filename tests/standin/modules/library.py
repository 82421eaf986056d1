"""A library's settings, its files, and the pictures kept in the config directory."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from modules import util
from modules.meta import OverlayFile
from modules.util import Failed

logger = util.logger

EXIF_TAG = 0x04BC
"""Kometa writes "overlay" here, and will not draw on a picture that has it."""

SUFFIXES = (".png", ".jpg", ".webp")


class Library:
    """What config.yml says of one library."""

    def __init__(self, config, mapping_name, name, data):
        self.config = config
        self.name = name
        self.original_mapping_name = mapping_name
        self.data = data
        self.overlay_files: list[OverlayFile] = []
        self.overlay_folder = config.default_dir / "overlays"
        self.overlay_backup = self.overlay_folder / f"{util.safe_name(mapping_name)} Original Posters"
        self.image_table = util.safe_name(mapping_name)
        self.remove_overlays = data.get("remove_overlays") is True
        self.reapply_overlays = data.get("reapply_overlays") is True
        self.reset_overlays = util.get_list(data.get("reset_overlays"))
        settings = {**config.settings, **(data.get("settings") or {})}
        self.asset_directories = [Path(path) for path in util.get_list(settings["asset_directory"]) if Path(path).is_dir()]
        self.asset_folders = settings["asset_folders"] is not False
        self.filetype = settings["overlay_artwork_filetype"]
        self.quality = int(settings["overlay_artwork_quality"])
        self.queues: dict[int, list] = {}
        """Places by queue, over all files; an overlay's ``queue`` is the key."""
        self.tmdb_ids: dict[int, str | None] = {}

    def scan_files(self) -> None:
        """Load the overlay files; one that cannot be loaded is left out."""
        for entry in util.get_list(self.data.get("overlay_files"), split=False):
            for kind, path, variables in self._sources(entry):
                try:
                    self.overlay_files.append(OverlayFile(self, kind, path, variables))
                except Failed as error:
                    logger.error(error)
                    logger.info("Overlay File Failed To Load")

    @staticmethod
    def _sources(entry):
        if not isinstance(entry, dict):
            yield "File", str(entry), {}
            return
        variables = entry.get("template_variables") or {}
        for key, kind in (("file", "File"), ("default", "Default"), ("pmm", "Default")):
            if entry.get(key):
                yield kind, str(entry[key]), dict(variables)
        if entry.get("folder"):
            for path in sorted(Path(str(entry["folder"])).glob("*.yml")):
                yield "File", str(path), dict(variables)

    def find_asset(self, item) -> Path | None:
        """A poster of the item's own in an asset directory, by the folder of its files on Plex's side.

        ``<folder>/poster.*``, ``<folder>/Season01.*``, ``<folder>/S01E02.*``; without asset folders ``<folder>.*``,
        ``<folder>_Season01.*``, ``<folder>_S01E02.*``. Asks Plex for the show of a season or episode.
        """
        top = item.show() if item.type in ("season", "episode") else item
        if not getattr(top, "locations", None):
            return None
        folder = (Path(top.locations[0]).parent if item.type == "movie" else Path(top.locations[0])).name
        own = {"season": lambda: f"Season{item.seasonNumber or 0:02}", "episode": lambda: item.seasonEpisode.upper()}.get(
            item.type, lambda: ""
        )()
        for directory in self.asset_directories:
            stem = directory / folder / (own or "poster") if self.asset_folders else directory / "_".join(filter(None, (folder, own)))
            for suffix in (".png", ".jpg", ".jpeg", ".webp"):
                asset = stem.with_name(stem.name + suffix)
                if asset.exists():
                    return asset
        return None

    def backups(self, item) -> list[Path]:
        """Where the item's picture without overlays would be kept."""
        return [self.overlay_backup / f"{item.ratingKey}{suffix}" for suffix in SUFFIXES]

    def keep_original(self, item, url: str) -> Path:
        """Save the picture at ``url`` as the item's backup. Failed where it has an overlay already."""
        path = self.config.Requests.download_image(url, self.overlay_backup / str(item.ratingKey))
        if is_overlaid(path):
            path.unlink()
            raise Failed("This item's poster already has an Overlay. There is no Kometa setting to change; manual attention required.")
        return path

    def has_overlay(self, url: str) -> bool:
        """Has the picture at ``url`` an overlay already?"""
        path = self.config.Requests.download_image(url, self.overlay_backup / "temp")
        try:
            return is_overlaid(path)
        finally:
            path.unlink()


def is_overlaid(path: Path) -> bool:
    with Image.open(path) as image:
        return image.getexif().get(EXIF_TAG) == "overlay"
