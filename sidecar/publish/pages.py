"""The gallery's HTML. Autoescaped; every text that is put in is first made visible (see ``text``)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from sidecar.model import BlockedWrite, EngineInfo, Picture, Problem, Run, RunState, Severity
from sidecar.publish.cards import Card, Status, cards_of, index_cards, is_draft, shelves
from sidecar.publish.images import Images
from sidecar.publish.text import visible
from sidecar.publish.view import GalleryView, RunBrief

TEMPLATES: Final = Path(__file__).parent / "templates"

MAX_ROWS: Final = 200
"""Rows of one list on a page; the rest is counted there and stands in summary.json."""

_SEVERITIES: Final = tuple(Severity)


@dataclass(frozen=True, slots=True)
class Counted:
    """Equal problems, once."""

    problem: Problem
    target: str
    """Label of the only target it concerns, else empty."""
    times: int


@dataclass(frozen=True, slots=True)
class Writes:
    """Blocked writes that are alike: one row."""

    write: BlockedWrite
    times: int


@dataclass(frozen=True, slots=True)
class Tally:
    """How many of a page's cards are what."""

    total: int
    changed: int
    failed: int
    troubled: int
    """Cards that failed, are gone, or carry a problem."""
    drafts: int
    waiting: int
    """Not drawn yet in the run in progress."""


