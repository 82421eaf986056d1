"""Which pictures the first page shows, and in what order. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from sidecar.model import DEFAULT_SERVER, Level, Picture, PictureState, Run
from sidecar.publish.view import GalleryView
from sidecar.review import Against, ReviewGroup, ReviewStatus, RunReview, Standing, TargetReview, Verdict


class Status(StrEnum):
    """What a card says of its target."""

    CHANGED = "changed"
    SAME = "same"
    UNTOUCHED = "untouched"
    FAILED = "failed"
    GONE = "gone"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True, kw_only=True)
class Card:
    """One target on a page. Equal cards look equal: the page's cache relies on it."""

    picture: Picture
    run_id: str
    status: Status
    draft: bool
    """Drawn by our own compositor, not by Kometa."""
    pending: bool = False
    """The run in progress has not come to it yet; ``picture`` is the last good run's."""
    review: TargetReview | None = None
    """None: not compared yet."""
    verdict: Verdict | None = None
    """What was decided of this very picture by now; None: pending. Always None on a run's own page, which never changes."""

    @property
    def id(self) -> str:
        return self.picture.target.id

    @property
    def word(self) -> str:
        """The status that is shown and filtered by: the review's once there is one, and not while it is drawn anew."""
        if self.review is not None:
            return self.review.status.value
        return "unchanged" if self.status is Status.SAME else self.status.value

    @property
    def troubled(self) -> bool:
        """Whether somebody should look after it, whatever it looks like."""
        return self.word in ("failed", "gone") or bool(self.picture.problems)

    @property
    def reference_name(self) -> str:
        """What people call the picture that this one is compared with."""
        if self.review is None or self.review.reference is None:
            return ""
        return "Baseline" if self.review.against is Against.BASELINE else "Previous run"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The cards of one library at one level."""

    level: Level
    cards: tuple[Card, ...]

    @property
    def title(self) -> str:
        return f"{self.level.value.capitalize()}s"


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Cards whose change is alike, shown as one: the first of them, and a strip of the others."""

    id: str
    title: str
    """What differs, for people; may be empty."""
    cards: tuple[Card, ...]
    folded: bool = False
    """Where a page has few changes all are shown at once; where it has many, one looks at the groups first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shelf:
    """The cards of one library."""

    slug: str
    """Safe in an ``id``; by position, since titles are anything."""
    library: str
    server: str
    """Empty for the first Plex server."""
    rows: tuple[Row, ...]

    @property
    def count(self) -> int:
        return sum(len(row.cards) for row in self.rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """Cards that ask for the same attention."""

    kind: str
    """changed, new, failed, gone, unchanged; all where nothing was compared (yet)."""
    title: str
    folded: bool
    groups: tuple[Group, ...]
    shelves: tuple[Shelf, ...]
    """The cards that are in no group."""

    @property
    def count(self) -> int:
        return sum(len(group.cards) for group in self.groups) + sum(shelf.count for shelf in self.shelves)


_ORDER: Final = {level: index for index, level in enumerate(Level)}


def status_of(picture: Picture, run: Run, before: Picture | None) -> Status:
    """What to say of ``picture``; ``before`` is the last good run's of the same target, for a run still in progress."""
    if picture.state not in (PictureState.RENDERED, PictureState.REUSED):
        return Status(picture.state.value)
    if picture.target.id in run.changed:
        return Status.CHANGED
    if not run.state.final and (before is None or before.after != picture.after):
        return Status.CHANGED
    return Status.SAME


def is_draft(run: Run) -> bool:
    """Whether ``run``'s pictures are not Kometa's."""
    return run.engine is not None and run.engine.kind != "kometa"


def cards_of(
    run: Run, earlier: Run | None = None, review: RunReview | None = None, standings: Mapping[str, Standing] | None = None
) -> tuple[Card, ...]:
    """The cards of one run by itself."""
    known = {picture.target.id: picture for picture in earlier.pictures} if earlier else {}
    reviews = {target.target: target for target in review.targets} if review else {}
    cards = []
    for picture in run.pictures:
        seen = reviews.get(picture.target.id)
        standing = (standings or {}).get(picture.target.id)
        cards.append(
            Card(
                picture=picture,
                run_id=run.id,
                status=status_of(picture, run, known.get(picture.target.id)),
                draft=is_draft(run),
                review=seen,
                verdict=standing.verdict_on(seen.shown) if seen and standing else None,
            )
        )
    return tuple(cards)


