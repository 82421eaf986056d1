"""Says, per item, which overlays matched, which are drawn, in what order and where, and which lost to what.

Kometa decides this in ``Overlays.compile_overlays``; it is asked there for its result, which is read and handed on untouched. What a
text with variables comes to, and so its box, or that there is no value for it, is only known when it is drawn: the item's report is
sent anew then. Anything unexpected costs the report, never the picture.
"""

from __future__ import annotations

import functools
import inspect
import sys
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urlsplit

from renderer.protocol import PLEX_SUFFIX
from renderer.report import Reporter
from renderer.weigh import judge, kind, title


class Report:
    """What was told of one item, and can be mended when it is drawn."""

    def __init__(self, server: str, key: int, canvas: tuple[int, int]) -> None:
        self.server = server
        self.key = key
        self.canvas = canvas
        self.applied: list[tuple[Any, dict[str, Any]]] = []
        self.left_out: list[dict[str, Any]] = []
        self.written: dict[int, tuple[str, list[int] | None]] = {}

    def send(self, reporter: Reporter) -> None:
        applied = [about for _, about in self.applied]
        reporter.send("overlays", server=self.server, rating_key=self.key, applied=applied, left_out=self.left_out)

    def mend(self) -> bool:
        """Put in what was written; False where all was known before."""
        variable = [(overlay, about) for overlay, about in self.applied if _varies(overlay)]
        for overlay, about in variable:
            if id(overlay) in self.written:
                about["text"], box = self.written[id(overlay)]
                about.update({"box": box} if box else {})
            else:
                self.left_out.append({**{name: value for name, value in about.items() if name != "order"}, "reason": "no value", "by": ""})
        if variable:
            self.applied = [pair for pair in self.applied if not _varies(pair[0]) or id(pair[0]) in self.written]
            for order, (_, about) in enumerate(self.applied, 1):
                about["order"] = order
        return bool(variable)


class Observer:
    """One run's. ``soft`` takes what may fail."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._reports: dict[int, Report] = {}
        self._drawn: Report | None = None

    def soft(self, look: Callable[[], None]) -> None:
        """Look at something of Kometa's; its surprises are told and passed over."""
        try:
            look()
        except OSError:
            raise  # the parent is gone
        except Exception as error:  # noqa: BLE001  # another Kometa's shapes: no report
            self._reporter.log("WARNING", f"overlay reports are off: {type(error).__name__}: {error}", "worker")

    def compiled(self, library: Any, key_to_overlays: Mapping[Any, Any], properties: Mapping[str, Any]) -> None:
        """Send one ``overlays`` message per item."""
        server = server_name(str(getattr(library, "url", "")))
        queues = getattr(library, "queues", {}) or {}
        matched: dict[Any, list[str]] = {}
        for name, overlay in properties.items():
            for key in overlay.keys:
                matched.setdefault(key, []).append(name)
        self._reports = {}
        for key, (item, final) in key_to_overlays.items():
            applied, left_out = judge(matched.get(key, list(final)), list(final), properties, queues)
            report = Report(server, int(key), _canvas(item))
            for order, (name, cord) in enumerate(applied, 1):
                report.applied.append((properties[name], describe(properties[name], report.canvas, order, cord)))
            report.left_out = [{**describe(properties[name], report.canvas), **why} for name, why in left_out]
            report.send(self._reporter)
            self._reports[report.key] = report

    def drawing(self, item: Any) -> None:
        """Kometa begins to draw ``item``."""
        self._drawn = self._reports.get(int(item.ratingKey))

    def wrote(self, overlay: Any, canvas: tuple[int, int], image: Any, text: Any, cord: Any) -> None:
        """Kometa writes ``text``, beside an addon of the size ``image``."""
        if self._drawn is not None and text is not None and _varies(overlay):
            self._drawn.written[id(overlay)] = str(text), area(overlay, canvas, _content(overlay, str(text), image), cord)

    def uploaded(self, item: Any) -> None:
        """Kometa is through with ``item``."""
        report, self._drawn = self._drawn, None
        if report is not None and report.key == int(item.ratingKey) and report.mend():
            report.send(self._reporter)


def install(reporter: Reporter) -> None:
    """Listen to Kometa's compile and draw steps. Where this Kometa has none as we know them, reports are off and the log says so."""
    overlays: Any = sys.modules.get("modules.overlays")
    owner: Any = getattr(overlays, "Overlays", None)
    original = getattr(owner, "compile_overlays", None)
    if original is None:
        reporter.log("DEBUG", "overlay reports are off: this Kometa has no Overlays.compile_overlays", "worker")
        return
    observer = Observer(reporter)

    @functools.wraps(original)
    def compile_overlays(self: Any, *args: Any, **kwargs: Any) -> Any:
        library = str(getattr(getattr(self, "library", None), "name", ""))
        reporter.phase("compile", library)
        result = original(self, *args, **kwargs)
        observer.soft(lambda: observer.compiled(self.library, *result))
        return result

    owner.compile_overlays = compile_overlays
    _attend(observer)