class Pages:
    """Renders pages and remembers cards: a publish that brings one picture renders one card."""

    def __init__(self, images: Images, assets: Mapping[str, str]) -> None:
        """``assets`` maps the name of a static file to its URL from the gallery's root."""
        self._images = images
        self._assets = assets
        self._cards: dict[tuple[str, str], tuple[Card, Markup]] = {}
        # Two pages of other assets are of other builds: the live page reloads itself when this changes.
        self._build = hashlib.sha256("".join(sorted(assets.values())).encode()).hexdigest()[:10]
        environment = Environment(
            loader=FileSystemLoader(TEMPLATES),
            autoescape=True,
            undefined=StrictUndefined,
            finalize=_finalize,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {"instant": instant, "clock": clock, "seconds": seconds, "plural": plural, "facts": facts}
        environment.globals["engine_name"] = engine_name
        self._environment = environment
        self._card = environment.get_template("card.html")
        self._page = environment.get_template("page.html")

    def index(self, view: GalleryView, linked: frozenset[str]) -> tuple[bytes, dict[str, Markup]]:
        """The first page, and its cards by target. ``linked`` are the runs that have a page of their own."""
        cards = index_cards(view)
        failed = view.latest if view.latest and view.latest.state in (RunState.FAILED, RunState.INVALID) else None
        html = self._render(
            kind="index",
            base="",
            run=view.shown,
            current=view.current,
            failed=failed,
            cards=cards,
            history=view.history[:MAX_ROWS],
            linked=linked,
            health=[part for part in view.health if not part.ok and not (failed and part.part == "config")],
            config_dir=view.config_dir,
            watching=view.watching,
            engine=view.engine,
        )
        return html, {card.id: self._card_html(card, "") for card in cards}

    def run(self, run: Run, config_dir: str) -> bytes:
        """The page of one ended run; it never changes after."""
        return self._render(
            kind="run",
            base="../../",
            run=run,
            current=None,
            failed=run if run.state in (RunState.FAILED, RunState.INVALID) else None,
            cards=cards_of(run),
            history=(),
            linked=frozenset(),
            health=[],
            config_dir=config_dir,
            watching=False,
            engine=run.engine,
        )

    def forget(self, base: str, keep: Iterable[str] = ()) -> None:
        """Drop remembered cards of pages at ``base`` but those of the targets in ``keep``."""
        kept = frozenset(keep)
        self._cards = {key: value for key, value in self._cards.items() if key[0] != base or key[1] in kept}

    def _render(
        self,
        *,
        kind: str,
        base: str,
        run: Run | None,
        current: Run | None,
        failed: Run | None,
        cards: tuple[Card, ...],
        history: Sequence[RunBrief],
        linked: frozenset[str],
        health: Sequence[object],
        config_dir: str,
        watching: bool,
        engine: EngineInfo | None,
    ) -> bytes:
        labels = {card.id: card.picture.target.label for card in cards}
        html = self._page.render(
            kind=kind,
            base=base,
            build=self._build,
            assets=self._assets,
            run=run,
            current=current,
            failed=failed,
            failures=count_problems([problem for problem in failed.problems if problem.severity is Severity.ERROR], {}) if failed else [],
            shelves=shelves(cards),
            card_html=lambda card: self._card_html(card, base),
            tally=_tally(cards, current),
            draft=bool(run and is_draft(run)) or any(card.draft for card in cards),
            problems=count_problems(_problems(run, failed), labels),
            writes=count_writes(run.blocked) if run else [],
            history=history,
            linked=linked,
            health=health,
            config_dir=config_dir,
            watching=watching,
            engine=run.engine if run else engine,
            max_rows=MAX_ROWS,
        )
        return html.encode("utf-8", "replace")

    def _card_html(self, card: Card, base: str) -> Markup:
        known = self._cards.get((base, card.id))
        if known is not None and known[0] == card:
            return known[1]
        picture = card.picture
        before, after = self._images.shot(picture.before), self._images.shot(picture.after)
        only = after or before
        html = self._card.render(
            base=base,
            card=card,
            picture=picture,
            target=picture.target,
            before=before,
            after=after,
            shape=_shape(picture, only.landscape if only and only.width else None, bool(only and only.square)),
            overlays=[facts(overlay) for overlay in picture.overlays],
            left_out=[facts(overlay) for overlay in picture.left_out],
            problems=count_problems(picture.problems, {}),
        )
        # The key is of the card's content: the live page replaces a card only where its key differs.
        markup = Markup(html.replace("KEY", hashlib.sha256(html.encode("utf-8", "replace")).hexdigest()[:12], 1))  # noqa: S704 - from an autoescaping template
        self._cards[base, card.id] = (card, markup)
        return markup


def _shape(picture: Picture, landscape: bool | None, square: bool) -> str:
    if square:
        return "square"
    if landscape is None:
        return {"episode": "wide", "artist": "square", "album": "square"}.get(picture.target.level.value, "poster")
    return "wide" if landscape else "poster"


def _problems(run: Run | None, failed: Run | None) -> list[Problem]:
    """The shown run's problems and its pictures', without what the banner says already."""
    if run is None:
        return [problem for problem in failed.problems if problem.severity is not Severity.ERROR] if failed else []
    own = [problem for problem in run.problems if not (run is failed and problem.severity is Severity.ERROR)]
    return own + [problem for picture in run.pictures for problem in picture.problems if problem not in own]


def _tally(cards: Sequence[Card], current: Run | None) -> Tally:
    return Tally(
        total=len(cards),
        changed=sum(card.status is Status.CHANGED for card in cards),
        failed=sum(card.status is Status.FAILED for card in cards),
        troubled=sum(card.status in (Status.FAILED, Status.GONE) or bool(card.picture.problems) for card in cards),
        drafts=sum(card.draft for card in cards),
        waiting=sum(card.run_id != current.id or card.status is Status.WAITING for card in cards) if current else 0,
    )


def count_problems(problems: Iterable[Problem], labels: Mapping[str, str]) -> list[Counted]:
    """Errors first; equal problems of several targets once, with their number."""
    groups: dict[tuple[object, ...], list[Problem]] = {}
    for problem in problems:
        key = (_SEVERITIES.index(problem.severity), problem.what, problem.mend, problem.file, problem.line)
        groups.setdefault(key, []).append(problem)
    return [
        Counted(group[0], labels.get(group[0].target, "") if len(group) == 1 else "", len(group))
        for _, group in sorted(groups.items(), key=lambda item: item[0][0:1])
    ]


def count_writes(writes: Iterable[BlockedWrite]) -> list[Writes]:
    """Unexpected writes first; equal ones once."""
    counts: Counter[tuple[bool, str, str, str, str]] = Counter()
    first: dict[tuple[bool, str, str, str, str], BlockedWrite] = {}
    for write in writes:
        key = (write.expected, write.server, write.method, write.path, write.meaning)
        counts[key] += 1
        first.setdefault(key, write)
    return [Writes(first[key], counts[key]) for key in sorted(counts, key=lambda key: key[0])]


def facts(overlay: Mapping[str, object]) -> list[tuple[str, str]]:
    """What a worker reported of an overlay, as (name, value) lines, the overlay's name first; nested values stay out of the page."""
    plain = {str(key): str(value) for key, value in overlay.items() if isinstance(value, str | int | float) and str(value)}
    boxes = {str(key): ", ".join(map(str, value)) for key, value in overlay.items() if isinstance(value, list | tuple) and value}
    name = plain.pop("name", "") or plain.pop("key", "") or "overlay"
    return [("name", name), *plain.items(), *boxes.items()]


def engine_name(engine: EngineInfo) -> str:
    """``Kometa 2.4.4``, or ``Draft engine 0.1.0``: never to be mistaken for each other."""
    return f"{'Kometa' if engine.kind == 'kometa' else f'{engine.kind.capitalize()} engine'} {engine.version}".rstrip()


def instant(when: datetime) -> str:
    """For ``<time datetime>``."""
    return when.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def clock(when: datetime) -> str:
    """For people without scripts: ``21 Nov 2026, 01:10 UTC``. The page's script shows local time instead."""
    when = when.astimezone(UTC)
    return f"{when.day} {when:%b %Y, %H:%M} UTC"


def seconds(value: float) -> str:
    """``0.84 s``, ``12.3 s``, ``3 min 05 s``."""
    if value < 10:
        return f"{value:.2f} s"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02} s"


def plural(count: int, one: str, many: str = "") -> str:
    """``1 picture``, ``2 pictures``."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def _finalize(value: object) -> object:
    """Every expression of every template passes here before it is escaped."""
    if isinstance(value, Markup):
        return value
    return visible(value) if isinstance(value, str) else value
