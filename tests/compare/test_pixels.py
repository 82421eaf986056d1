"""The comparison of pixels: against pixelmatch as the judge, and by its properties."""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from pixelmatch import pixelmatch

from sidecar.compare import Unreadable, compare
from sidecar.compare.pixels import MAX_PIXELS, differing
from tests.publish.samples import poster

Picture = NDArray[np.uint8]

SMALL = st.tuples(st.integers(1, 12), st.integers(1, 12), st.just(3))


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Picture, Picture]:
    """Two pictures of one size with few colours, so that flat areas and smooth edges come about; mostly alike."""
    shape = draw(SMALL)
    palette = draw(arrays.arrays(np.uint8, (draw(st.integers(1, 5)), 3)))
    index = arrays.arrays(np.intp, shape[:2], elements=st.integers(0, len(palette) - 1))
    first, second = draw(index), draw(index)
    same = draw(arrays.arrays(np.bool_, shape[:2]))
    return palette[first], palette[np.where(same, first, second)]


def judged(before: Picture, after: Picture, sensitivity: float) -> tuple[int, list[bool]]:
    """pixelmatch's count, and which pixels it draws into its mask."""
    height, width = before.shape[:2]
    first, second = (np.dstack([each, np.full(each.shape[:2], 255, np.uint8)]).ravel().tolist() for each in (before, after))
    output: list[float] = [0] * (height * width * 4)
    count = pixelmatch(first, second, width, height, output, threshold=sensitivity, diff_mask=True)
    return count, [alpha > 0 for alpha in output[3::4]]


@settings(max_examples=250, deadline=None)
@given(pairs(), st.sampled_from([0.05, 0.1, 0.3]))
def test_the_same_pixels_differ_as_for_pixelmatch(pair: tuple[Picture, Picture], sensitivity: float) -> None:
    found = differing(*pair, sensitivity)
    assert (int(found.sum()), found.ravel().tolist()) == judged(*pair, sensitivity)


@settings(max_examples=60, deadline=None)
@given(pairs())
def test_nothing_differs_from_itself_and_order_does_not_matter(pair: tuple[Picture, Picture]) -> None:
    assert not differing(pair[0], pair[0]).any()
    assert (differing(*pair) == differing(*pair[::-1])).all()


@settings(max_examples=60, deadline=None)
@given(pairs(), st.sampled_from([0.02, 0.1, 0.3, 1.0]))
def test_looking_at_a_part_only_finds_the_same(pair: tuple[Picture, Picture], sensitivity: float) -> None:
    with tempfile.TemporaryDirectory(prefix="ks-") as folder:
        old, new = (save(Path(folder), f"{number}.png", Image.fromarray(each)) for number, each in enumerate(pair))
        assert compare(old, new, sensitivity=sensitivity).pixels == judged(*pair, sensitivity)[0]


def save(folder: Path, name: str, image: Image.Image, form: str = "PNG", **options: object) -> Path:
    path = folder / name
    image.save(path, form, **options)
    return path


def with_badge(image: Image.Image, box: tuple[int, int, int, int], colour: str = "gold") -> Image.Image:
    changed = image.copy()
    x, y, width, height = box
    ImageDraw.Draw(changed).rectangle((x, y, x + width - 1, y + height - 1), fill=colour)
    return changed


def test_a_badge_is_found_to_the_pixel(tmp_path: Path) -> None:
    bare = poster("Heat", 3)
    boxes = ((40, 60, 200, 120), (700, 1300, 250, 90))
    changed = with_badge(with_badge(bare, boxes[0]), boxes[1])
    found = compare(save(tmp_path, "a.png", bare), save(tmp_path, "b.png", changed))
    assert found.boxes == (boxes[0], boxes[1]), "largest first"
    assert found.size == (1000, 1500)
    assert found.counted == 1_500_000
    assert found.pixels == 200 * 120 + 250 * 90
    assert found.fraction == found.pixels / found.counted
    with Image.open(io.BytesIO(found.mask)) as mask:
        alpha = np.asarray(mask.convert("RGBA"))[..., 3]
    assert alpha.shape == (1500, 1000)
    assert int((alpha == 255).sum()) == found.pixels
    assert (alpha[60:180, 40:240] == 255).all()
    assert int((alpha == 0).sum()) == found.counted - found.pixels


