"""docs/draft.md tells what the code does."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from sidecar.engine.draft import match, subset, text
from sidecar.engine.draft.facts import Facts
from sidecar.engine.draft.spec import Text, read_overlay
from tests.engine_draft import cases
from tests.engine_draft.drawing import facts

DOC = Path(__file__).parents[2] / "docs" / "draft.md"


def shown() -> dict[str, str]:
    found = re.findall(r"<!-- table: (\w+) -->\n\n(.*?)\n\n<!-- end -->", DOC.read_text(encoding="utf-8"), re.DOTALL)
    return dict(found)


@pytest.mark.parametrize("name", sorted(subset.tables()))
def test_each_table_of_the_doc_is_the_codes(name: str) -> None:
    assert shown().get(name) == subset.tables()[name], f"put the table '{name}' of subset.tables() into docs/draft.md"


def test_the_doc_has_no_other_tables() -> None:
    assert set(shown()) == set(subset.tables())


@pytest.mark.parametrize("name", sorted(subset.FILTERS))
def test_every_documented_filter_is_evaluated(name: str) -> None:
    kind, levels, _ = subset.FILTERS[name]
    read = {"string": match.strings_of, "tag": match.tags_of, "bool": match.flag_of, "date": match.date_of}.get(kind, match.number_of)
    for level in levels:
        read(name, facts(cases.ITEMS[level], level))


@pytest.mark.parametrize("level", subset.LEVELS)
def test_every_documented_variable_is_filled_in(level: str) -> None:
    """Each is replaced by a value on a complete item, or has none: never left as it is."""
    item: Facts = facts(cases.ITEMS[level], level)
    for name, (levels, modifiers) in subset.TEXT_VARIABLES.items():
        if level not in levels:
            continue
        for modifier in modifiers:
            written = f"<<{name}{modifier.replace('[strftime]', '[%Y]')}>>"
            text.check(written, level)
            assert text.unknown(written, level) == ()
            try:
                assert "<<" not in text.fill(written, item)
            except text.NoValue:
                assert (level, name) not in {
                    ("movie", "title"),
                    ("show", "runtime"),
                    ("season", "show_title"),
                    ("episode", "season_number"),
                }


def test_every_documented_attribute_is_read() -> None:
    """An attribute that is documented changes what is read, wherever it has a value other than its default."""
    base = {"name": "text(x)", "horizontal_offset": 1, "vertical_offset": 1, "file": "a.png", "back_width": 1, "weight": 1, "font_size": 9}
    values = {
        "name": "text(y)", "file": "b.png", "group": "g", "queue": "q", "weight": 2, "horizontal_align": "right", "horizontal_offset": 2,
        "vertical_align": "bottom", "vertical_offset": "3%", "scale_width": 4, "scale_height": "5%", "font": "f.ttf", "font_size": 6,
        "font_color": "red", "font_style": "Bold", "stroke_color": "blue", "stroke_width": 7, "back_color": "#123", "back_radius": 8,
        "back_padding": 9, "back_width": 10, "back_height": 11, "back_align": "left", "back_line_color": "#456", "back_line_width": 12,
        "addon_offset": 13, "addon_position": "top",
    }  # fmt: skip
    assert set(values) == set(subset.OVERLAY_ATTRIBUTES)
    plain = read_overlay(base, "x")
    for attribute, value in values.items():
        changed = read_overlay({**base, attribute: value}, "x")
        assert changed != plain, attribute
        assert changed.unknown == ()
    assert {field.name for field in fields(Text)} >= {"template", "font", "size", "style"}
