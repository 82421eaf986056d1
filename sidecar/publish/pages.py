"""The gallery's HTML. Autoescaped; every text that is put in is first made visible (see ``text``)."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from sidecar.model import EngineInfo, Picture, Problem, Run, RunState, Severity
from sidecar.publish.cards import Card, Status, cards_of, index_cards, is_draft, sections
from sidecar.publish.counted import count_problems, count_writes
from sidecar.publish.images import Images, Shot
from sidecar.publish.text import visible
from sidecar.publish.view import GalleryView, RunBrief
from sidecar.publish.words import clock, diff_lines, engine_name, instant, outcome, percent, plural, seconds, unaided
from sidecar.review import RunReview, Standing

TEMPLATES: Final = Path(__file__).parent / "templates"

MAX_ROWS: Final = 200
"""Rows of one list on a page; the rest is counted there and stands in summary.json."""

MAX_RUNS: Final = 50
"""Runs listed on the first page; data/runs.json has more."""


_MARK: Final = Markup("\0")
"""Where a card's key goes: a sign that no text keeps (see ``text``)."""


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
    pending: int
    """Changed or new, and nobody has said anything of them."""
    words: Mapping[str, int]
    """By what the cards say of themselves: changed, new, unchanged, ..."""


class Pages:
    """Renders pages and remembers cards: a publish that brings one picture renders one card."""

    def __init__(self, images: Images, assets: Mapping[str, str]) -> None:
        """``assets`` maps the name of a static file to its URL from the gallery's root."""
        self._images = images
        self._assets = assets
        self._cards: dict[tuple[str, str, bool, bool], tuple[tuple[object, ...], str, str]] = {}
        """By the page's base, the target, whether it was compared and is in a fold: what a card is made of, its markup, its key."""
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
        environment.filters |= {
            "instant": instant, "clock": clock, "seconds": seconds, "plural": plural, "outcome": outcome,
            "percent": percent, "difflines": diff_lines,
        }  # fmt: skip
        environment.globals["engine_name"] = engine_name
        environment.globals["unaided"] = unaided
        self._environment = environment
        self._card = environment.get_template("card.html")
        self._page = environment.get_template("page.html")
        self._frames = {name: environment.get_template(f"{name}.html") for name in ("timeline", "compare")}

    def index(self, view: GalleryView, linked: frozenset[str]) -> tuple[bytes, dict[str, Markup], frozenset[str]]:
        """The first page, its cards by target, and all its targets. ``linked`` are the runs that have a page of their own.

        Of the cards, those that wait to be drawn are left out: nobody asks for one before its picture came, and a render of
        500 targets would begin with writing 500 files.
        """
        cards = index_cards(view)
        failed = view.latest if view.latest and view.latest.state in (RunState.FAILED, RunState.INVALID) else None
        html = self._render(
            kind="index",
            base="",
            run=view.shown,
            current=view.current,
            failed=failed,
            cards=cards,
            history=view.history[:MAX_RUNS],
            linked=linked,
            health=[part for part in view.health if not part.ok and not (failed and part.part == "config")],
            config_dir=view.config_dir,
            watching=view.watching,
            next_render=view.next_render,
            engine=view.engine,
            review=view.reviews.get(view.shown.id) if view.shown else None,
            standings=view.standings,
        )
        there = [card for card in cards if not card.pending and card.status is not Status.WAITING]
        return html, {card.id: self._card_html(card, "", view.shown, alone=True) for card in there}, frozenset(card.id for card in cards)

    def frame(self, name: str, config_dir: str) -> bytes:
        """``timeline`` or ``compare``: a page that its script fills with what the data files say."""
        html = self._frames[name].render(kind=name, base="", build=self._build, assets=self._assets, run=None, config_dir=config_dir)
        return html.encode("utf-8", "replace")

    def run(self, run: Run, config_dir: str, review: RunReview | None = None) -> bytes:
        """The page of one ended run; once the run was compared (``review``), it never changes after."""
        return self._render(
            kind="run",
            base="../../",
            run=run,
            current=None,
            failed=run if run.state in (RunState.FAILED, RunState.INVALID) else None,
            cards=cards_of(run, review=review),
            history=(),
            linked=frozenset(),
            health=[],
            config_dir=config_dir,
            watching=False,
            engine=run.engine,
            review=review,
            standings={},
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
        review: RunReview | None,
        standings: Mapping[str, Standing],
        next_render: datetime | None = None,
    ) -> bytes:
        busy = current is not None and bool(current.pictures)
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
            sections=sections(cards, review, busy=busy),
            review=None if busy else review,  # while cards are exchanged, there is nothing to decide and no sum to give
            edit=review.edit if review else None,
            baselines=sum(standing.baseline is not None for standing in standings.values()),
            card_html=lambda card, **how: self._card_html(card, base, run, **how),
            thumb=self._thumb,
            tally=_tally(cards, current),
            draft=bool(run and is_draft(run)) or any(card.draft for card in cards),
            problems=count_problems(_problems(run, failed), labels),
            writes=count_writes(run.blocked) if run else [],
            history=history,
            linked=linked,
            health=health,
            config_dir=config_dir,
            watching=watching,
            next_render=next_render,
            engine=run.engine if run else engine,
            max_rows=MAX_ROWS,
        )
        return html.encode("utf-8", "replace")

    def _thumb(self, card: Card) -> str:
        shot = self._images.shot(card.picture.after or card.picture.before)
        return shot.thumb if shot else self._assets["icon.svg"]

    def _card_html(self, card: Card, base: str, run: Run | None, *, alone: bool = False, brief: bool = False) -> Markup:
        """``run`` is the page's. ``alone``: the card's row does not say of which library and level it is. ``brief``: it is in a fold."""
        picture, review = card.picture, card.review
        comparison = review.comparison if review else None
        own = run is None or card.run_id != run.id
        shot = self._images.shot
        before, after, reference = shot(picture.before), shot(picture.after), shot(review.reference if review else None)
        # All that the markup is made of: most cards look in every run as they did in the last.
        about = (
            *(own and card.run_id, card.status, card.word, card.draft, card.pending, card.verdict, card.reference_name),
            *(picture.target, picture.before, picture.after, picture.problems, review is not None),
            *((review.reference, comparison) if review else ()),
            *(one.thumb for one in (before, after, reference) if one),  # a small one may come later
        )
        place = (base, card.id, review is not None, brief)
        known = self._cards.get(place)
        if known is None or known[0] != about:
            only = after or before
            html = self._card.render(
                base=base,
                card=card,
                own=own,
                brief=brief and only is not None and only.thumb == only.usual_thumb,
                target=picture.target,
                before=before,
                after=after,
                review=review,
                reference=reference,
                comparison=comparison,
                files=_files(only, art=before, ref=reference, mask=shot(comparison.mask if comparison else None)),
                boxes=";".join(",".join(map(str, box)) for box in comparison.boxes) if comparison else "",
                problems=count_problems(picture.problems, {}),
                shape=_shape(picture, only.landscape if only and only.width else None, bool(only and only.square)),
                mark=_MARK,
            )
            # The live page replaces a card only where its key differs: that is of what it says, wherever it stands.
            key = f' data-key="{hashlib.sha256(repr(about).encode("utf-8", "replace")).hexdigest()[:12]}"' if base == "" else ""
            known = self._cards[place] = (about, html, key)
        _, html, mark = known
        if alone:
            mark += f' data-library="{escape(visible(picture.target.library))}" data-level="{picture.target.level.value}"'
        return Markup(html.replace(_MARK, mark, 1))  # noqa: S704 - from an autoescaping template