def test_smooth_edges_that_moved_by_a_fraction_are_no_change(tmp_path: Path) -> None:
    def drawn(shift: float) -> Image.Image:
        large = Image.new("RGB", (800, 800), "#204060")
        ImageDraw.Draw(large).ellipse((100 + shift, 100, 700 + shift, 700), fill="#f0e0c0")
        return large.resize((200, 200), Image.Resampling.BOX)

    old, new = save(tmp_path, "a.png", drawn(0)), save(tmp_path, "b.png", drawn(1))
    raw = np.abs(np.asarray(drawn(0)).astype(int) - np.asarray(drawn(1))).max(axis=2)
    assert int((raw > 25).sum()) > 100, "many pixels do differ"
    assert compare(old, new).fraction < 0.0005


def test_what_is_ignored_neither_counts_nor_shows(tmp_path: Path) -> None:
    bare = Image.new("RGB", (100, 150), "navy")
    changed = with_badge(with_badge(bare, (10, 10, 20, 20)), (60, 100, 30, 40))
    old, new = save(tmp_path, "a.png", bare), save(tmp_path, "b.png", changed)
    found = compare(old, new, ignored=[(55, 95, 45, 55), (80, 120, 900, 900)])
    assert found.boxes == ((10, 10, 20, 20),)
    assert (found.pixels, found.counted) == (400, 15_000 - 45 * 55)
    everything = compare(old, new, ignored=[(-5, -5, 1000, 1000)])
    assert (everything.fraction, everything.pixels, everything.counted, everything.mask) == (0.0, 0, 0, b"")


@settings(max_examples=30, deadline=None)
@given(st.tuples(st.integers(0, 80), st.integers(0, 130), st.integers(1, 20), st.integers(1, 20)))
def test_ignoring_exactly_what_changed_leaves_nothing(box: tuple[int, int, int, int]) -> None:
    bare = Image.new("RGB", (100, 150), "navy")
    with tempfile.TemporaryDirectory(prefix="ks-") as folder:
        old, new = save(Path(folder), "a.png", bare), save(Path(folder), "b.png", with_badge(bare, box))
        assert compare(old, new, ignored=[box]).pixels == 0
        found = compare(old, new)
        assert found.pixels == box[2] * box[3]
        assert found.boxes == (box,)


def test_other_sizes(tmp_path: Path) -> None:
    bare = poster("Heat", 3)
    old = save(tmp_path, "a.png", bare.resize((2000, 3000), Image.Resampling.LANCZOS))
    new = save(tmp_path, "b.png", bare)
    found = compare(old, new)
    assert found.resized
    assert found.fraction < 0.01
    wide = compare(save(tmp_path, "c.png", Image.new("RGB", (192, 108))), save(tmp_path, "d.png", Image.new("RGB", (100, 150))))
    assert (wide.fraction, wide.boxes, wide.resized) == (1.0, ((0, 0, 100, 150),), True)
    assert wide.mask


def test_formats_and_transparency(tmp_path: Path) -> None:
    image = poster("Heat", 3, (200, 300))
    clear = image.convert("RGBA")
    clear.putalpha(Image.new("L", clear.size, 255))
    same = compare(save(tmp_path, "a.webp", image, "WEBP", lossless=True), save(tmp_path, "b.png", clear))
    assert same.fraction == 0.0
    lossy = compare(save(tmp_path, "c.webp", image, "WEBP", quality=90), save(tmp_path, "d.png", image))
    assert lossy.fraction < 0.02


@pytest.mark.parametrize("damage", ["text", "cut", "empty", "missing"])
def test_a_damaged_picture_is_told(tmp_path: Path, damage: str) -> None:
    good = save(tmp_path, "a.png", poster("Heat", 3, (200, 300)))
    data = {"text": b"<svg/>", "cut": good.read_bytes()[:500], "empty": b"", "missing": None}[damage]
    bad = tmp_path / "b.png"
    if data is not None:
        bad.write_bytes(data)
    with pytest.raises(Unreadable):
        compare(good, bad)
    with pytest.raises(Unreadable):
        compare(bad, good)


def test_a_bomb_is_not_decoded(tmp_path: Path) -> None:
    side = int(MAX_PIXELS**0.5) + 10
    bomb = save(tmp_path, "bomb.png", Image.new("1", (side, side)))
    with pytest.raises(Unreadable, match="too many"):
        compare(bomb, bomb)
