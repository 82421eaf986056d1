"""Which of the overlays that match an item Kometa draws, in which order, and what the others lost to. Pure.

Kometa's rules, read in ``Overlays.compile_overlays`` and ``run_overlays``: first suppressions, then groups (the heaviest stays, the
first of equals), then the strongest blur, then plain overlays in the order of their definitions, then each queue from the heaviest on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def judge(
    matched: list[str], final: list[str], properties: Mapping[str, Any], queues: Mapping[Any, Any]
) -> tuple[list[tuple[str, Any]], list[tuple[str, dict[str, str]]]]:
    """What Kometa draws, in its order, each with its place in a queue or None; and what it leaves out, with the reason.

    ``matched`` are an item's overlays in the order of their definitions, ``final`` those that Kometa kept of them.
    """
    _, why = compete(matched, properties)
    # what Kometa kept is believed, whatever the rules here come to
    left_out = [(name, why.get(name) or {"reason": "left out", "by": ""}) for name in matched if name not in final]
    applied: list[tuple[str, Any]] = []
    blurs = [name for name in final if kind(properties[name]) == "blur"]
    if blurs:
        strongest = max(blurs, key=lambda name: _strength(properties[name]))
        applied.append((strongest, None))
        left_out += [(name, {"reason": "outweighed", "by": title(properties[strongest])}) for name in blurs if name != strongest]
    waiting: dict[Any, dict[Any, str]] = {}
    clashing: list[str] = []
    for name in final:
        overlay = properties[name]
        if name in blurs:
            continue
        if not getattr(overlay, "queue_name", None):
            applied.append((name, None))
            continue
        places = waiting.setdefault(overlay.queue, {})
        if overlay.weight in places:
            clashing += [places[overlay.weight], name]
        places.setdefault(overlay.weight, name)
    if clashing:  # Kometa gives the whole item up: these it attempted
        told = [(name, {"reason": "equal weights in a queue", "by": str(properties[name].queue_name)}) for name in clashing]
        return [(name, None) for name in final], left_out + told
    for queue, names in waiting.items():
        cords = list(queues.get(queue, ()))
        ordered = [name for _, name in sorted(names.items(), reverse=True)]
        applied += list(zip(ordered, cords, strict=False))
        left_out += [(name, {"reason": "queue full", "by": str(properties[name].queue_name)}) for name in ordered[len(cords) :]]
    return applied, left_out


def compete(matched: list[str], properties: Mapping[str, Any]) -> tuple[list[str], dict[str, dict[str, str]]]:
    """What suppressions and groups leave of ``matched``, and why the others are out.

    As Kometa does it: the list is walked through while names are taken out of it, so that after one that takes out a name before itself
    the next is not asked what it suppresses.
    """
    names = list(matched)
    why: dict[str, dict[str, str]] = {}
    for name in names:
        for other in getattr(properties[name], "suppress", ()):
            if other in names:
                names.remove(other)
                why[other] = {"reason": "suppressed", "by": title(properties[name])}
    groups: dict[Any, list[str]] = {}
    for name in names:
        if group := getattr(properties[name], "group", None):
            groups.setdefault(group, []).append(name)
    for members in groups.values():
        heaviest: str | None = None
        for name in members:
            if heaviest is None or properties[name].weight > properties[heaviest].weight:
                heaviest = name
        assert heaviest is not None
        for name in members:
            if name != heaviest:
                names.remove(name)
                why[name] = {"reason": "outweighed", "by": title(properties[heaviest])}
    return names, why


def kind(overlay: Any) -> str:
    """blur, backdrop, text or image."""
    name = str(getattr(overlay, "name", ""))
    return next((kind for kind in ("blur", "backdrop", "text") if name.startswith(kind)), "image")


def title(overlay: Any) -> str:
    """The definition's name as its author wrote it, not with Kometa's file number before it."""
    return str(getattr(overlay, "original_mapping_name", None) or getattr(overlay, "mapping_name", "?"))


def _strength(overlay: Any) -> int:
    digits = "".join(letter for letter in str(overlay.name) if letter.isdigit())
    return int(digits or 0)
