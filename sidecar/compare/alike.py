"""Finds the same change on several targets: in the same place, and by the same overlays. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from sidecar.compare.regions import overlap
from sidecar.review import ReviewGroup

ENOUGH: Final = 0.7
"""Share of their prints that two changes must have in common: letters differ from poster to poster, places do not."""
MOVES: Final = "moves"
NAMED: Final = 3
"""Moved overlays that a group's title names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One target's change."""

    target: str
    """``Target.id``."""
    shape: str
    """Changes on differently shaped pictures are never alike: ``portrait``, ``landscape``, ``square``."""
    print: str
    delta: tuple[str, ...] = ()
    """What the renderer reported to differ: see :func:`delta_of`."""


def alike(changes: Sequence[Change]) -> tuple[ReviewGroup, ...]:
    """Groups of two or more like changes, largest first. No target is in two; the order of ``changes`` decides doubtful cases."""
    groups: list[list[Change]] = []
    for change in changes:
        for group in groups:
            first = group[0]
            if (first.shape, _kind(first)) == (change.shape, _kind(change)) and overlap(first.print, change.print) >= ENOUGH:
                group.append(change)
                break
        else:
            groups.append([change])
    several = sorted((group for group in groups if len(group) > 1), key=len, reverse=True)
    return tuple(
        ReviewGroup(id=f"g{number}", targets=tuple(change.target for change in group), title=_title(group))
        for number, group in enumerate(several, 1)
    )


def _kind(change: Change) -> frozenset[str]:
    """What must be the same: which overlays came and went. Which ones moved may differ: each poster bears badges of its own."""
    return frozenset(MOVES if word.startswith(f"{MOVES} ") else word for word in change.delta)


def _title(group: Sequence[Change]) -> str:
    words = list(dict.fromkeys(word for change in group for word in change.delta))
    moved = [word.removeprefix(f"{MOVES} ") for word in words if word.startswith(f"{MOVES} ")]
    shown = [word for word in words if not word.startswith(f"{MOVES} ")]
    if moved:
        more = f" and {len(moved) - NAMED} more" if len(moved) > NAMED else ""
        shown.append(f"{MOVES} {', '.join(moved[:NAMED])}{more}")
    return "; ".join(shown)


def delta_of(before: Iterable[Mapping[str, object]], after: Iterable[Mapping[str, object]]) -> tuple[str, ...]:
    """What differs between two reports of applied overlays, for people: ``adds 4K``, ``drops HDR``, ``moves Rating``."""
    old, new = _boxes(before), _boxes(after)
    return (
        *(f"adds {name}" for name in new if name not in old),
        *(f"drops {name}" for name in old if name not in new),
        *(f"{MOVES} {name}" for name in new if name in old and old[name] != new[name]),
    )


def _boxes(overlays: Iterable[Mapping[str, object]]) -> dict[str, object]:
    """A box that is not known (it depends on the item's text) never counts as moved."""
    found: dict[str, object] = {}
    for overlay in overlays:
        box = overlay.get("box")
        place = tuple(box) if isinstance(box, list | tuple) else ()
        found[str(overlay.get("name", "?"))] = place[:2]
    return found
