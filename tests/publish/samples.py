"""Drawn posters and whole runs, without Plex or Kometa: what the gallery is fed in tests."""

from __future__ import annotations

import hashlib
import io
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from sidecar.model import (
    Blob,
    BlockedWrite,
    EngineInfo,
    Level,
    Picture,
    PictureState,
    Problem,
    Run,
    RunState,
    Severity,
    Target,
)

START = datetime(2026, 11, 21, 1, 10, tzinfo=UTC)
KOMETA = EngineInfo(kind="kometa", via="process", version="2.4.4", python="3.11.7", pillow="11.3.0", layout="raqm")
DRAFT = EngineInfo(kind="draft", via="draft", version="0.1.0", pillow="11.3.0")


class Store:
    """Content-addressed files, laid out as the daemon's store might."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def path(self, blob: Blob) -> Path:
        return self.root / blob.sha256[:2] / blob.name

    def put(self, data: bytes, media_type: str = "image/webp", size: tuple[int, int] = (0, 0)) -> Blob:
        blob = Blob(sha256=hashlib.sha256(data).hexdigest(), size=len(data), media_type=media_type, width=size[0], height=size[1])
        self.path(blob).parent.mkdir(exist_ok=True)
        self.path(blob).write_bytes(data)
        return blob

    def image(self, image: Image.Image, form: str = "webp", quality: int = 80) -> Blob:
        out = io.BytesIO()
        image.save(out, form.upper(), quality=quality, method=0) if form == "webp" else image.save(out, form.upper())
        return self.put(out.getvalue(), f"image/{form}", image.size)

    def flat(self, colour: str, size: tuple[int, int] = (100, 150), form: str = "webp") -> Blob:
        """A picture of one colour: quick, and easy to tell from others."""
        return self.image(Image.new("RGB", size, colour), form)


def poster(title: str, seed: int, size: tuple[int, int] = (1000, 1500)) -> Image.Image:
    """Something that looks like a poster: a sky, a sun, ridges, a title."""
    dice = random.Random(seed)
    width, height = size
    hue = dice.randrange(360)
    top = Image.new("RGB", (1, 1), f"hsl({hue}, {dice.randrange(35, 60)}%, {dice.randrange(14, 30)}%)").getpixel((0, 0))
    low = Image.new("RGB", (1, 1), f"hsl({(hue + dice.randrange(20, 70)) % 360}, 62%, {dice.randrange(52, 70)}%)").getpixel((0, 0))
    assert isinstance(top, tuple)
    assert isinstance(low, tuple)
    ramp = Image.linear_gradient("L").resize(size)
    image = Image.composite(Image.new("RGB", size, low), Image.new("RGB", size, top), ramp)
    draw = ImageDraw.Draw(image, "RGBA")
    x, y, r = dice.randrange(width), int(height * dice.uniform(0.25, 0.5)), int(width * dice.uniform(0.12, 0.3))
    for grow in range(6):
        draw.ellipse(
            (x - r - grow * 26, y - r - grow * 26, x + r + grow * 26, y + r + grow * 26), fill=(255, 240, 210, 26 + 8 * (6 - grow))
        )
    for ridge in range(4):
        base = height * (0.55 + 0.11 * ridge)
        points: list[tuple[float, float]] = [(0, height)]
        level = base
        for step in range(13):
            level = base + (level - base) * 0.5 + dice.uniform(-0.06, 0.06) * height
            points.append((width * step / 12, level))
        points.append((width, height))
        draw.polygon(points, fill=(*(int(c * (0.62 - ridge * 0.14)) for c in top[:3]), 235))
    points_high = min(width / 9, width * 0.82 / ImageFont.load_default(100).getlength(title.upper()) * 100)
    draw.text((width / 2, height * 0.84), title.upper(), font=ImageFont.load_default(max(8, points_high)), anchor="mm", fill="white")
    return image


def overlaid(image: Image.Image, resolution: str, audio: str, rating: str) -> Image.Image:
    """Badges as overlays usually are: resolution top left, audio top right, rating bottom left."""
    image = image.copy()
    draw = ImageDraw.Draw(image, "RGBA")
    unit = image.width / 1000 if image.height > image.width else image.width / 1500
    font = ImageFont.load_default(int(58 * unit))

    def badge(x: float, y: float, text: str, anchor: str, fill: tuple[int, int, int, int]) -> None:
        length = font.getlength(text) + 56 * unit
        left = x if anchor == "left" else x - length
        draw.rounded_rectangle((left, y, left + length, y + 96 * unit), 26 * unit, fill=fill)
        draw.text((left + length / 2, y + 48 * unit), text, font=font, anchor="mm", fill="white")

    badge(30 * unit, 30 * unit, resolution, "left", (10, 12, 18, 200))
    badge(image.width - 30 * unit, 30 * unit, audio, "right", (10, 12, 18, 200))
    badge(30 * unit, image.height - 126 * unit, rating, "left", (190, 130, 10, 235))
    return image


def movie(key: int, title: str, year: int | None = 1999, **more: object) -> Target:
    return replace(Target(rating_key=key, level=Level.MOVIE, library="Movies", section=1, title=title, year=year), **more)  # type: ignore[arg-type]


def show(key: int, title: str, year: int = 2017) -> Target:
    return Target(rating_key=key, level=Level.SHOW, library="TV Shows", section=2, title=title, year=year)


def season(key: int, show_title: str, number: int) -> Target:
    return Target(
        rating_key=key,
        level=Level.SEASON,
        library="TV Shows",
        section=2,
        title=f"Season {number}",
        show_title=show_title,
        season_number=number,
    )


def episode(key: int, show_title: str, number: int, title: str) -> Target:
    return Target(
        rating_key=key,
        level=Level.EPISODE,
        library="TV Shows",
        section=2,
        title=title,
        show_title=show_title,
        season_number=1,
        episode_number=number,
    )


def rendered(target: Target, before: Blob | None, after: Blob | None, **more: object) -> Picture:
    return replace(Picture(target=target, state=PictureState.RENDERED, before=before, after=after), **more)  # type: ignore[arg-type]


def run(number: int, pictures: tuple[Picture, ...] = (), **more: object) -> Run:
    """Run ``number`` minutes after START, done in three seconds by Kometa; ``more`` replaces fields."""
    started = START + timedelta(minutes=number)
    plain = Run(
        id=f"{started:%Y%m%dT%H%M%S}-{number:08x}",
        state=RunState.DONE,
        reason="edit",
        started=started,
        revision=hashlib.sha256(str(number).encode()).hexdigest(),
        engine=KOMETA,
        ended=started + timedelta(seconds=3.42),
        seconds=3.42,
        pictures=pictures,
        changed=tuple(picture.target.id for picture in pictures if picture.state is PictureState.RENDERED),
    )
    return replace(plain, **more)  # type: ignore[arg-type]


def writes(run_id: str, keys: tuple[int, ...]) -> tuple[BlockedWrite, ...]:
    """The two writes that Kometa makes for each item, and one that it should not."""
    out = []
    for key in keys:
        for method, path, meaning in (
            ("POST", f"/library/metadata/{key}/posters", f"upload a poster to {key}"),
            ("PUT", f"/library/sections/1/all?id={key}&label[0].tag.tag=Overlay&type=1", f"add label Overlay to {key}"),
        ):
            out.append(BlockedWrite(run_id=run_id, server="plex-0", method=method, path=path, meaning=meaning, answered=200, at=START))
    out.append(
        BlockedWrite(
            run_id=run_id, server="plex-0", method="PUT", path="/library/sections/1/emptyTrash", meaning="empty the trash of library 1",
            answered=403, at=START, expected=False,
        )
    )  # fmt: skip
    return tuple(out)


def problem(severity: Severity, what: str, **more: object) -> Problem:
    return replace(Problem(severity=severity, what=what), **more)  # type: ignore[arg-type]


MOVIES = (
    ("Night Harbour", 1995, "4K DV", "ATMOS", "8.3"),
    ("The Cartographer", 2016, "1080P", "DTS", "7.9"),
    ("Salt and Snow", 2004, "4K HDR", "TRUEHD", "7.1"),
    ("Low Orbit", 2021, "4K DV", "ATMOS", "8.8"),
    ("A Quiet Engine", 1988, "720P", "AAC", "6.4"),
    ("Paper Lanterns", 2012, "1080P", "FLAC", "7.6"),
    ("Meridian", 2023, "4K HDR", "DTS:X", "8.0"),
    ("The Last Ferry to Ushuaia", 2009, "1080P", "AC3", "7.2"),
    ("Ember", 1979, "SD", "MP3", "8.1"),
    ("Winterreise", 2018, "4K", "EAC3", "7.4"),
)
EPISODES = ("Lies", "Past and Present", "Double Lives", "Truths")


def library(store: Store, *, scale: int = 100) -> tuple[Picture, ...]:
    """Ten movies and a show with two seasons and four episodes, drawn at ``scale`` percent of Kometa's canvas."""
    tall, wide = (10 * scale, 15 * scale), (19 * scale, 19 * scale * 9 // 16)
    pictures = []

    def add(target: Target, seed: int, size: tuple[int, int], badges: tuple[str, str, str], title: str) -> None:
        art = poster(title, seed, size)
        overlays = tuple(
            {"name": name, "file": "overlays/badges.yml", "line": line, "group": "badges", "weight": 100 - line, "box": [30, 30, 250, 96]}
            for name, line in ((badges[0], 12), (badges[1], 31), (f"rating {badges[2]}", 58))
        )
        left_out = ({"name": "1080p", "reason": "outweighed by 4K"},) if badges[0].startswith("4K") else ()
        pictures.append(
            rendered(target, store.image(art, "jpeg"), store.image(overlaid(art, *badges)), overlays=overlays, left_out=left_out)
        )

    for index, (title, year, *badges) in enumerate(MOVIES):
        why = ("4K, Dolby Vision", "HDR10", "stereo only", "listed", "no rating")[index % 5]
        add(movie(101 + index, title, year, why=why), index, tall, (badges[0], badges[1], badges[2]), title)
    add(show(301, "Undertow"), 50, tall, ("4K HDR", "ATMOS", "8.7"), "Undertow")
    for number in (1, 2):
        add(season(310 + number, "Undertow", number), 50 + number, tall, ("4K HDR", "ATMOS", "8.7"), f"Undertow {number}")
    for number, title in enumerate(EPISODES, 1):
        add(episode(320 + number, "Undertow", number, title), 60 + number, wide, ("1080P", "EAC3", "8.2"), title)
    return tuple(pictures)
