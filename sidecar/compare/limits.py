"""What counts as a change of which target: thresholds, and regions that hold volatile data. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from sidecar.model import Level, Target
from sidecar.review import Box

CANVAS: Final = {Level.EPISODE: (1920, 1080), Level.ALBUM: (1000, 1000), Level.ARTIST: (1000, 1000)}
"""Kometa's canvas in pixels, where it is not the poster's 1000 x 1500."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What sidecar.yml says of some targets. Empty fields fit every target; the last rule with a threshold decides it."""

    library: str = ""
    level: Level | None = None
    rating_key: int | None = None
    title: str = ""
    """Of the item, or of a season's or episode's show. ``*`` and ``?`` stand for any characters; case does not matter."""
    threshold: float | None = None
    """A fraction of the pixels."""
    ignore: tuple[Box, ...] = ()
    """On Kometa's canvas."""
    ignore_overlays: tuple[str, ...] = ()
    """Names of overlay definitions (with ``*`` and ``?``) whose boxes are left out."""

    def fits(self, target: Target) -> bool:
        return (
            (not self.library or self.library == target.library)
            and self.level in (None, target.level)
            and self.rating_key in (None, target.rating_key)
            and (not self.title or any(_like(title, self.title) for title in (target.title, target.show_title) if title))
        )


def limits_of(
    target: Target, size: tuple[int, int], overlays: Iterable[Mapping[str, object]], rules: Sequence[Rule], threshold: float
) -> tuple[float, tuple[Box, ...]]:
    """The fraction up to which ``target`` counts as unchanged, and the regions to leave out, in pixels of a picture of ``size``.

    ``overlays`` are those that either picture bears, as the renderer reported them; one whose box it does not know (a text
    of the item's) can only be left out by ``ignore``.
    """
    canvas = CANVAS.get(target.level, (1000, 1500))
    reported = list(overlays)
    boxes: list[Box] = []
    for rule in rules:
        if rule.fits(target):
            threshold = threshold if rule.threshold is None else rule.threshold
            boxes += rule.ignore
            boxes += [box for name in rule.ignore_overlays for overlay in reported if (box := _box_of(overlay, name))]
    scaled = (_scaled(box, canvas, size) for box in boxes)
    return threshold, tuple(dict.fromkeys(box for box in scaled if box[2] > 0 and box[3] > 0))


def unplaced(target: Target, overlays: Iterable[Mapping[str, object]], rules: Sequence[Rule]) -> tuple[str, ...]:
    """Names of overlays that are to be left out and whose box the renderer does not know."""
    wanted = [name for rule in rules if rule.fits(target) for name in rule.ignore_overlays]
    names = (str(overlay.get("name", "")) for overlay in overlays if not isinstance(overlay.get("box"), list | tuple))
    return tuple(dict.fromkeys(name for name in names if any(_like(name, pattern) for pattern in wanted)))


def _box_of(overlay: Mapping[str, object], pattern: str) -> Box | None:
    box = overlay.get("box")
    if not _like(str(overlay.get("name", "")), pattern) or not isinstance(box, list | tuple) or len(box) != 4:
        return None
    if not all(isinstance(edge, int) for edge in box):
        return None
    x, y, width, height = box
    return (x, y, width, height)


def _scaled(box: Box, canvas: tuple[int, int], size: tuple[int, int]) -> Box:
    """``box`` on a picture of ``size``, cut at its edges."""
    left = max(0, box[0] * size[0] // canvas[0])
    top = max(0, box[1] * size[1] // canvas[1])
    right = min(size[0], -(-(box[0] + box[2]) * size[0] // canvas[0]))
    low = min(size[1], -(-(box[1] + box[3]) * size[1] // canvas[1]))
    return (left, top, right - left, low - top)


def _like(text: str, pattern: str) -> bool:
    return fnmatchcase(text.casefold(), pattern.casefold())
