"""A desk to review at: a real store, real pictures, a real gallery, and runs made by hand."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from sidecar.model import Blob, EngineInfo, Level, Picture, PictureState, Run, RunState, Target
from sidecar.pipeline.comparing import Comparer, Measures
from sidecar.pipeline.review import Reviews
from sidecar.pipeline.showcase import Showcase
from sidecar.publish import Gallery
from sidecar.review import RunReview
from sidecar.store import Blobs, State

KOMETA = EngineInfo(kind="kometa", via="process", version="2.4.4")
DRAFT = EngineInfo(kind="draft", via="draft", version="0.1.0")
SIZE = (100, 150)


def target(key: int, title: str = "", library: str = "Movies") -> Target:
    return Target(rating_key=key, level=Level.MOVIE, library=library, section=1, title=title or f"Film {key}", year=2000)


@dataclass
class Desk:
    """``run`` stores, shows and (by itself) does not compare."""

    root: Path
    state: State
    blobs: Blobs
    gallery: Gallery
    showcase: Showcase
    comparer: Comparer
    reviews: Reviews
    events: list[tuple[str, Mapping[str, Any]]] = field(default_factory=list)
    count: int = 0

    async def blob(self, colour: str, badge: tuple[int, int, int, int] | None = None, badge_colour: str = "gold") -> Blob:
        """A poster of one colour, with a badge at x, y, width, height."""
        image = Image.new("RGB", SIZE, colour)
        if badge:
            x, y, width, height = badge
            ImageDraw.Draw(image).rectangle((x, y, x + width - 1, y + height - 1), fill=badge_colour)
        out = io.BytesIO()
        image.save(out, "PNG")
        return await self.blobs.put(out.getvalue())

    async def run(
        self, pictures: Sequence[Picture], *, state: RunState = RunState.DONE, revision: str = "", engine: EngineInfo = KOMETA
    ) -> Run:
        self.count += 1
        last = await self.state.last_good()
        before = {picture.target.id: picture.shown for picture in last.pictures} if last else {}
        run = Run(
            id=f"20261121T0101{self.count:02}000-abc123",
            state=state,
            reason="edit",
            started=datetime(2026, 11, 21, 1, 1, self.count, tzinfo=UTC),
            ended=datetime(2026, 11, 21, 1, 1, self.count, tzinfo=UTC) + timedelta(seconds=1),
            revision=revision or f"{self.count:064x}",
            engine=engine,
            pictures=tuple(pictures),
            changed=tuple(p.target.id for p in pictures if p.shown and p.shown != before.get(p.target.id)),
        )
        await self.state.save_run(run)
        self.showcase.end(run)
        await self.showcase.flush()
        return run

    async def compared(self, run: Run) -> RunReview:
        review = await self.reviews.compare(run.id)
        assert review is not None
        await self.reviews.settle()
        await self.showcase.flush()
        return review

    def data(self, name: str) -> Any:
        """A piece of the gallery's data, from its JSON; its script says the same."""
        text = (self.root / "gallery" / f"{name}.json").read_text(encoding="ascii")
        script = (self.root / "gallery" / f"{name}.js").read_text(encoding="ascii")
        assert script == f'kometaSidecar("{name}",{text.rstrip()});\n'
        return json.loads(text)


def drawn(key: int, after: Blob | None, before: Blob | None = None, state: PictureState = PictureState.RENDERED, **fields: Any) -> Picture:
    return replace(Picture(target=target(key), state=state, before=before, after=after), **fields)


@contextlib.asynccontextmanager
async def open_desk(root: Path, measures: Measures | None = None) -> AsyncIterator[Desk]:
    state, blobs = await State.open(root / "state.db"), Blobs(root / "blobs")
    gallery = Gallery(root / "gallery", blobs.path)
    events: list[tuple[str, Mapping[str, Any]]] = []
    showcase = Showcase(gallery, lambda kind, data: events.append((kind, data)), config_dir="config", watching=True)
    comparer = Comparer(
        state=state, blobs=blobs, revisions=root / "revisions", redact=lambda text: text, measures=measures or Measures(threshold=0.001)
    )
    reviews = Reviews(state=state, comparer=comparer, stage=showcase, site=gallery)
    try:
        yield Desk(root, state, blobs, gallery, showcase, comparer, reviews, events)
    finally:
        comparer.close()
        await state.close()
