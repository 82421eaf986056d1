"""Runs in Kometa's interpreter: draws every case with Kometa's own code and with the draft's, and compares the bytes.

    python both.py KOMETA_HOME SIDECAR_ROOT WORKDIR

Kometa's ``Overlay`` reads each overlay and its ``run_overlays`` draws, saves and "uploads"; only the library round it is a
stand-in, that hands out one item and takes the upload. The draft's orders were decided before, by the test, and lie
in WORKDIR/orders.pickle. Prints JSON: case -> null, or what differs.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
import types
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

HOME, ROOT, WORK = sys.argv[1:4]


class Quiet:
    """A logger that says nothing."""

    separating_character = "="

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **kwargs: None


def load_kometa() -> Any:
    sys.path.insert(0, HOME)
    sys.dont_write_bytecode = True
    from modules import util

    util.logger = Quiet()
    from modules import builder, overlay, overlays

    return types.SimpleNamespace(builder=builder, overlay=overlay, overlays=overlays, util=util)


def load_draft() -> Any:
    """The draft's modules that need only stdlib and Pillow, without the packages above them."""
    for name in ("sidecar", "sidecar.engine", "sidecar.engine.draft"):
        package = types.ModuleType(name)
        package.__path__ = [str(Path(ROOT, *name.split(".")))]
        sys.modules[name] = package
    from sidecar.engine.draft import compose

    return compose


class Library:
    """What run_overlays asks a library for; it holds one item."""

    name, is_show, is_music, is_movie, remove_overlays, reapply_overlays, reset_overlays = "L", False, False, True, False, True, None
    assets_for_all = asset_folders = show_missing_assets = False

    def __init__(self, case: dict[str, Any], queues: dict[int, Any]) -> None:
        self.case = case
        self.queues = queues
        self.overlay_folder = self.overlay_backup = str(Path(WORK, "out"))
        self.overlay_artwork_filetype = case.get("filetype", "png")
        self.overlay_artwork_quality = case.get("quality", 90)
        self.Plex = types.SimpleNamespace(listFilterChoices=lambda name: [])
        self.uploaded: bytes | None = None

    def search(self, **kwargs: Any) -> list[Any]:
        return []

    def get_item_display_title(self, item: Any, sort: bool = False) -> str:
        return str(item.title)

    def reload(self, item: Any, force: bool = False) -> Any:
        return item

    def item_labels(self, item: Any) -> list[Any]:
        return []

    def find_item_assets(self, item: Any) -> tuple[Any, ...]:
        return types.SimpleNamespace(location=self.case["art"], compare=""), None, None, None, "", ""

    def get_ratings(self, item: Any) -> Any:
        from modules.plex import Plex

        return Plex.get_ratings(self, item)

    def get_ids(self, item: Any) -> tuple[None, None, None]:
        return None, None, None

    def upload_poster(self, item: Any, path: str) -> None:
        self.uploaded = Path(path).read_bytes()

    def edit_tags(self, *args: Any, **kwargs: Any) -> None:
        pass


def by_kometa(kometa: Any, case: dict[str, Any]) -> bytes | None:
    from plexapi.video import Episode, Movie, Season, Show

    names = {name: index for index, name in enumerate(case["queues"])}
    file = types.SimpleNamespace(file_num=0, queue_names=names)
    queues = {names[name]: [kometa.util.parse_cords(slot, "q", required=True) for slot in slots] for name, slots in case["queues"].items()}
    library = Library(case, queues)
    config = types.SimpleNamespace(Requests=None, Cache=None)
    kind = {"movie": Movie, "show": Show, "season": Season, "episode": Episode}[case["level"]]
    item = kind(types.SimpleNamespace(_baseurl="", _token=""), ElementTree.fromstring(case["xml"]))
    item._autoReload = False
    properties = {}
    for index, data in enumerate(case["overlays"]):
        suppress = [f"o{other}" for other in case["suppress"].get(str(index), [])]
        made = kometa.overlay.Overlay(config, library, file, f"o{index}", dict(data), suppress, case["level"])
        made.keys = [item.ratingKey]
        properties[made.mapping_name] = made
    runner = kometa.overlays.Overlays(config, library)

    def compiled() -> tuple[dict[Any, Any], dict[str, Any]]:
        """The end of Kometa's compile step, with the items already found."""
        library.overlay_files = []
        return finish(kometa, properties, item)

    runner.compile_overlays = compiled
    runner.run_overlays()
    return library.uploaded


def finish(kometa: Any, properties: dict[str, Any], item: Any) -> tuple[dict[Any, Any], dict[str, Any]]:
    """Kometa's own grouping and suppression, on items found here: its builder is replaced by one that finds ``item``."""
    overlays = kometa.overlays
    library = types.SimpleNamespace(
        name="L",
        overlay_files=[types.SimpleNamespace(overlays=properties)],
        get_item_display_title=lambda *args, **kwargs: "",
        remove_overlays=False,
        reapply_overlays=False,
        reset_overlays=None,
    )

    class Builder:
        def __init__(self, config: Any, file: Any, name: str, made: Any, **kwargs: Any) -> None:
            self.overlay, self.found_items, self.builders, self.limit = made, [item], [], 0

        def display_filters(self) -> None:
            pass

    original, overlays.CollectionBuilder = overlays.CollectionBuilder, Builder
    try:
        for made in properties.values():
            made.keys = []
        return overlays.Overlays(types.SimpleNamespace(Cache=None), library).compile_overlays()
    finally:
        overlays.CollectionBuilder = original


def difference(theirs: bytes, ours: bytes) -> str:
    """What differs between two raw pictures of :func:`main`'s, or two files."""
    (head, _, pixels), (our_head, _, our_pixels) = theirs.partition(b"\n"), ours.partition(b"\n")
    if head != our_head:
        return f"Kometa {head[:200]!r}, the draft {our_head[:200]!r}"
    at = [index for index in range(0, min(len(pixels), len(our_pixels)), 3) if pixels[index : index + 3] != our_pixels[index : index + 3]]
    return f"{len(at)} pixels differ, the first is number {at[0] // 3}" if at else "other lengths"


def main() -> None:
    os.chdir(WORK)
    Path("out").mkdir(exist_ok=True)
    kometa, draft = load_kometa(), load_draft()
    from PIL import Image

    save = Image.Image.save

    def quick(self: Any, target: Any, format: Any = None, **options: Any) -> None:
        """Instead of PNG, which takes most of the time: the pixels as they are, and what else was to be saved."""
        if not case.get("saved") and (format == "PNG" or str(target).endswith(".png")):
            exif = options.pop("exif").tobytes()
            data = repr((self.size, self.mode, sorted(self.info), exif, options)).encode() + b"\n" + self.tobytes()
            target.write(data) if hasattr(target, "write") else Path(target).write_bytes(data)
        else:
            save(self, target, format, **options)

    Image.Image.save = quick
    report: dict[str, Any] = {}
    for case, order in pickle.loads(Path("orders.pickle").read_bytes()):
        theirs = by_kometa(kometa, case)
        ours = draft.render(Path(case["art"]).read_bytes(), order).data if order else None
        if theirs is None and ours is None:
            report[case["name"]] = "drawn by neither"
        elif theirs == ours:
            report[case["name"]] = None
        elif theirs is None or ours is None:
            report[case["name"]] = f"drawn by {'the draft' if theirs is None else 'Kometa'} only"
        else:
            report[case["name"]] = difference(theirs, ours)
    sys.stdout.write(json.dumps(report) + "\n")


main()
