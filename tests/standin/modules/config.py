"""config.yml: connects to what it names, in Kometa's order, and loads the overlay files of each library."""

from __future__ import annotations

import re
from pathlib import Path

from modules import util
from modules.cache import Cache
from modules.overlays import Overlays
from modules.plex import Plex
from modules.tmdb import TMDb
from modules.util import Failed

logger = util.logger

ANIME_IDS = "https://raw.githubusercontent.com/Kometa-Team/Anime-IDs/master/anime_ids.json"
RUN_ORDER = ["operations", "metadata", "collections", "overlays"]
FILETYPES = ("jpg", "png", "webp_lossy", "webp_lossless")
SETTINGS = {
    "cache": True,
    "cache_expiration": 60,
    "asset_directory": None,
    "asset_folders": True,
    "prioritize_assets": False,
    "overlay_artwork_filetype": "webp_lossy",
    "overlay_artwork_quality": 90,
    "show_missing_assets": True,
}
"""Settings that the stand-in knows, and their defaults; others are passed over in silence, as Kometa does."""

SECRET = re.compile(r"(token|client.*|url|api_*key|secret|username|password): .+")


class ConfigFile:
    """A run's config. Failed (or whatever went wrong) ends the run before anything is drawn."""

    def __init__(self, in_request, default_dir, attrs, secrets):
        logger.info("Locating config...")
        self.config_path = Path(attrs.get("config_file") or Path(default_dir) / "config.yml").absolute()
        self.default_dir = Path(default_dir)
        self.Requests = in_request
        logger.clear_errors()
        logger.save_errors = True
        logger.separator("Redacted Config", space=False, border=False, debug=True)
        with self.config_path.open(encoding="utf-8") as lines:
            for line in lines:
                logger.debug(SECRET.sub(r"\1: (redacted)", line.rstrip("\r\n")))
        file = in_request.file_yaml(self.config_path)
        self.data = file.data
        self._complete(file, bool(attrs.get("read_only")))
        self.settings = {**SETTINGS, **{key: value for key, value in self.data["settings"].items() if value is not None}}
        if self.settings["overlay_artwork_filetype"] not in FILETYPES:
            logger.error(f"Config Error: overlay_artwork_filetype: {self.settings['overlay_artwork_filetype']} not in {FILETYPES}")
            self.settings["overlay_artwork_filetype"] = SETTINGS["overlay_artwork_filetype"]
        wanted = attrs.get("libraries")
        self.requested_libraries = [name.strip() for name in wanted.split("|")] if wanted else None
        self.Cache = Cache(self.config_path) if self.settings["cache"] is True else None
        logger.separator()
        self._connect_tmdb()
        logger.separator("Connecting to Plex Libraries")
        self.anime_ids = in_request.get_json(ANIME_IDS)
        self.libraries = list(self._connect_libraries())
        self.library_map = {library.original_mapping_name: library for library in self.libraries}
        if not self.libraries:
            raise Failed("Config Error: No libraries were found in config")
        logger.info(f"{len(self.libraries)} Plex Library Connection{'s' if len(self.libraries) > 1 else ''} Successful")
        logger.separator()

    def _complete(self, file, read_only: bool) -> None:
        """Write missing settings into config.yml; with --read-only-config too where run_order is incomplete."""
        self.data.setdefault("settings", {})
        if self.data["settings"] is None:
            self.data["settings"] = {}
        settings = self.data["settings"]
        missing = {key: value for key, value in SETTINGS.items() if key not in settings and value is not None}
        for key, value in missing.items():
            logger.warning(f"Config Warning: settings sub-attribute {key} not found using {value} as default")
        if missing and not read_only:
            settings.update(missing)
            file.save()
        order = settings.get("run_order") or []
        if any(step not in order for step in RUN_ORDER):
            settings["run_order"] = [*order, *(step for step in RUN_ORDER if step not in order)]
            file.save()

    def _connect_tmdb(self) -> None:
        tmdb = self.data.get("tmdb")
        if not isinstance(tmdb, dict) or not tmdb.get("apikey"):
            raise Failed(
                "Config Error: tmdb sub-attribute apikey is blank" if isinstance(tmdb, dict) else "Config Error: tmdb attribute not found"
            )
        logger.info("Connecting to TMDb...")
        self.TMDb = TMDb(self, {"apikey": str(tmdb["apikey"]), "language": tmdb.get("language") or "en"})
        logger.info("TMDb Connection Successful")

    def _connect_libraries(self):
        for name, library in (self.data.get("libraries") or {}).items():
            if self.requested_libraries and name not in self.requested_libraries:
                continue
            library = library or {}
            title = library.get("library_name") or str(name)
            logger.info("")
            logger.separator(f"{name} Configuration")
            logger.info(f"Connecting to {title} Library...")
            try:
                connected = self._connect(str(name), title, library)
            except Failed as error:
                logger.stacktrace()
                logger.error(error)
                logger.info(f"{title} Library Connection Failed")
                continue
            connected.Overlays = Overlays(self, connected)
            yield connected

    def _connect(self, name: str, title: str, library: dict) -> Plex:
        plex = {**(self.data.get("plex") or {}), **(library.get("plex") or {})}
        for needed in ("url", "token"):
            if not plex.get(needed):
                raise Failed(f"Config Error: {needed} attribute must be set under plex globally or under this specific Library")
        connected = Plex(self, name, title, library, plex)
        logger.info(f"{title} Library Connection Successful")
        logger.separator("Scanning Files", space=False, border=False)
        connected.scan_files()
        if not connected.overlay_files and not connected.remove_overlays:
            raise Failed("Config Error: No valid collection file, metadata file, overlay file, or library operations found")
        return connected
