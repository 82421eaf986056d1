"""Reading ``overlay:``: Kometa's defaults and limits, and what only the draft refuses."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.engine.draft.spec import Beyond, Refused, read_overlay, read_place

HERE = {"horizontal_offset": 0, "vertical_offset": 0}


@pytest.mark.parametrize(
    ("overlay", "attribute"),
    [
        ({"file": "a.png"}, "name"),
        ({"name": "a|b"}, "name"),
        ({"name": "text(x)"}, "horizontal_offset"),
        ({"name": "text", **HERE}, "name"),
        ({"name": "text(a\nb)", **HERE}, "name"),
        ({"name": "texture", **HERE}, "name"),
        ({"name": "backdrop"}, "back_color"),
        ({"name": "backdrop-dark", "back_color": "#000"}, "name"),
        ({"name": "backdrop", "back_color": "#000", "queue": "q", "weight": 1}, "queue"),
        ({"name": "x", "back_color": "#000"}, "horizontal_offset"),
        ({"name": "x", "horizontal_offset": 3}, "horizontal_offset"),
        ({"name": "x", "horizontal_offset": -3, "vertical_offset": 0}, "horizontal_offset"),
        ({"name": "x", "horizontal_offset": "3.5", "vertical_offset": 0}, "horizontal_offset"),
        ({"name": "x", "horizontal_offset": 0, "vertical_offset": "101%"}, "vertical_offset"),
        ({"name": "x", "horizontal_offset": 0, "vertical_offset": "51%", "vertical_align": "center"}, "vertical_offset"),
        ({"name": "x", "horizontal_align": "middle", **HERE}, "horizontal_align"),
        ({"name": "x", "group": "g"}, "group"),
        ({"name": "x", "queue": "q"}, "queue"),
        ({"name": "x", "group": "g", "queue": "q", "weight": 1}, "queue"),
        ({"name": "x", "weight": -1}, "weight"),
        ({"name": "x", "weight": "heavy"}, "weight"),
        ({"name": "text(x)", "font_color": "#12345", **HERE}, "font_color"),
        ({"name": "text(x)", "stroke_color": "colour", **HERE}, "stroke_color"),
        ({"name": "x", "back_color": 123456, **HERE}, "back_color"),
        ({"name": "x", "back_align": "left", **HERE}, "back_align"),
        ({"name": "x", "back_width": -5, **HERE}, "back_width"),
        ({"name": "x", "scale_width": 0}, "scale_width"),
        ({"name": "x", "scale_height": "half"}, "scale_height"),
        ({"name": "text(x)", "file": "a.png", "addon_offset": 0, **HERE}, "addon_offset"),
        ({"name": "text(x)", "file": "a.png", "addon_position": "behind", **HERE}, "addon_position"),
    ],
)
def test_what_kometa_refuses_is_refused(overlay: dict[str, Any], attribute: str) -> None:
    with pytest.raises(Refused) as caught:
        read_overlay(overlay, "x")
    assert caught.value.attribute == attribute


@pytest.mark.parametrize("attribute", ["default", "pmm", "git", "repo", "url"])
def test_images_from_elsewhere_are_beyond_the_draft_but_keep_their_place(attribute: str) -> None:
    spec = read_overlay({"name": "x", attribute: "y", "group": "g", "weight": 7}, "x")
    assert spec.beyond is not None
    assert spec.beyond.attribute == attribute
    assert (spec.group, spec.weight) == ("g", 7)


def test_a_file_wins_over_a_url_and_not_over_a_default() -> None:
    assert read_overlay({"name": "x", "file": "f.png", "url": "u"}, "x").file == "f.png"
    assert read_overlay({"name": "x", "file": "f.png", "default": "d"}, "x").beyond is not None


def test_capitals_in_an_alignment_are_beyond_the_draft() -> None:
    with pytest.raises(Beyond):
        read_overlay({"name": "x", "horizontal_align": "Center", **HERE}, "x")


def test_an_overlay_without_attributes_is_an_image_by_its_name() -> None:
    for given_ in (None, "badge", {"name": "badge"}):
        spec = read_overlay(given_, "badge")
        assert (spec.kind, spec.file) == ("image", "config/overlays/badge.png")


@pytest.mark.parametrize(("name", "radius"), [("blur(7)", 7), ("blur(0)", 0), ("blur", 50), ("blur(x)", 50), ("blurry(3)", 3)])
def test_blur(name: str, radius: int) -> None:
    assert read_overlay({"name": name}, "x").blur == radius


@pytest.mark.parametrize(
    ("name", "template"),
    [
        ("text(critic_rating)", "<<critic_rating>>"),
        ("text(audience_rating%)", "<<audience_rating%>>%"),
        ("text(user_rating0)", "<<user_rating%>>"),
        ("text(user_rating#)", "<<user_rating#>>"),
        ("text(year)", "year"),
        ("text(a (b) c)", "a (b) c"),
    ],
)
def test_text_templates(name: str, template: str) -> None:
    text = read_overlay({"name": name, **HERE}, "x").text
    assert text is not None
    assert text.template == template


def test_defaults() -> None:
    spec = read_overlay({"name": "text(x)", **HERE, "back_color": "#0008", "font_size": 0, "stroke_width": "x", "back_padding": -1}, "x")
    assert spec.text is not None
    assert (spec.text.size, spec.text.stroke_width, spec.text.colour) == (36, 0, None)
    assert (spec.back.padding, spec.back.align, spec.back.fixed, spec.line_width) == (0, "center", False, 1)
    assert spec.back_colour == (0, 0, 0, 136)


def test_unknown_attributes_are_named() -> None:
    assert read_overlay({"name": "x", "colour": "red", "back_colour": "red"}, "x").unknown == ("colour", "back_colour")


@given(
    offset=st.one_of(st.integers(-200, 200), st.integers(-200, 200).map("{}%".format)),
    align=st.sampled_from(["left", "center", "right", None]),
)
def test_an_offset_is_taken_as_it_is_or_refused(offset: int | str, align: str | None) -> None:
    data = {"horizontal_offset": offset, **({"horizontal_align": align} if align else {})}
    number = int(str(offset).removesuffix("%"))
    percent = isinstance(offset, str)
    fits = (-50 <= number <= 50 or not percent) if align == "center" else number >= 0 and (number <= 100 or not percent)
    if fits:
        assert read_place(data).horizontal_offset == offset
    else:
        with pytest.raises(Refused):
            read_place(data)


@given(
    st.dictionaries(
        st.sampled_from(
            [
                "name",
                "weight",
                "group",
                "font_size",
                "font_color",
                "back_width",
                "horizontal_offset",
                "vertical_offset",
                "file",
                "scale_width",
            ]
        ),
        st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.text(max_size=8), st.lists(st.integers(), max_size=2), st.floats()),
    )
)
def test_nothing_but_a_refusal_comes_of_nonsense(data: dict[str, Any]) -> None:
    with suppress(Refused, Beyond):
        assert read_overlay(data, "x").kind in ("text", "backdrop", "blur", "image")
