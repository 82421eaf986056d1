"""The contact sheet: which posters, how large, what where, and what is left out."""

from __future__ import annotations

import io
from collections.abc import Callable

from PIL import Image

from sidecar.model import Level
from sidecar.notify import sheet
from sidecar.notify.payload import Message
from tests.notify.kit import TELLER, blob_of, mask, poster, review_of, run, target

Read = Callable[[str, str], bytes | None]


def four(count: int = 6) -> tuple[Message, Read]:
    """A message of ``count`` changed posters, one of them an episode's, and where their pictures are."""
    titles = ["Heat", "Blade Runner 2049: The Final Cut of the Very Long Title That Goes On", "Dark", "千と千尋の神隠し", "Lost", "Alien"]
    targets = [target(101 + at, title=titles[at], level=Level.EPISODE if at == 2 else Level.MOVIE) for at in range(count)]
    made = run(1, targets=targets, changed=[each.rating_key for each in targets], look="new")
    kept: dict[str, bytes] = {blob_of(b"mask").sha256: mask()}
    for at, each in enumerate(targets):
        size = (1280, 720) if each.level is Level.EPISODE else (1000, 1500)
        colour = ((40, 70, 120), (120, 40, 60), (30, 90, 60), (90, 60, 120), (50, 50, 50), (10, 90, 110))[at]
        kept[blob_of(f"old {each.id}".encode()).sha256] = poster(each.title[:12], size, colour=colour)
        kept[blob_of(f"new {each.id}".encode()).sha256] = poster(each.title[:12], size, colour=colour, badge=True)
    return TELLER.changed(made, review_of(made, reference="old")), lambda sha256, _: kept.get(sha256)


def opened(made: sheet.Sheet) -> Image.Image:
    return Image.open(io.BytesIO(made.data)).convert("RGB")


def test_four_posters_before_after_and_difference() -> None:
    message, read = four()
    made = sheet.draw(message, read)
    assert made is not None
    assert len(made.data) < sheet.LIMIT
    picture = opened(made)
    assert picture.size == (made.width, made.height)
    assert picture.width > picture.height, "Discord shows wide pictures larger"
    assert made.alt.startswith("Contact sheet of 4 of 6 changed posters, before, after and difference: Heat (1995) (1.2 %)")
    assert marks(made) > 500, "the difference is marked"


def test_it_keeps_to_the_size_it_is_given() -> None:
    message, read = four()
    large, small = sheet.draw(message, read), sheet.draw(message, read, 30_000)
    assert large is not None
    assert small is not None
    assert len(small.data) <= 30_000 < len(large.data)
    assert sheet.draw(message, read, 100) is None


def marks(made: sheet.Sheet) -> int:
    """Pixels in the colour of differences."""
    red, green, blue = (channel.tobytes() for channel in opened(made).split())
    return sum(r > 200 and g < 60 and 80 < b < 180 for r, g, b in zip(red, green, blue, strict=True))


def test_without_a_comparison_the_difference_is_seen_here() -> None:
    """Several edits of a session together: nobody compared the first picture with the last."""
    message, read = four(1)
    (target,) = message.targets
    compared = sheet.draw(message, read)
    merged = sheet.draw(message.model_copy(update={"targets": [target.model_copy(update={"mask": None, "fraction": None})]}), read)
    new = sheet.draw(message.model_copy(update={"targets": [target.model_copy(update={"mask": None, "status": "new"})]}), read)
    assert compared is not None
    assert merged is not None
    assert new is not None
    assert merged.width == compared.width
    assert marks(merged) > 0.8 * marks(compared)
    assert new.width < compared.width
    assert "before and after:" in new.alt
    assert marks(new) == 0


def test_pictures_that_are_gone_or_broken_are_left_out() -> None:
    message, read = four(2)
    first = message.targets[0]
    assert first.after is not None
    assert first.before is not None
    gone, broken = first.after.sha256, first.before.sha256
    made = sheet.draw(message, lambda sha256, kind: None if sha256 == gone else read(sha256, kind))
    assert made is not None
    assert made.alt.startswith("Contact sheet of 1 of 2")
    made = sheet.draw(message, lambda sha256, kind: b"no picture" if sha256 == broken else read(sha256, kind))
    assert made is not None
    assert made.alt.startswith("Contact sheet of 2 of 2")
    assert sheet.draw(message, lambda _sha256, _kind: None) is None
    assert sheet.draw(message.model_copy(update={"targets": []}), read) is None


def test_a_picture_bomb_is_not_opened() -> None:
    message, _ = four(1)
    out = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(out, "PNG")
    assert sheet.draw(message, lambda _sha256, _kind: out.getvalue()) is None
