"""The overlays of a library: find the items, take overlays off, put overlays on."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from PIL import Image, ImageFilter
from plexapi.exceptions import BadRequest

from modules import util
from modules.builder import CollectionBuilder
from modules.library import EXIF_TAG
from modules.overlay import CANVAS, PORTRAIT
from modules.util import Failed, NotScheduled, OverlayError

logger = util.logger

LABEL = "Overlay"
LEVELS = {"movie": (None,), "show": (None, "episode", "season"), "artist": (None, "album")}


class Overlays:
    """All overlay work of one library."""

    def __init__(self, config, library) -> None:
        self.config = config
        self.library = library
        self.table = f"{library.image_table}_overlays"

    def run_overlays(self) -> str:
        started = datetime.now().astimezone()
        library = self.library
        logger.info("")
        logger.separator(f"{library.name} Library Overlays")
        library.overlay_backup.mkdir(parents=True, exist_ok=True)
        items, overlays = ({}, {}) if library.remove_overlays else self.compile_overlays()
        self._take_off(set(items))
        if not library.remove_overlays:
            logger.separator(f"{'Re-' if library.reapply_overlays else ''}Applying Overlays for the {library.name} Library")
            ordered = sorted(items.values(), key=lambda entry: sort_title(entry[0]))
            for number, (item, names) in enumerate(ordered, 1):
                self._put_on(f"({number}/{len(ordered)}) {display_title(item)}", item, [overlays[name] for name in names])
        logger.exorcise()
        took = str(datetime.now().astimezone() - started).split(".")[0]
        logger.separator(f"Finished {library.name} Library Overlays\nOverlays Run Time: {took}")
        return took

    def compile_overlays(self) -> tuple[dict, dict]:
        """({rating key: (item, overlay names)}, {overlay name: Overlay}), with suppression and groups settled."""
        overlays: dict = {}
        items: dict = {}
        for overlay_file in self.library.overlay_files:
            for name, data in overlay_file.overlays.items():
                try:
                    builder = CollectionBuilder(self.config, overlay_file, name, data, self.library)
                    overlays[builder.overlay.mapping_name] = builder.overlay
                    found = builder.find()
                    for item in found:
                        items[item.ratingKey] = item
                        builder.overlay.keys.append(item.ratingKey)
                    if found:
                        logger.info(f"{len(found)} Items found for {builder.overlay.mapping_name}")
                    else:
                        logger.warning(f"No Items found for {builder.overlay.mapping_name}")
                except NotScheduled as why:
                    logger.info(why)
                except Failed as error:
                    logger.stacktrace()
                    logger.error(error)
                except Exception as error:  # noqa: BLE001  # as Kometa: the next overlay has its turn
                    logger.stacktrace()
                    logger.error(f"Unknown Error: {error}")
        settled = {}
        for key, item in items.items():
            names = [name for name, overlay in overlays.items() if key in overlay.keys]
            settled[key] = (item, settle(names, overlays))
        return settled, overlays

    def _take_off(self, kept: set[int]) -> None:
        library = self.library
        library.get_tags("label")
        labelled = []
        for level in LEVELS[library.Plex.type]:
            labelled += [
                item
                for item in library.search(label=LABEL, title=None, sort=None, maxresults=None, libtype=level)
                if item.ratingKey not in kept
            ]
        if not labelled:
            logger.separator(f"No Overlays to Remove for the {library.name} Library")
            return
        logger.separator(f"Removing {'All ' if library.remove_overlays else ''}Overlays for the {library.name} Library")
        for item in labelled:
            self._restore(library.reload(item))

    def _restore(self, item) -> None:
        library = self.library
        backups = [path for path in library.backups(item) if path.exists()]
        try:
            clean = library.find_asset(item) or next(iter(backups), None)
            url = None if clean else library.item_posters(item)
        except Failed:
            logger.error(f"No Poster found to restore for {display_title(item)}")
            return
        library.upload_poster(item, str(clean or url), url=clean is None)
        library.edit_label(item, LABEL, remove=True)
        for path in backups:
            path.unlink()

    def _put_on(self, title: str, item, overlays: list) -> None:
        names = ", ".join(overlay.mapping_name for overlay in overlays)
        try:
            self._overlay(title, item, overlays, names)
        except (Failed, OSError, BadRequest) as error:
            logger.stacktrace()
            logger.error(f"  {error}\n  Overlays Attempted on {display_title(item)}: {names}")
        except Exception as error:  # noqa: BLE001  # as Kometa: the next item has its turn
            logger.stacktrace()
            logger.error(f"{error}\nOverlays Attempted on {display_title(item)}: {names}")

    def _overlay(self, title: str, item, overlays: list, names: str) -> None:
        library = self.library
        item = library.reload(item, force=library.reapply_overlays)
        labelled = any(tag.tag.lower() == LABEL.lower() for tag in item.labels)
        compare = "|".join(overlay.compare() for overlay in overlays)
        known = self.config.Cache.query_image_map(item.ratingKey, self.table) if self.config.Cache else None
        asset = library.find_asset(item)
        base, new = asset, asset is None and not labelled
        if asset is None and labelled:
            base = next((path for path in library.backups(item) if path.exists()), None)
            if library.reset_overlays or base is None:
                base, new = library.keep_original(item, library.item_posters(item, library.reset_overlays or ("plex", "tmdb"))), True
        logger.info("")
        logger.info(title)
        if new and base is None:
            if not item.posterUrl:
                logger.error("  Overlay Error: No poster found")
                return
            try:
                base = library.keep_original(item, item.posterUrl)
            except Failed as error:
                raise Failed(f"  Overlay Error: {error}") from error
        if not (library.reapply_overlays or new or known is None or known[1] != compare or (asset and known[0] != art(asset))):
            logger.info(f"  Overlay Update Not Needed (Current Overlays: {names})")
            return
        picture = self._compose(item, base, overlays)
        library.upload_poster(item, str(picture))
        library.edit_label(item, LABEL)
        if self.config.Cache:
            self.config.Cache.update_image_map(item.ratingKey, self.table, art(asset) if asset else item.thumb, compare)
        logger.info(f"  Overlays Applied: {names}")

    def _compose(self, item, base: Path, overlays: list) -> Path:
        """Draw, and save as ``overlays/temp.EXT``; returns that path."""
        with Image.open(base) as opened:
            exif = opened.getexif()
            exif[EXIF_TAG] = "overlay"
            poster = opened.convert("RGB").resize(CANVAS.get(item.type, PORTRAIT), Image.Resampling.LANCZOS)
        blur = max((overlay.blur for overlay in overlays if overlay.kind == "blur"), default=0)
        if blur:
            poster = poster.filter(ImageFilter.GaussianBlur(blur))
        for overlay in overlays:
            if overlay.kind != "blur" and not overlay.queue_name:
                poster = overlay.draw(poster, item)
        for overlay, place in queued(overlays, self.library.queues):
            poster = overlay.draw(poster, item, place)
        kind = self.library.filetype
        path = self.library.overlay_folder / f"temp.{kind.split('_')[0]}"
        options = {"lossless": True} if kind == "webp_lossless" else {"quality": self.library.quality} if kind != "png" else {}
        poster.save(path, exif=exif, **options)
        return path


def settle(names: list[str], overlays: dict) -> list[str]:
    """``names`` without the suppressed ones and without all but the heaviest of each group."""
    silenced = {other for name in names for other in overlays[name].suppress}
    left = [name for name in names if name not in silenced]
    heaviest: dict[str, str] = {}
    for name in left:
        group = overlays[name].group
        if group and (group not in heaviest or overlays[name].weight > overlays[heaviest[group]].weight):
            heaviest[group] = name
    return [name for name in left if not overlays[name].group or heaviest[overlays[name].group] == name]


def queued(overlays: list, places: dict):
    """Each queue's overlays, heaviest first, with the queue's places in turn. OverlayError for equal weights."""
    queues: dict[int, list] = {}
    for overlay in overlays:
        if overlay.queue_name:
            queues.setdefault(overlay.queue, []).append(overlay)
    for queue, members in queues.items():
        if len({overlay.weight for overlay in members}) < len(members):
            raise OverlayError("Overlay Error: Overlays in a queue cannot have the same 'weight' value")
        yield from zip(sorted(members, key=lambda each: -each.weight), places[queue], strict=False)


def art(path: Path) -> str:
    """What tells one asset picture from another: its size."""
    return str(path.stat().st_size)


def display_title(item) -> str:
    """``Heat``, ``Dark Season 1``, ``Dark S01E02``."""
    if item.type == "season":
        return f"{item.parentTitle} Season {item.seasonNumber}"
    if item.type == "episode":
        return f"{item.grandparentTitle} {item.seasonEpisode.upper()}"
    return item.title


def sort_title(item) -> str:
    """The order in which items are drawn; asks Plex for the show of a season or episode."""
    if item.type == "season":
        return f"{item.show().titleSort} Season {item.seasonNumber}"
    if item.type == "episode":
        return f"{item.show().titleSort} {item.seasonEpisode.upper()}"
    return item.titleSort