def _files(only: Shot | None, **others: Shot | None) -> list[tuple[str, str, str]]:
    """A card's other pictures: what each is, its file ("=": it is the one that is shown), its small one where that is named otherwise."""
    found = []
    for name, shot in others.items():
        if only is not None and shot is not None:
            same = shot.sha256 == only.sha256
            named = not same and name != "mask" and shot.thumb != shot.usual_thumb
            found.append((name, "=" if same else shot.url.removeprefix("img/"), shot.thumb if named else ""))
    return found


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
    return own + [problem for picture in run.pictures for problem in picture.problems if problem not in run.problems]


def _tally(cards: Sequence[Card], current: Run | None) -> Tally:
    words = Counter(card.word for card in cards)
    return Tally(
        words=words,
        pending=sum(card.review is not None and card.word in ("changed", "new") and card.verdict is None for card in cards),
        total=len(cards),
        changed=words["changed"],
        failed=words["failed"],
        troubled=sum(card.troubled for card in cards),
        drafts=sum(card.draft for card in cards),
        waiting=sum(card.run_id != current.id or card.status is Status.WAITING for card in cards) if current else 0,
    )


def _finalize(value: object) -> object:
    """Every expression of every template passes here before it is escaped."""
    if isinstance(value, Markup):
        return value
    return visible(value) if isinstance(value, str) else value
