"""An overlay pasted where it is seen is the overlay pasted whole."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import PIL.Image
import PIL.ImageDraw
import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderer.pastes import paste_where_seen

SIZE = (40, 60)
paste = paste_where_seen(PIL.Image)
whole = PIL.Image.Image.paste


def canvas(mode: str = "RGB") -> PIL.Image.Image:
    gray = PIL.Image.linear_gradient("L").resize(SIZE)
    return PIL.Image.merge("RGB", (gray, gray.rotate(180), gray)).convert(mode)


def overlay(*boxes: tuple[tuple[int, int, int, int], tuple[int, int, int, int]]) -> PIL.Image.Image:
    """White and transparent, as Kometa's, with boxes of a colour."""
    picture = PIL.Image.new("RGBA", SIZE, (255, 255, 255, 0))
    for box, color in boxes:
        PIL.ImageDraw.Draw(picture).rectangle(box, fill=color)
    return picture


def both(onto: PIL.Image.Image, im: Any, box: Any = None, mask: Any = None) -> tuple[bytes, bytes]:
    one, other = onto.copy(), onto.copy()
    assert paste(one, im, box, mask) is None
    whole(other, im, box, mask)
    return one.tobytes(), other.tobytes()


inside = st.tuples(st.integers(0, SIZE[0] - 1), st.integers(0, SIZE[1] - 1))
byte = st.integers(0, 255)
boxes = st.tuples(inside, inside).map(
    lambda c: (min(c[0][0], c[1][0]), min(c[0][1], c[1][1]), max(c[0][0], c[1][0]), max(c[0][1], c[1][1]))
)


@given(st.lists(st.tuples(boxes, st.tuples(byte, byte, byte, byte)), max_size=4), st.sampled_from(["RGB", "RGBA", "L"]))
def test_the_pixels_are_the_same(drawn: list[Any], mode: str) -> None:
    picture = overlay(*drawn)
    one, other = both(canvas(mode), picture, (0, 0), picture)
    assert one == other


def test_only_what_is_seen_is_pasted(monkeypatch: pytest.MonkeyPatch) -> None:
    pasted: list[tuple[int, int]] = []

    def watched(self: PIL.Image.Image, im: Any, box: Any = None, mask: Any = None) -> None:
        pasted.append(im.size)
        whole(self, im, box, mask)

    monkeypatch.setattr(PIL.Image.Image, "paste", watched)
    monkeypatch.setattr(PIL.Image.Image, "paste", paste_where_seen(PIL.Image))
    for picture in (overlay(((3, 4, 12, 23), (9, 9, 9, 99))), overlay()):
        canvas().paste(picture, (0, 0), picture)
    assert pasted == [(10, 20)]


def test_other_pastes_are_pillows_own() -> None:
    picture = overlay(((3, 4, 12, 23), (9, 9, 9, 99)))
    part = picture.crop((0, 0, 20, 30))
    for im, box, mask in (
        (picture, (0, 0), None),
        (picture, (5, 5), picture),
        (part, (7, 8), part),
        (part, (0, 0), part),
        (part, None, part.getchannel("A")),
        ("red", (1, 2, 9, 9), None),
        (picture.convert("LA"), (0, 0), picture.convert("LA")),
    ):
        one, other = both(canvas(), im, box, mask)
        assert one == other


class _Odd:
    def __init__(self, *found: Any) -> None:
        self.found = list(found)

    def getbbox(self) -> Any:
        return self.found.pop(0)

    def putpixel(self, *_: Any) -> None:
        """Nothing."""


@pytest.mark.parametrize("found", [((0, 0, 3, 4),), (None, (0, 0, 3, 4))])
def test_another_pillow_is_left_alone(found: tuple[Any, ...]) -> None:
    with pytest.raises(ValueError, match="getbbox"):
        paste_where_seen(SimpleNamespace(Image=PIL.Image.Image, new=lambda *_: _Odd(*found)))
