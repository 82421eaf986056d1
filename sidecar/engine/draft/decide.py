"""What is drawn on one item: which definitions match, which win, and in what order. Pure.

Suppression, groups and queues follow Kometa 2.4.4, with its peculiarities: suppression changes the list that it walks
through, so that what follows a suppressed overlay directly may keep those that it would have suppressed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sidecar.engine.draft import text
from sidecar.engine.draft.compiled import Compiled, Definition
from sidecar.engine.draft.compose import Layer, Order
from sidecar.engine.draft.facts import Facts
from sidecar.engine.draft.geometry import Place, canvas_of
from sidecar.engine.draft.spec import NotDrawn

About = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Decision:
    """What to draw on one item."""

    order: Order | None
    """None where nothing is drawn: no overlay matches, or none of those that do is in the subset."""
    drawn: tuple[Definition, ...] = ()
    """The definition of each layer, after the blur's, if there is one."""
    applied: tuple[About, ...] = ()
    left_out: tuple[About, ...] = ()
    failed: str = ""
    """Why Kometa fails on this item, and the draft with it."""
    beyond: tuple[str, ...] = ()
    """Definitions that Kometa draws on this item, or may, and the draft does not."""


@dataclass
class _Item:
    """The decision on one item, as it grows."""

    compiled: Compiled
    facts: Facts
    applied: list[About] = field(default_factory=list)
    left_out: list[About] = field(default_factory=list)
    beyond: list[str] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)
    drawn: list[Definition] = field(default_factory=list)

    def leave(self, definition: Definition, reason: str, by: str = "") -> None:
        self.left_out.append({**_about(definition), "reason": reason, "by": by})

    def beyond_the_draft(self, definition: Definition, cause: NotDrawn | None) -> None:
        what = "the draft cannot tell whether it matches" if definition.meets is None else "the draft cannot draw it"
        self.leave(definition, what, cause.attribute if cause else "")
        self.beyond.append(definition.name)

    def draw(self, definition: Definition, slot: Place | None = None) -> None:
        """Add a layer, or say why there is none. A missing value leaves a queue's position empty, as in Kometa."""
        if definition.beyond is not None:
            self.beyond_the_draft(definition, definition.beyond)
            return
        spec = definition.spec
        written = spec.text.template if spec.text else ""
        try:
            written = text.fill(written, self.facts)
        except text.NoValue as missing:
            self.leave(definition, "no value", str(missing))
            return
        except NotDrawn as cause:
            self.beyond_the_draft(definition, cause)
            return
        about = {**_about(definition), "order": len(self.applied) + 1}
        self.applied.append({**about, "text": written} if spec.text else about)
        self.drawn.append(definition)
        self.layers.append(Layer(key=definition.name, spec=spec, text=written, image=definition.image, font=definition.font, slot=slot))


def decide(compiled: Compiled, facts: Facts) -> Decision:
    """Decide what is drawn on the item of ``facts``."""
    item = _Item(compiled, facts)
    matched = []
    for definition in compiled.definitions:
        if definition.level != facts.level:
            continue
        if definition.meets is None:
            item.beyond_the_draft(definition, definition.beyond)
        elif definition.meets(facts):
            matched.append(definition)
    final = _grouped(item, _suppressed(item, matched))
    blurs = [definition for definition in final if definition.spec.kind == "blur"]
    blur = max((definition.spec.blur for definition in blurs), default=0)
    strongest = next((definition for definition in blurs if definition.spec.blur == blur), None)
    for definition in blurs:
        if definition is strongest:
            item.applied.append({**_about(definition), "order": 1, "text": str(blur)})
        else:
            item.leave(definition, "outweighed", strongest.name if strongest else "")
    queues: dict[tuple[int, str], list[Definition]] = {}
    for definition in final:
        if definition.spec.kind == "blur":
            continue
        if definition.spec.queue:
            queues.setdefault((definition.id[0], definition.spec.queue), []).append(definition)
        else:
            item.draw(definition)
    failed = ""
    for queue, waiting in queues.items():
        failed = failed or _fill_queue(item, waiting, compiled.queues[queue])
    # An item on which every overlay lacks its value is still uploaded, bare; one on which the draft knows none is not.
    nothing = not final or (not item.layers and not blurs and bool(item.beyond))
    order = Order(
        canvas=canvas_of(facts.level),
        blur=blur,
        layers=tuple(item.layers),
        filetype=compiled.filetype,
        quality=compiled.quality,
    )
    return Decision(
        order=None if nothing or failed else order,
        drawn=tuple(item.drawn),
        applied=() if failed else tuple(item.applied),
        left_out=tuple(item.left_out),
        failed=failed,
        beyond=tuple(item.beyond),
    )


def _suppressed(item: _Item, matched: list[Definition]) -> list[Definition]:
    """Without what others suppress. The list shrinks while it is walked through: that is Kometa's way."""
    left = list(matched)
    for definition in left:
        for name in definition.suppress:
            victim = next((other for other in left if other.id == name), None)
            if victim is not None:
                left.remove(victim)
                item.leave(victim, "suppressed", definition.name)
    return left


def _grouped(item: _Item, left: list[Definition]) -> list[Definition]:
    """Of each group the heaviest; of equal weights the first."""
    groups: dict[str, Definition] = {}
    for definition in left:
        group = definition.spec.group
        if group and (group not in groups or definition.spec.weight > groups[group].spec.weight):
            groups[group] = definition
    final = []
    for definition in left:
        winner = groups.get(definition.spec.group, definition)
        if winner is definition:
            final.append(definition)
        else:
            item.leave(definition, "outweighed", winner.name)
    return final


def _fill_queue(item: _Item, waiting: list[Definition], places: tuple[Place, ...]) -> str:
    """Draw a queue, heaviest first. Returns why Kometa fails on the item, if it does."""
    weights = [definition.spec.weight for definition in waiting]
    if len(set(weights)) < len(weights):
        return f"two overlays of the queue '{waiting[0].spec.queue}' have the same weight"
    ranked = sorted(waiting, key=lambda definition: definition.spec.weight, reverse=True)
    for definition in ranked[len(places) :]:
        item.leave(definition, "queue full", definition.spec.queue)
    for definition, place in zip(ranked, places, strict=False):
        own = definition.spec.place
        for mine, theirs in (
            (own.horizontal_offset, place.horizontal_offset),
            (own.vertical_offset, place.vertical_offset),
        ):
            if mine is None and isinstance(theirs, str):
                return f"the queue '{definition.spec.queue}' has a percentage as offset"
        item.draw(definition, place)
    return ""


def _about(definition: Definition) -> dict[str, object]:
    """A definition for people and programs; the keys are those of the worker's reports."""
    spec = definition.spec
    about: dict[str, object] = {"name": definition.name, "kind": spec.kind, "file": definition.file}
    if definition.line:
        about["line"] = definition.line
    if spec.group or spec.queue:
        about |= {"weight": spec.weight, **({"group": spec.group} if spec.group else {"queue": spec.queue})}
    return about
