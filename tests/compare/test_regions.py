"""Regions, prints, like changes, and limits."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from sidecar.compare import Change, Rule, alike, delta_of, limits_of
from sidecar.compare.regions import MOST, overlap, print_of, regions_of
from sidecar.model import Level, Target

Mask = NDArray[np.bool_]


@st.composite
def masks(draw: st.DrawFn) -> Mask:
    mask = np.zeros((draw(st.integers(1, 120)), draw(st.integers(1, 120))), dtype=bool)
    for _ in range(draw(st.integers(0, 8))):
        y, x = draw(st.integers(0, mask.shape[0] - 1)), draw(st.integers(0, mask.shape[1] - 1))
        mask[y : y + draw(st.integers(1, 40)), x : x + draw(st.integers(1, 40))] = True
    return mask


@settings(max_examples=200, deadline=None)
@given(masks())
def test_boxes_hold_all_that_differs_lie_within_and_do_not_overlap(mask: Mask) -> None:
    boxes = regions_of(mask)
    covered = np.zeros(mask.shape, dtype=int)
    for x, y, width, height in boxes:
        assert 0 <= x < x + width <= mask.shape[1]
        assert 0 <= y < y + height <= mask.shape[0]
        covered[y : y + height, x : x + width] += 1
        part = mask[y : y + height, x : x + width]
        assert part[0].any()
        assert part[-1].any()
        assert part[:, 0].any()
        assert part[:, -1].any()
    assert not (mask & (covered == 0)).any()
    assert covered.max(initial=0) <= 1
    sizes = [width * height for _, _, width, height in boxes]
    assert sizes == sorted(sizes, reverse=True)


def test_near_regions_are_one_far_ones_are_not_and_there_is_an_end_to_them() -> None:
    mask = np.zeros((1500, 1000), dtype=bool)
    mask[100:120, 100:160] = mask[100:120, 168:200] = True  # two letters
    mask[1200:1210, 100:110] = True
    assert regions_of(mask) == ((100, 100, 100, 20), (100, 1200, 10, 10))
    mask[::100, ::100] = True
    assert len(regions_of(mask)) == MOST


@settings(max_examples=100, deadline=None)
@given(masks(), arrays.arrays(np.bool_, (30, 30)))
def test_prints_compare_alike_both_ways(one: Mask, other: Mask) -> None:
    a, b = print_of(one), print_of(other)
    assert overlap(a, a) == 1.0
    assert overlap(a, b) == overlap(b, a)
    assert 0.0 <= overlap(a, b) <= 1.0


def test_a_print_does_not_depend_on_the_size() -> None:
    small, large = np.zeros((150, 100), dtype=bool), np.zeros((1500, 1000), dtype=bool)
    small[10:40, 5:50] = large[100:400, 50:500] = True
    assert overlap(print_of(small), print_of(large)) == 1.0
    assert print_of(np.zeros((150, 100), dtype=bool)).strip("0") == ""


def badge(x: int, y: int, width: int, height: int) -> str:
    mask = np.zeros((1500, 1000), dtype=bool)
    mask[y : y + height, x : x + width] = True
    return print_of(mask)


def test_like_changes_are_grouped() -> None:
    corner, bottom = ("adds 4K",), ("moves Rating",)
    changes = [
        Change(target="1", shape="portrait", print=badge(30, 30, 300, 150), delta=corner),
        Change(target="2", shape="portrait", print=badge(30, 1200, 900, 200), delta=bottom),
        Change(target="3", shape="portrait", print=badge(32, 30, 295, 149), delta=corner),
        Change(target="4", shape="landscape", print=badge(30, 30, 300, 150), delta=corner),
        Change(target="5", shape="portrait", print=badge(30, 30, 300, 150), delta=("adds HDR",)),
        Change(target="6", shape="portrait", print=badge(30, 1190, 860, 210), delta=bottom),
        Change(target="7", shape="portrait", print=badge(30, 30, 300, 150), delta=corner),
        Change(target="8", shape="portrait", print=badge(500, 600, 100, 100), delta=corner),
    ]
    groups = alike(changes)
    assert [(group.id, group.targets, group.title) for group in groups] == [
        ("g1", ("1", "3", "7"), "adds 4K"),
        ("g2", ("2", "6"), "moves Rating"),
    ]
    assert alike([]) == ()


def test_badges_that_moved_together_are_one_change_whichever_they_are() -> None:
    names = (("moves 4K",), ("moves 1080p", "moves HDR"), ("moves 4K",), ("moves Atmos",), ("adds X", "moves 4K"))
    changes = [Change(target=str(n), shape="portrait", print=badge(30, 30, 300, 150), delta=delta) for n, delta in enumerate(names)]
    [group] = alike(changes)
    assert (group.targets, group.title) == (("0", "1", "2", "3"), "moves 4K, 1080p, HDR and 1 more")


@given(st.lists(st.tuples(st.sampled_from(["portrait", "landscape"]), st.sampled_from(["ff", "0f", "f0", "01", "00"])), max_size=12))
def test_each_target_is_in_one_group_at_most_and_groups_have_several(found: list[tuple[str, str]]) -> None:
    changes = [Change(target=str(n), shape=shape, print=print_) for n, (shape, print_) in enumerate(found)]
    groups = alike(changes)
    grouped = [target for group in groups for target in group.targets]
    assert len(grouped) == len(set(grouped))
    assert all(len(group.targets) > 1 for group in groups)
    assert len({group.id for group in groups}) == len(groups)


def test_what_a_renderer_reports_to_differ() -> None:
    before: list[Mapping[str, object]] = [
        {"name": "4K", "box": [1, 2, 30, 40]},
        {"name": "HDR"},
        {"name": "Rating", "box": [5, 5, 1, 1]},
        {"name": "Same", "box": None},
    ]
    after: list[Mapping[str, object]] = [
        {"name": "4K", "box": [1, 2, 33, 40]},
        {"name": "Rating", "box": [5, 6, 1, 1]},
        {"name": "Ribbon"},
        {"name": "Same"},
    ]
    assert delta_of(before, after) == ("adds Ribbon", "drops HDR", "moves Rating")
    assert delta_of([], []) == ()


HEAT = Target(rating_key=7, level=Level.MOVIE, library="Movies", section=1, title="Heat")
LIES = Target(rating_key=8, level=Level.EPISODE, library="TV", section=2, title="Lies", show_title="Dark")


def test_the_last_fitting_rule_with_a_threshold_decides_and_regions_add_up() -> None:
    rules = [
        Rule(threshold=0.01, ignore=((0, 0, 100, 100),)),
        Rule(library="Movies", ignore=((900, 1400, 500, 500),)),
        Rule(title="hea?", threshold=0.5, ignore=((0, 0, 100, 100),)),
        Rule(rating_key=99, threshold=0.9),
        Rule(level=Level.SHOW, threshold=0.9),
    ]
    assert limits_of(HEAT, (1000, 1500), [], rules, 0.001) == (0.5, ((0, 0, 100, 100), (900, 1400, 100, 100)))
    assert limits_of(HEAT, (500, 750), [], rules, 0.001)[1] == ((0, 0, 50, 50), (450, 700, 50, 50)), "scaled from Kometa's canvas"
    assert limits_of(LIES, (1920, 1080), [], rules, 0.001) == (0.01, ((0, 0, 100, 100),))
    assert limits_of(LIES, (1920, 1080), [], [Rule(title="DARK", threshold=0.2)], 0.001)[0] == 0.2
    assert limits_of(HEAT, (1000, 1500), [], [], 0.001) == (0.001, ())


def test_regions_of_overlays_by_name() -> None:
    overlays: list[Mapping[str, object]] = [
        {"name": "Rating1", "box": [10, 20, 30, 40]},
        {"name": "rating2", "box": [50, 20, 30, 40]},
        {"name": "Rating3"},
        {"name": "4K", "box": [1, 1, 1, 1]},
        {"name": "Rating4", "box": ["a", 1, 2, 3]},
    ]
    rule = Rule(ignore_overlays=("rating*",))
    assert limits_of(HEAT, (1000, 1500), overlays, [rule], 0.0)[1] == ((10, 20, 30, 40), (50, 20, 30, 40))
