"""A static site, published step by step so that whoever reads it meanwhile sees a whole page.

    index.html               the first page; written last
    timeline.html            one target's past pictures (?target=ID)
    compare.html             any two runs (?a=RUN&b=RUN)
    summary.json latest.json the same for programs
    cards/TARGET.html        one card each: what the open page takes when a picture comes
    cards/TARGET.js          what is known of that picture, while its run is in progress
    runs/RUN/                index.html, summary.json and data.{json,js} of an ended run; written once, and once more when it was compared
    data/                    runs, decisions and timelines for pages and programs: see docs/gallery.md
    feed.xml                 Atom
    img/SHA256.ext           pictures as Kometa uploaded them, never changed
    thumbs/SHA256-WIDTH.webp
    static/NAME.HASH.ext     style sheets and scripts; those of earlier builds stay for the old runs' pages

Every URL in it is relative, nothing is loaded from elsewhere, and scripts are classic ones rather than modules: browsers
refuse modules from ``file://``. So a copy of the directory works from any file server, at any base path, or opened by hand.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import re
import shutil
import threading
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from pathlib import Path
from typing import Final

from sidecar.errors import StoreError
from sidecar.model import Blob, Picture, PictureState, Run
from sidecar.publish.data import decisions_data, forms, picture_data, plex_data, run_data, runs_data, timeline_data
from sidecar.publish.feed import feed
from sidecar.publish.files import hashed_name, write_atomic
from sidecar.publish.images import Images
from sidecar.publish.pages import Pages
from sidecar.publish.summary import dumps, latest, summary
from sidecar.publish.view import GalleryView
from sidecar.review import RunReview, Timeline

STATIC: Final = Path(__file__).parent / "static"

STEP: Final = 8
"""Small pictures made at a time: what has come meanwhile need not wait for all of them."""

BREATH: Final = 0.002
"""Seconds between such steps: whoever waits for the lock gets it."""

_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Gallery:
    """The gallery at ``root``. Blocking; safe to call from several threads, one publish at a time."""

    def __init__(self, root: Path, blob_path: Callable[[Blob], Path], *, base_url: str = "") -> None:
        """``blob_path`` says where the store keeps a blob; files there are linked or copied, never changed.

        ``base_url`` is where people reach the gallery, for the feed's links; relative ones without it.
        """
        self._root = root
        self._base_url = base_url
        self._lock = threading.Lock()
        self._images = Images(root, blob_path)
        self._assets = {path.name: path.read_bytes() for path in sorted(STATIC.iterdir()) if path.is_file()}
        self._urls = {name: f"static/{hashed_name(name, data)}" for name, data in self._assets.items()}
        self._pages = Pages(self._images, self._urls)
        self._written: dict[str, bytes] = {}
        self._runs: dict[str, bool | None] = {}
        """Runs that have a page -> whether with their review; None: not looked at yet."""
        self._bare: set[str] = set()
        """Of these, the ones written while pictures of theirs wanted a small one."""
        self._full: set[str] = set()
        """Runs whose data is there; those of earlier versions have a page only."""
        self._detailed: dict[str, tuple[str, Picture]] = {}
        """By target: the run in progress and the picture whose details are there."""
        self._config_dir = ""
        self._summarised: Run | None = None
        self._listed: tuple[object, ...] = ()
        self._decided: tuple[object, ...] = ()
        self._ready = False

    def publish(self, view: GalleryView) -> None:
        """Bring the gallery to ``view``. What did not change is not written again. StoreError where the disk refuses.

        Publish first, then send the ``picture`` or ``run.ended`` event: pages fetch what the event names. New pictures stand
        there at full size until :meth:`make_thumbs` was called and the view is published again.
        """
        with self._lock:
            self._prepare()
            self._config_dir = view.config_dir
            baselines = (standing.baseline.blob for standing in view.standings.values() if standing.baseline)
            self._images.publish((view.current, view.shown, view.latest), view.reviews.values(), baselines)
            for run in (view.shown, view.latest):
                if run is not None and run.state.final:
                    self._publish_run(run, view.reviews.get(run.id))
            for name in ("timeline", "compare"):
                self._put(f"{name}.html", self._pages.frame(name, view.config_dir))
            html, cards, targets = self._pages.index(view, frozenset(self._runs))
            settled = view.current is None
            self._publish_cards(cards, targets, settled=settled)
            self._publish_details(view.current)
            if view.shown is not None and view.shown != self._summarised:
                self._put("summary.json", dumps(summary(view.shown, self._images)), durable=True)
                self._summarised = view.shown
            self._publish_lists(view)
            self._put("latest.json", dumps(latest(view), indent=1), durable=settled)
            self._put("index.html", html, durable=settled)

    @property
    def owes_thumbs(self) -> bool:
        """Would :meth:`make_thumbs` have anything to do?"""
        return bool(self._images.owed)

    def make_thumbs(self) -> None:
        """Make some of the small pictures that are wanted. StoreError where the disk refuses."""
        with self._lock:
            self._images.make_thumbs(list(itertools.islice(self._images.owed.values(), STEP)))

    def publish_review(self, run: Run, review: RunReview) -> None:
        """Write the page and data of an ended run with its review. StoreError where the disk refuses."""
        self._see_to((run,), (review,))
        with self._lock:
            self._publish_run(run, review)

    def publish_plex(self, shown: Mapping[str, Blob]) -> None:
        """Write what Plex shows now, by ``Target.id``. StoreError where the disk refuses."""
        self._see_to(more=shown.values())
        with self._lock:
            self._put_all(forms("data/plex", plex_data(shown, self._images)))

    def publish_timelines(self, timelines: Iterable[Timeline]) -> None:
        """Write these targets' timelines. StoreError where the disk refuses."""
        for timeline in timelines:
            name = f"data/targets/{_safe(timeline.target.id)}"
            self._see_to(more=(blob for moment in timeline.moments for blob in (moment.blob, moment.before)))
            with self._lock:
                self._put_all(forms(name, timeline_data(timeline, frozenset(self._runs), frozenset(self._full), self._images)))

    def without_timeline(self, targets: Collection[str]) -> set[str]:
        """Those of ``targets`` that have none yet."""
        return {target for target in targets if not (self._root / f"data/targets/{_safe(target)}.js").exists()}

    def prune(
        self, runs: Collection[str], pictures: Collection[str], *, targets: Collection[str] | None = None, older_than: float = 3600.0
    ) -> int:
        """Remove the pages of all but these runs, and pictures (by sha256) that none of what stays shows; how many files and pages.

        Timelines of other ``targets`` than these go too, where any are given.

        What is younger than ``older_than`` seconds stays: a render in progress may be showing it. OSError where the disk refuses.
        """
        with self._lock:
            self._prepare()
            old = self._runs.keys() - set(runs)
            for run in old:
                shutil.rmtree(self._root / "runs" / _safe(run), ignore_errors=True)
                for name in ("index.html", "summary.json", "data.json", "data.js"):
                    self._written.pop(f"runs/{run}/{name}", None)
                del self._runs[run]
                self._full.discard(run)
                self._bare.discard(run)
            self._listed = ()
            for path in (self._root / "data/targets").glob("*.js*") if targets is not None else ():
                if path.stem not in (targets or ()):
                    path.unlink(missing_ok=True)
                    self._written.pop(f"data/targets/{path.name}", None)
            return len(old) + self._images.prune(pictures, older_than=older_than)

    def _see_to(self, runs: Iterable[Run] = (), reviews: Iterable[RunReview] = (), more: Iterable[Blob | None] = ()) -> None:
        """Have all pictures of these, small ones too. Those of a render in progress come first: the lock is let go of between steps."""
        with self._lock:
            self._prepare()
            owed = self._images.publish(runs, reviews, more)
        for start in range(0, len(owed), STEP):
            time.sleep(BREATH)
            with self._lock:
                self._images.make_thumbs(owed[start : start + STEP])

    def _prepare(self) -> None:
        if self._ready:
            return
        for name, data in self._assets.items():
            self._put(self._urls[name], data)
        if not (self._root / "data/plex.js").exists():  # pages ask for it
            self._put_all(forms("data/plex", plex_data({}, self._images)))
        runs = self._root / "runs"
        self._runs = dict.fromkeys(path.parent.name for path in runs.glob("*/index.html")) if runs.is_dir() else {}
        self._full = {path.parent.name for path in runs.glob("*/data.js")} if runs.is_dir() else set()
        self._ready = True

    def _publish_run(self, run: Run, review: RunReview | None) -> None:
        place = f"runs/{_safe(run.id)}"
        if self._runs.get(run.id, False) is None:
            self._runs[run.id] = self._recall(run.id, place)
        bare = self._images.lacks(run)
        again = run.id in self._bare and not bare
        if not again and (self._runs.get(run.id) is True or (run.id in self._runs and review is None)):
            return
        self._put(f"{place}/summary.json", dumps(summary(run, self._images, base="../../")), durable=True)
        self._put_all(forms(f"{place}/data", run_data(run, review, self._images)))
        self._put(f"{place}/index.html", self._pages.run(run, self._config_dir, review), durable=True)
        self._pages.forget("../../", keep=(picture.target.id for picture in run.pictures))
        self._runs[run.id] = review is not None
        self._full.add(run.id)
        (self._bare.add if bare else self._bare.discard)(run.id)

    def _recall(self, run_id: str, place: str) -> bool:
        """Whether the run's page is the final one already: a restart does not write it again, unless small pictures were wanted."""
        try:
            text = (self._root / place / "data.json").read_text("utf-8")
            data = json.loads(text)
        except (OSError, ValueError):
            return False
        reviewed = isinstance(data, dict) and data.get("reviewed") is not None
        if not reviewed and '"thumb": "img/' in text:  # a review is written when all small pictures are there
            self._bare.add(run_id)
        return reviewed

    def _publish_lists(self, view: GalleryView) -> None:
        """Compared by identity: a view that says nothing new shares these with the one before."""
        paged = frozenset(self._runs)
        newest = view.shown.id if view.shown else ""
        full = frozenset(self._full)
        listed = (view.history, paged, full, newest, view.config_dir)
        if not self._listed or self._listed[0] is not view.history or self._listed[1:] != listed[1:]:
            self._put_all(forms("data/runs", runs_data(view.history, paged, full, newest)))
            self._put("feed.xml", feed(view.history, config_dir=view.config_dir, base_url=self._base_url, paged=paged))
            self._listed = listed
        decided = (view.standings, view.last_batch)
        if not self._decided or any(new is not old for new, old in zip(decided, self._decided, strict=True)):
            self._put_all(forms("data/decisions", decisions_data(view.standings, view.last_batch, self._images)))
            owes = self._images.owes(standing.baseline.blob for standing in view.standings.values() if standing.baseline)
            self._decided = () if owes else decided  # written while a small picture was wanted: once more when it is there

    def _publish_cards(self, cards: Mapping[str, str], targets: Collection[str], *, settled: bool) -> None:
        """Open pages take single cards when a picture comes, else the whole page: with nothing in progress, old files may stay old."""
        place = self._root / "cards"
        for target, html in cards.items():
            name = f"cards/{_safe(target)}.html"
            if not settled or name not in self._written:
                self._put(name, html.encode("utf-8", "replace"))
        self._pages.forget("", keep=targets)
        if place.is_dir():
            for path in place.glob("*.html"):
                if path.stem not in targets:
                    path.unlink(missing_ok=True)
                    self._written.pop(f"cards/{path.name}", None)

    def _publish_details(self, current: Run | None) -> None:
        """What is known of the pictures of a run in progress; an ended one has all that in its data."""
        pictures = {
            picture.target.id: picture for picture in (current.pictures if current else ()) if picture.state is not PictureState.WAITING
        }
        for target, picture in pictures.items():
            if current is not None and self._detailed.get(target) != (current.id, picture):
                name = f"cards/{_safe(target)}"
                self._put(f"{name}.js", forms(name, picture_data(picture, self._images, run_id=current.id, edited=True))[f"{name}.js"])
                self._detailed[target] = (current.id, picture)
        for path in (self._root / "cards").glob("*.js"):
            if path.stem not in pictures:
                path.unlink(missing_ok=True)
                self._written.pop(f"cards/{path.name}", None)
                self._detailed.pop(path.stem, None)

    def _put_all(self, files: Mapping[str, bytes]) -> None:
        for name, data in files.items():
            self._put(name, data)

    def _put(self, name: str, data: bytes, *, durable: bool = False) -> None:
        digest = hashlib.sha256(data).digest()
        if self._written.get(name) == digest:
            return
        path = self._root / name
        if name in self._written or not _holds(path, data):
            write_atomic(path, data, durable=durable)
        self._written[name] = digest


def _holds(path: Path, data: bytes) -> bool:
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def _safe(name: str) -> str:
    if not _SAFE.fullmatch(name):
        raise StoreError(f"not a name for a file of the gallery: {name!r}")
    return name
