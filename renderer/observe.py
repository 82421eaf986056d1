"""Says, per item, which overlays matched, which are drawn and in what order, and which lost to what.

Kometa decides this in ``Overlays.compile_overlays``; it is asked there for its result, which is read and handed on
untouched. Anything unexpected in it costs the report, never the picture.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from renderer.protocol import PLEX_SUFFIX
from renderer.report import Reporter


def install(reporter: Reporter) -> None:
    """Ask Kometa's compile step. Where this Kometa has none as we know it, reports are off and the log says so."""
    module = sys.modules.get("modules.overlays")
    owner: Any = getattr(module, "Overlays", None)
    original = getattr(owner, "compile_overlays", None)
    if original is None:
        reporter.log("DEBUG", "overlay reports are off: this Kometa has no Overlays.compile_overlays", "worker")
        return

    @functools.wraps(original)
    def compile_overlays(self: Any, *args: Any, **kwargs: Any) -> Any:
        library = str(getattr(getattr(self, "library", None), "name", ""))
        reporter.phase("compile", library)
        result = original(self, *args, **kwargs)
        try:
            tell(reporter, self.library, *result)
        except OSError:
            raise
        except Exception as error:  # noqa: BLE001  # another Kometa's shapes: no report
            reporter.log("WARNING", f"overlay reports are off: {type(error).__name__}: {error}", "worker")
        return result

    owner.compile_overlays = compile_overlays


def tell(reporter: Reporter, library: Any, key_to_overlays: Mapping[Any, Any], properties: Mapping[str, Any]) -> None:
    """Send one ``overlays`` message per item."""
    server = server_name(str(getattr(library, "url", "")))
    queues = getattr(library, "queues", {}) or {}
    matched: dict[Any, list[str]] = {}
    for name, overlay in properties.items():
        for key in overlay.keys:
            matched.setdefault(key, []).append(name)
    for key, (item, final) in key_to_overlays.items():
        applied, left_out = judge(matched.get(key, list(final)), list(final), properties, queues)
        canvas = _canvas(item)
        reporter.send(
            "overlays",
            server=server,
            rating_key=int(key),
            applied=[describe(properties[name], canvas, order, cord) for order, (name, cord) in enumerate(applied, 1)],
            left_out=[{**describe(properties[name], canvas), **why} for name, why in left_out],
        )


def server_name(url: str) -> str:
    """``plex-0`` of ``http://plex-0.plex.invalid:32400``; the whole host of anything else."""
    host = urlsplit(url).hostname or ""
    return host[: -len(PLEX_SUFFIX)] if host.endswith(PLEX_SUFFIX) else host


def judge(
    matched: list[str], final: list[str], properties: Mapping[str, Any], queues: Mapping[Any, Any]
) -> tuple[list[tuple[str, Any]], list[tuple[str, dict[str, Any]]]]:
    """What Kometa draws, in its order, each with its place in a queue or None; and what it leaves out, with the reason.

    Kometa draws plain overlays in the order of their definitions, then each queue from the heaviest on; the heaviest blur
    alone counts and comes before all.
    """
    applied: list[tuple[str, Any]] = []
    left_out: list[tuple[str, dict[str, Any]]] = []
    for name in matched:
        if name not in final:
            left_out.append((name, _reason(name, matched, final, properties)))
    blurs = [name for name in final if _kind(properties[name]) == "blur"]
    if blurs:
        strongest = max(blurs, key=lambda name: _strength(properties[name]))
        applied.append((strongest, None))
        left_out += [(name, {"reason": "outweighed", "by": _title(properties[strongest])}) for name in blurs if name != strongest]
    waiting: dict[Any, list[str]] = {}
    for name in final:
        overlay = properties[name]
        if getattr(overlay, "queue_name", None) and name not in blurs:
            waiting.setdefault(overlay.queue, []).append(name)
        elif name not in blurs:
            applied.append((name, None))
    for queue, names in waiting.items():
        places = list(queues.get(queue, ()))
        names.sort(key=lambda name: properties[name].weight, reverse=True)
        applied += list(zip(names, places, strict=False))
        left_out += [(name, {"reason": "queue full", "by": str(properties[name].queue_name)}) for name in names[len(places) :]]
    return applied, left_out


def _reason(name: str, matched: list[str], final: list[str], properties: Mapping[str, Any]) -> dict[str, Any]:
    for other in matched:
        if other != name and name in getattr(properties[other], "suppress", ()):
            return {"reason": "suppressed", "by": _title(properties[other])}
    group = getattr(properties[name], "group", None)
    rivals = [other for other in final if group and getattr(properties[other], "group", None) == group]
    if rivals:
        return {"reason": "outweighed", "by": _title(properties[rivals[0]])}
    return {"reason": "left out", "by": ""}


def describe(overlay: Any, canvas: tuple[int, int], order: int | None = None, cord: Any = None) -> dict[str, Any]:
    """One overlay for people and programs: name, file, kind, group, weight, queue, and its box where that is known ahead."""
    about: dict[str, Any] = {"name": _title(overlay), "kind": _kind(overlay)}
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
    """x, y, width, height in pixels, padding not counted; None where it depends on the item's text, or is the whole canvas."""
    if cord is None and not overlay.has_coordinates():
        return None
    kind = _kind(overlay)
    if kind == "image":
        size = overlay.image.size
    elif kind == "backdrop":
        size = tuple(edge if edge >= 0 else whole for edge, whole in zip(overlay.back_box, canvas, strict=True))
    elif kind == "text" and overlay.image is None and "<<" not in overlay.name:
        size = overlay.get_text_size(overlay.name[5:-1])[2:]
    else:
        return None
    x, y = overlay.get_coordinates(canvas, size, new_cords=cord)
    return [int(x), int(y), int(size[0]), int(size[1])]


def _kind(overlay: Any) -> str:
    name = str(getattr(overlay, "name", ""))
    return next((kind for kind in ("blur", "backdrop", "text") if name.startswith(kind)), "image")


def _strength(overlay: Any) -> int:
    digits = "".join(letter for letter in str(overlay.name) if letter.isdigit())
    return int(digits or 0)


def _title(overlay: Any) -> str:
    """The definition's name as its author wrote it, not with Kometa's file number before it."""
    return str(getattr(overlay, "original_mapping_name", None) or getattr(overlay, "mapping_name", "?"))


def _canvas(item: Any) -> tuple[int, int]:
    """Kometa's canvas in pixels, by the item's type in Plex."""
    return {"episode": (1920, 1080), "album": (1000, 1000)}.get(str(getattr(item, "type", "")), (1000, 1500))
