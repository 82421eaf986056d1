"""Where things go: expectations worked out by hand, and laws that hold anywhere."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.engine.draft.geometry import Back, Place, along, canvas_of, content_size, lay_out, scaled

PORTRAIT = (1000, 1500)


@pytest.mark.parametrize(
    ("offset", "length", "size", "align", "expected"),
    [
        (30, 1000, 120, "left", 30),
        (30, 1000, 120, None, 30),
        (30, 1000, 120, "right", 850),
        (0, 1500, 80, "bottom", 1420),
        (0, 1000, 121, "center", 440),
        (-15, 1000, 120, "center", 425),
        ("10%", 1500, 80, "top", 150),
        ("7%", 1080, 80, "top", 75),
        ("-50%", 1000, 100, "center", -50),
        ("100%", 1920, 100, "right", -100),
    ],
)
def test_along(offset: int | str, length: int, size: float, align: str | None, expected: float) -> None:
    assert along(offset, length, size, align) == expected


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        (None, None, (200, 100)),
        (100, None, (100, 50)),
        (None, 25, (50, 25)),
        ("50%", None, (100, 50)),
        (None, "33%", (66, 33)),
        (300, "10%", (300, 10)),
        (33, None, (33, 16)),
    ],
)
def test_scaled(width: int | str | None, height: int | str | None, expected: tuple[int, int]) -> None:
    assert scaled((200, 100), width, height) == expected


def test_canvases() -> None:
    assert [canvas_of(level) for level in ("movie", "show", "season", "episode")] == [(1000, 1500)] * 3 + [(1920, 1080)]


@pytest.mark.parametrize(
    ("side", "expected", "text_at", "image_at"),
    [
        ("left", (170, 60), (170, 115), (100, 100)),
        ("right", (170, 60), (100, 115), (210, 100)),
        ("top", (100, 100), (100, 170), (120, 100)),
        ("bottom", (100, 100), (100, 100), (120, 140)),
    ],
)
def test_text_beside_an_image(side: str, expected: tuple[int, int], text_at: tuple[int, int], image_at: tuple[int, int]) -> None:
    """Text of 100x30 and an image of 60x60, 10 apart, at 100, 100: the shorter one is centred along the longer."""
    assert content_size((100, 30), (60, 60), side, 10) == expected
    layout = lay_out(PORTRAIT, Place(horizontal_offset=100, vertical_offset=100), Back(), text=(100, 30), image=(60, 60), side=side, gap=10)
    assert layout.text == text_at
    assert layout.image == image_at
    assert layout.outline == (100, 100, *expected)


@pytest.mark.parametrize(
    ("align", "text_at"),
    [("center", (150, 135)), ("left", (100, 135)), ("right", (200, 135)), ("top", (150, 100)), ("bottom", (150, 170))],
)
def test_alignment_within_a_box(align: str, text_at: tuple[int, int]) -> None:
    """Text of 100x30 in a box of 200x100 at 100, 100, with a padding of 5 round it."""
    back = Back(drawn=True, width=200, height=100, align=align, padding=5)
    layout = lay_out(PORTRAIT, Place(horizontal_offset=100, vertical_offset=100), back, text=(100, 30))
    assert layout.back == (95, 95, 305, 205)
    assert layout.text == text_at


def test_a_box_is_as_large_as_its_text_where_it_says_nothing() -> None:
    place = Place(horizontal_offset=10, horizontal_align="right", vertical_offset=20, vertical_align="bottom")
    layout = lay_out(PORTRAIT, place, Back(drawn=True, padding=3), text=(100, 30))
    assert layout.text == (890, 1450)
    assert layout.back == (887, 1447, 993, 1483)


def test_an_image_stays_where_it_is_in_a_box_that_is_not_drawn() -> None:
    """The undrawn box moves its corner, by its own size, but the image is not centred in it."""
    place = Place(horizontal_offset=0, horizontal_align="right", vertical_offset=0)
    assert lay_out(PORTRAIT, place, Back(width=300, align="right"), image=(100, 50)).image == (700, 0)
    assert lay_out(PORTRAIT, place, Back(width=300, align="right", drawn=True), image=(100, 50)).image == (900, 0)


def test_backdrops() -> None:
    whole = lay_out((1920, 1080), Place(horizontal_offset=0, vertical_offset=0), Back(drawn=True, whole=True))
    assert whole.back == (0, 0, 1920, 1080)
    low = Place(horizontal_offset=0, vertical_offset=0, vertical_align="bottom")
    assert lay_out(PORTRAIT, low, Back(drawn=True, whole=True, height=300)).back == (0, 1200, 1000, 1500)
    # Kometa takes a size that is not given for -1 pixels when it aligns
    assert lay_out(PORTRAIT, low, Back(drawn=True, whole=True, width=300)).back == (0, 1501, 300, 3001)


def test_a_queues_position_fills_what_is_missing() -> None:
    slot = Place(horizontal_offset=15, horizontal_align="right", vertical_offset=30, vertical_align="bottom")
    assert Place().within(slot) == slot
    assert Place(horizontal_align="left", vertical_offset="5%").within(slot) == Place(
        horizontal_offset=15, horizontal_align="left", vertical_offset="5%", vertical_align="bottom"
    )
    assert not Place(horizontal_offset=0).given
    assert Place(horizontal_offset=0, vertical_offset=0).given


sizes = st.integers(1, 900)
aligns = st.sampled_from(["left", "center", "right"])


@given(offset=st.integers(0, 2000), length=st.integers(1, 4000), size=sizes)
def test_right_mirrors_left(offset: int, length: int, size: int) -> None:
    assert along(offset, length, size, "right") + size == length - along(offset, length, size, "left")


@given(percent=st.integers(0, 100), length=st.integers(1, 4000), size=sizes)
def test_a_percentage_stays_on_the_canvas(percent: int, length: int, size: int) -> None:
    assert 0 <= along(f"{percent}%", length, size, "left") <= length
    assert length - size >= along(f"{percent}%", length, size, "right") >= -size


@given(percent=st.integers(-50, 50), length=st.integers(100, 4000), size=st.integers(1, 100))
def test_centred_percentages_reach_the_edges_and_no_farther(percent: int, length: int, size: int) -> None:
    middle = along(f"{percent}%", length, size, "center") + size / 2
    assert -2 <= middle <= length + 2


@given(
    horizontal=aligns,
    x=st.integers(0, 900),
    y=st.integers(0, 900),
    text=st.tuples(sizes, sizes),
    image=st.tuples(sizes, sizes),
    side=st.sampled_from(["left", "right", "top", "bottom"]),
    gap=st.integers(0, 50),
    padding=st.integers(0, 40),
)
def test_text_and_image_lie_in_their_box_and_apart(
    horizontal: str, x: int, y: int, text: tuple[int, int], image: tuple[int, int], side: str, gap: int, padding: int
) -> None:
    place = Place(horizontal_offset=x, horizontal_align=horizontal, vertical_offset=y)
    layout = lay_out(PORTRAIT, place, Back(drawn=True, padding=padding), text=text, image=image, side=side, gap=gap)
    assert layout.back is not None
    assert layout.text is not None
    assert layout.image is not None
    for corner, size in ((layout.text, text), (layout.image, image)):
        assert corner[0] >= layout.back[0] + padding - 1
        assert corner[1] >= layout.back[1] + padding - 1
        assert corner[0] + size[0] <= layout.back[2] - padding + 1
        assert corner[1] + size[1] <= layout.back[3] - padding + 1
    axis = 0 if side in ("left", "right") else 1
    first, second = sorted([(layout.text[axis], text[axis]), (layout.image[axis], image[axis])], key=lambda part: part[0] + part[1] / 2)
    assert second[0] - (first[0] + first[1]) in (gap, gap - 1, gap + 1)


@given(
    box=st.tuples(st.integers(1, 900), st.integers(1, 900)),
    text=st.tuples(sizes, sizes),
    align=st.sampled_from(["left", "right", "center", "top", "bottom"]),
)
def test_a_fixed_box_keeps_its_size_whatever_it_holds(box: tuple[int, int], text: tuple[int, int], align: str) -> None:
    place = Place(horizontal_offset=50, vertical_offset=60)
    layout = lay_out(PORTRAIT, place, Back(drawn=True, width=box[0], height=box[1], align=align), text=text)
    assert layout.back == (50, 60, 50 + box[0], 60 + box[1])
    assert layout.text is not None
    if align == "left":
        assert layout.text[0] == 50
    if align == "top":
        assert layout.text[1] == 60
    if align == "right":
        assert layout.text[0] + text[0] == 50 + box[0]
    if align == "bottom":
        assert layout.text[1] + text[1] == 60 + box[1]


@given(size=st.tuples(st.integers(1, 2000), st.integers(1, 2000)), width=st.integers(1, 2000))
def test_one_scale_keeps_the_proportions(size: tuple[int, int], width: int) -> None:
    new = scaled(size, width, None)
    assert new[0] == width
    assert abs(new[1] - size[1] * width / size[0]) < 1