def _attend(observer: Observer) -> None:
    """Listen to the draw step, as far as it is as we know it."""
    module: Any = sys.modules.get("modules.overlay")
    plex: Any = getattr(sys.modules.get("modules.plex"), "Plex", None)
    canvas_size = getattr(module, "get_canvas_size", None)
    backdrop = getattr(getattr(module, "Overlay", None), "get_backdrop", None)
    upload = getattr(plex, "upload_poster", None)
    if canvas_size is None or backdrop is None or upload is None:
        return

    takes = inspect.signature(backdrop)

    @functools.wraps(canvas_size)
    def get_canvas_size(item: Any, *args: Any, **kwargs: Any) -> Any:
        observer.soft(lambda: observer.drawing(item))
        return canvas_size(item, *args, **kwargs)

    @functools.wraps(backdrop)
    def get_backdrop(self: Any, *args: Any, **kwargs: Any) -> Any:
        def look() -> None:
            given = takes.bind(self, *args, **kwargs).arguments
            observer.wrote(self, given["canvas_box"], given.get("box"), given.get("text"), given.get("new_cords"))

        observer.soft(look)
        return backdrop(self, *args, **kwargs)

    @functools.wraps(upload)
    def upload_poster(self: Any, item: Any, *args: Any, **kwargs: Any) -> Any:
        result = upload(self, item, *args, **kwargs)
        observer.soft(lambda: observer.uploaded(item))
        return result

    module.get_canvas_size, module.Overlay.get_backdrop, plex.upload_poster = get_canvas_size, get_backdrop, upload_poster


def server_name(url: str) -> str:
    """``plex-0`` of ``http://plex-0.plex.invalid:32400``; the whole host of anything else."""
    host = urlsplit(url).hostname or ""
    return host[: -len(PLEX_SUFFIX)] if host.endswith(PLEX_SUFFIX) else host


def describe(overlay: Any, canvas: tuple[int, int], order: int | None = None, cord: Any = None) -> dict[str, Any]:
    """One overlay for people and programs: name, file, kind, group, weight, queue, and its box where that is known ahead."""
    about: dict[str, Any] = {"name": title(overlay), "kind": kind(overlay)}
    if order is not None:
        about["order"] = order
    for key, attribute in (("group", "group"), ("weight", "weight"), ("queue", "queue_name")):
        value = getattr(overlay, attribute, None)
        if value is not None:
            about[key] = value if isinstance(value, int) else str(value)
    text = str(getattr(overlay, "name", ""))
    if about["kind"] == "text" and text.startswith("text("):
        about["text"] = text[5:-1]
    path = getattr(getattr(overlay, "overlay_file", None), "path", None)
    if path:
        about["file"] = str(path)
    if order is not None and (box := _box(overlay, canvas, cord)):
        about["box"] = box
    return about


def _box(overlay: Any, canvas: tuple[int, int], cord: Any) -> list[int] | None:
    what = kind(overlay)
    if what == "blur" or _varies(overlay):
        return None
    if what == "image" and cord is None and not overlay.has_coordinates():
        return [0, 0, *canvas]  # laid over the whole
    if what == "image":
        return area(overlay, canvas, overlay.image.size, cord)
    if what == "backdrop":
        return area(overlay, canvas, overlay.back_box or canvas, cord)
    return area(overlay, canvas, _content(overlay, overlay.name[5:-1], overlay.image.size if overlay.image else None), cord)


def area(overlay: Any, canvas: tuple[int, int], content: tuple[int, int], cord: Any) -> list[int]:
    """x, y, width, height in pixels of what an overlay covers: its back where it has one of a size of its own, else its ``content``.

    The padding around the back is not counted.
    """
    x, y = overlay.get_coordinates(canvas, content, new_cords=cord)
    back = getattr(overlay, "back_box", None) or (None, None)
    whole = canvas if kind(overlay) == "backdrop" else content
    width, height = (own if edge is None else edge if edge >= 0 else full for edge, own, full in zip(back, content, whole, strict=True))
    return [int(x), int(y), int(width), int(height)]


def _content(overlay: Any, text: str, image: tuple[int, int] | None) -> tuple[int, int]:
    """Width and height of a text with its addon, as Kometa sets them side by side or one over the other."""
    width, height = overlay.get_text_size(text)[2:]
    if image is None:
        return width, height
    if overlay.addon_position in ("left", "right"):
        return width + image[0] + overlay.addon_offset, max(height, image[1])
    return max(width, image[0]), height + image[1] + overlay.addon_offset


def _varies(overlay: Any) -> bool:
    """Whether it is a text whose words depend on the item."""
    return kind(overlay) == "text" and "<<" in str(overlay.name)


def _canvas(item: Any) -> tuple[int, int]:
    """Kometa's canvas in pixels, by the item's type in Plex."""
    return {"episode": (1920, 1080), "album": (1000, 1000)}.get(str(getattr(item, "type", "")), (1000, 1500))