def index_cards(view: GalleryView) -> tuple[Card, ...]:
    """The first page's cards: what the run in progress has, else the last good run's picture, marked as pending."""
    shown = cards_of(view.shown, None, view.reviews.get(view.shown.id), view.standings) if view.shown else ()
    if view.current is None or not view.current.pictures:
        return shown
    last = {card.id: card for card in shown}
    cards = []
    for card in cards_of(view.current, view.shown):
        old = last.get(card.id)
        if card.picture.quick is not None:
            card = replace(card, picture=replace(card.picture, after=card.picture.quick), status=Status.CHANGED, pending=True)
        elif card.status is Status.WAITING and old is not None and old.status is not Status.WAITING:
            card = replace(old, pending=True)
        cards.append(card)
    return tuple(cards)


_SECTIONS: Final = (("failed", "Failed"), ("changed", "Changed"), ("new", "New"), ("gone", "Gone"), ("unchanged", "Unchanged"))
"""In the order of the page: what asks for attention first."""

FEW: Final = 12
"""Changed cards that are shown one by one although they are alike."""

_SECTION_OF: Final = {ReviewStatus.REUSED.value: "unchanged"}


def sections(cards: Iterable[Card], review: RunReview | None, *, busy: bool = False) -> tuple[Section, ...]:
    """``cards`` by what they ask for: changed ones first, unchanged ones folded. While a run is ``busy``, and before it was
    compared, all in one, so that no card moves away from under whoever looks at it.
    """
    cards = tuple(cards)
    if review is None or busy:
        return (Section(kind="all", title="Pictures", folded=False, groups=(), shelves=shelves(cards, "library")),) if cards else ()
    kinds: dict[str, list[Card]] = {}
    for card in cards:
        kinds.setdefault(_SECTION_OF.get(card.word, card.word), []).append(card)
    known = dict(_SECTIONS)
    rest = [card for kind, some in kinds.items() if kind not in known for card in some]
    found = []
    for kind, title in _SECTIONS:
        mine = kinds.get(kind, []) + (rest if kind == "unchanged" else [])
        if not mine:
            continue
        groups = groups_of(mine, review.groups, folded=len(mine) > FEW) if kind == "changed" else ()
        grouped = {card.id for group in groups for card in group.cards}
        single = shelves([card for card in mine if card.id not in grouped], f"{kind}-library")
        folded = kind == "unchanged" and len(mine) < len(cards)
        found.append(Section(kind=kind, title=title, folded=folded, groups=groups, shelves=single))
    return tuple(found)


def groups_of(cards: Iterable[Card], groups: Iterable[ReviewGroup], *, folded: bool) -> tuple[Group, ...]:
    """Those of ``groups`` that have two cards or more among ``cards``; the largest first."""
    known = {card.id: card for card in cards}
    found = [
        Group(id=group.id, title=group.title, cards=tuple(known[target] for target in group.targets if target in known), folded=folded)
        for group in groups
    ]
    return tuple(sorted((group for group in found if len(group.cards) > 1), key=lambda group: -len(group.cards)))


def shelves(cards: Iterable[Card], slug: str = "library") -> tuple[Shelf, ...]:
    """``cards`` by library, in order of appearance, then by level; within a level in the order given."""
    libraries: dict[tuple[str, str], dict[Level, list[Card]]] = {}
    for card in cards:
        target = card.picture.target
        libraries.setdefault((target.server, target.library), {}).setdefault(target.level, []).append(card)
    return tuple(
        Shelf(
            slug=f"{slug}-{number}",
            library=library,
            server="" if server == DEFAULT_SERVER else server,
            rows=tuple(Row(level=level, cards=tuple(rows[level])) for level in sorted(rows, key=_ORDER.__getitem__)),
        )
        for number, ((server, library), rows) in enumerate(libraries.items(), 1)
    )
