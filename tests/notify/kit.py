"""What the notification tests are made of: runs, pictures, a clock that is moved by hand, a receiver."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from aiohttp import web
from PIL import Image, ImageDraw

from sidecar.model import Blob, BlockedWrite, EngineInfo, Level, Picture, PictureState, Problem, Run, RunState, Severity, Target
from sidecar.notify import Teller
from sidecar.review import Against, Comparison, Edit, FileEdit, ReviewStatus, RunReview, TargetReview

START = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
TELLER = Teller(gallery="http://gallery.example/", version="1.2.3")


@dataclass
class Clock:
    """Moved by hand."""

    at: datetime = START

    def now(self) -> datetime:
        return self.at

    def seconds(self) -> float:
        return self.at.timestamp()

    def forward(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Receiver:
    """A webhook receiver that answers what it is told and keeps what it got."""

    statuses: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    got: list[tuple[dict[str, str], bytes, str]] = field(default_factory=list)
    url: str = ""

    async def start(self) -> web.AppRunner:
        app = web.Application()
        app.router.add_route("*", "/{path:.*}", self._take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
        return runner

    async def _take(self, request: web.Request) -> web.Response:
        self.got.append((dict(request.headers), await request.read(), str(request.rel_url)))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200, headers=self.headers)


def blob_of(data: bytes, media_type: str = "image/png", size: tuple[int, int] = (1000, 1500)) -> Blob:
    return Blob(sha256=hashlib.sha256(data).hexdigest(), size=len(data), media_type=media_type, width=size[0], height=size[1])


def target(number: int, *, title: str = "Heat", library: str = "Movies", level: Level = Level.MOVIE) -> Target:
    return Target(rating_key=number, level=level, library=library, section=1, title=title, year=1995)


def run(
    number: int,
    state: RunState = RunState.DONE,
    *,
    changed: Sequence[int] = (),
    targets: Sequence[Target] | None = None,
    problem: str = "",
    look: str = "",
    at: datetime = START,
) -> Run:
    """Run ``number``; the pictures of ``changed`` look as ``look`` (by default: as no other run's)."""
    chosen = targets if targets is not None else [target(each, title=f"Film {each}") for each in (101, 102, 103)]
    return Run(
        id=f"20260301T120000{number:06}-aaaaaa",
        state=state,
        reason="edit",
        started=at,
        ended=at,
        revision="ab" * 32,
        engine=EngineInfo(kind="kometa", via="process", version="2.4.4"),
        seconds=1.5,
        pictures=tuple(
            Picture(
                target=each,
                state=PictureState.RENDERED,
                before=blob_of(f"bare {each.id}".encode()),
                after=blob_of(f"{look or number} {each.id}".encode()),
            )
            for each in chosen
        ),
        blocked=(
            BlockedWrite(
                run_id="r", server="plex-0", method="POST", path="/library/metadata/101/posters", meaning="upload", answered=200, at=at
            ),
        ),
        problems=(Problem(severity=Severity.ERROR, what=problem, mend="write it again", file="overlays/my.yml", line=4),)
        if problem
        else (),
        changed=tuple(str(each) for each in changed),
    )


def _problems(what: str) -> tuple[Problem, ...]:
    return (Problem(severity=Severity.ERROR, what=what, mend="write it again", file="overlays/my.yml", line=4),) if what else ()


def review_of(run: Run, *, reference: str, files: Sequence[FileEdit] = (), fraction: float = 0.0123) -> RunReview:
    """As the comparison would make it: every changed picture differs from that of look ``reference``."""
    return RunReview(
        run_id=run.id,
        at=START,
        targets=tuple(
            TargetReview(
                target=picture.target.id,
                status=ReviewStatus.CHANGED,
                shown=picture.after,
                reference=blob_of(f"{reference} {picture.target.id}".encode()),
                against=Against.PREVIOUS,
                comparison=Comparison(fraction=fraction, pixels=100, mask=blob_of(b"mask")),
            )
            for picture in run.pictures
            if picture.target.id in run.changed
        ),
        edit=Edit(before="a", after="b", files=tuple(files)) if files else None,
    )


def poster(text: str, size: tuple[int, int] = (1000, 1500), *, colour: tuple[int, int, int] = (40, 70, 120), badge: bool = False) -> bytes:
    """A drawn poster, as PNG."""
    picture = Image.new("RGB", size, colour)
    pen = ImageDraw.Draw(picture)
    for step in range(0, size[1], 10):
        pen.rectangle((0, step, size[0], step + 9), fill=tuple(max(0, value - step // 20) for value in colour))
    pen.ellipse((size[0] * 0.2, size[1] * 0.25, size[0] * 0.8, size[1] * 0.65), fill=(200, 170, 90))
    pen.text((size[0] / 2, size[1] * 0.85), text, fill="white", anchor="mm", font_size=size[1] // 14)
    if badge:
        pen.rounded_rectangle((40, 40, size[0] * 0.4, size[1] * 0.14), 30, fill=(0, 0, 0))
        pen.text((size[0] * 0.22, size[1] * 0.085), "4K HDR", fill=(255, 220, 0), anchor="mm", font_size=size[1] // 20)
    return _png(picture)


def mask(size: tuple[int, int] = (1000, 1500)) -> bytes:
    """What differs between a poster without and one with badge."""
    picture = Image.new("RGBA", size, (0, 0, 0, 0))
    ImageDraw.Draw(picture).rounded_rectangle((40, 40, size[0] * 0.4, size[1] * 0.14), 30, fill=(255, 0, 0, 255))
    return _png(picture)


def _png(picture: Image.Image) -> bytes:
    out = io.BytesIO()
    picture.save(out, "PNG")
    return out.getvalue()


def events(bodies: Sequence[dict[str, Any]]) -> list[str]:
    return [str(body["event"]) for body in bodies]
