"""A static site, published step by step so that whoever reads it meanwhile sees a whole page.

    index.html               the first page; written last
    timeline.html            one target's past pictures (?target=ID)
    compare.html             any two runs (?a=RUN&b=RUN)
    summary.json latest.json the same for programs
    cards/TARGET.html        one card each: what the open page takes when a picture comes
    runs/RUN/                index.html and summary.json of an ended run; written when it ends and once more when it was compared
    img/SHA256.ext           pictures as Kometa uploaded them, never changed
    thumbs/SHA256-WIDTH.webp
    static/NAME.HASH.ext     style sheets and scripts; those of earlier builds stay for the old runs' pages

Every URL in it is relative, nothing is loaded from elsewhere, and scripts are classic ones rather than modules: browsers
refuse modules from ``file://``. So a copy of the directory works from any file server, at any base path, or opened by hand.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import threading
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Final

from sidecar.errors import StoreError
from sidecar.model import Blob, Run
from sidecar.publish.files import hashed_name, write_atomic
from sidecar.publish.images import Images
from sidecar.publish.pages import Pages
from sidecar.publish.summary import dumps, latest, summary
from sidecar.publish.view import GalleryView
from sidecar.review import RunReview

STATIC: Final = Path(__file__).parent / "static"

_SAFE: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


class Gallery:
    """The gallery at ``root``. Blocking; safe to call from several threads, one publish at a time."""

    def __init__(self, root: Path, blob_path: Callable[[Blob], Path]) -> None:
        """``blob_path`` says where the store keeps a blob; files there are linked or copied, never changed."""
        self._root = root
        self._lock = threading.Lock()
        self._images = Images(root, blob_path)
        self._assets = {path.name: path.read_bytes() for path in sorted(STATIC.iterdir()) if path.is_file()}
        self._urls = {name: f"static/{hashed_name(name, data)}" for name, data in self._assets.items()}
        self._pages = Pages(self._images, self._urls)
        self._written: dict[str, bytes] = {}
        self._runs: set[str] = set()
        self._reviewed: set[str] = set()
        self._summarised: Run | None = None
        self._ready = False

    def publish(self, view: GalleryView) -> None:
        """Bring the gallery to ``view``. What did not change is not written again. StoreError where the disk refuses.

        Publish first, then send the ``picture`` or ``run.ended`` event: pages fetch what the event names.
        """
        with self._lock:
            self._prepare()
            self._images.publish((view.current, view.shown, view.latest), view.reviews.values())
            for run in (view.shown, view.latest):
                if run is not None and run.state.final:
                    self._publish_run(run, view.config_dir, view.reviews.get(run.id))
            for name in ("timeline", "compare"):
                self._put(f"{name}.html", self._pages.frame(name, view.config_dir))
            html, cards = self._pages.index(view, frozenset(self._runs))
            self._publish_cards(cards)
            settled = view.current is None
            if view.shown is not None and view.shown != self._summarised:
                self._put("summary.json", dumps(summary(view.shown, self._images)), durable=True)
                self._summarised = view.shown
            self._put("latest.json", dumps(latest(view), indent=1), durable=settled)
            self._put("index.html", html, durable=settled)

    def prune(self, runs: Collection[str], pictures: Collection[str], *, older_than: float = 3600.0) -> int:
        """Remove the pages of all but these runs, and pictures (by sha256) that none of what stays shows; how many files and pages.

        What is younger than ``older_than`` seconds stays: a render in progress may be showing it. OSError where the disk refuses.
        """
        with self._lock:
            self._prepare()
            old = self._runs - set(runs)
            for run in old:
                shutil.rmtree(self._root / "runs" / _safe(run), ignore_errors=True)
                self._written.pop(f"runs/{run}/index.html", None)
                self._written.pop(f"runs/{run}/summary.json", None)
            self._runs -= old
            self._reviewed -= old
            return len(old) + self._images.prune(pictures, older_than=older_than)

    def _prepare(self) -> None:
        if self._ready:
            return
        for name, data in self._assets.items():
            self._put(self._urls[name], data)
        runs = self._root / "runs"
        self._runs = {path.parent.name for path in runs.glob("*/index.html")} if runs.is_dir() else set()
        self._ready = True

    def _publish_run(self, run: Run, config_dir: str, review: RunReview | None) -> None:
        if run.id in self._runs and (review is None or run.id in self._reviewed):
            return
        place = f"runs/{_safe(run.id)}"
        self._put(f"{place}/summary.json", dumps(summary(run, self._images, base="../../")), durable=True)
        self._put(f"{place}/index.html", self._pages.run(run, config_dir, review), durable=True)
        self._pages.forget("../../")
        self._runs.add(run.id)
        if review is not None:
            self._reviewed.add(run.id)

    def _publish_cards(self, cards: Mapping[str, str]) -> None:
        place = self._root / "cards"
        for target, html in cards.items():
            self._put(f"cards/{_safe(target)}.html", html.encode("utf-8", "replace"))
        self._pages.forget("", keep=cards)
        wanted = {f"{target}.html" for target in cards}
        if place.is_dir():
            for path in place.iterdir():
                if path.name not in wanted:
                    path.unlink(missing_ok=True)
                    self._written.pop(f"cards/{path.name}", None)

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
