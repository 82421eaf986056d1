"""Templates by plain substitution."""

from __future__ import annotations

from typing import Any

import pytest

from sidecar.engine.draft.spec import Beyond, Refused
from sidecar.engine.draft.template import expand
from tests.engine_draft.drawing import NOW


def filled(definition: dict[str, Any], template: dict[str, Any], **config: Any) -> dict[Any, Any]:
    full = expand(definition, "Mine", {"t": template}, config, library="movie", library_name="Movies", now=NOW)
    return {key: value for key, value in full.items() if key not in ("template", "variables")}


def test_variables_keep_their_type_when_they_are_the_whole_value() -> None:
    call = {"template": {"name": "t", "size": 12, "names": ["a", "b"]}}
    assert filled(call, {"x": "<<size>>", "y": "s<<size>>", "z": "<<names>>"}) == {"x": 12, "y": "s12", "z": ["a", "b"]}


def test_config_wins_over_the_call_over_the_definition_over_the_default() -> None:
    template = {"default": {"a": 0, "b": 0, "c": 0, "d": 0}, "x": "<<a>><<b>><<c>><<d>>"}
    call = {"variables": {"b": 1, "c": 1, "d": 1}, "template": {"name": "t", "c": 2, "d": 2}}
    assert filled(call, template, d=3) == {"x": "0123"}


def test_own_attributes_win_and_the_first_template_too() -> None:
    definition = {"x": "own", "template": [{"name": "t", "v": 1}, {"name": "t", "v": 2}]}
    assert filled(definition, {"x": "<<v>>", "y": "<<v>>"}) == {"x": "own", "y": 1}


def test_optional_variables_take_along_what_uses_them() -> None:
    template = {"optional": ["gone"], "x": {"a": "<<gone>>", "b": 1}, "y": ["<<gone>>", 2], "z": {"c": {"d": "<<gone>>"}}}
    assert filled({"template": {"name": "t"}}, template) == {"x": {"b": 1}, "y": [2]}
    assert filled({"template": {"name": "t", "gone": 5}}, template)["z"] == {"c": {"d": 5}}
    assert filled({"template": {"name": "t", "seen": None}}, {"x": "<<seen>>", "y": 1}) == {"y": 1}


def test_variables_of_variables_and_of_keys_and_sums() -> None:
    template = {
        "default": {"low": "<<high>>0", "high": 3},
        "x<<high>>": "<<low>>",
        "y": "<<current_year-26>>",
        "z": "<<mapping_name>>/<<library_type>>",
    }
    assert filled({"template": {"name": "t"}}, template) == {"x3": "30", "y": "2000", "z": "Mine/movie"}


def test_text_variables_of_items_are_left_alone() -> None:
    assert filled({"template": {"name": "t"}}, {"x": "text(<<runtime>>)"}) == {"x": "text(<<runtime>>)"}


def test_a_definition_without_template_is_left_alone() -> None:
    assert filled({"x": "<<a>>"}, {}, a=1) == {"x": "<<a>>"}


@pytest.mark.parametrize(
    ("definition", "template", "error"),
    [
        ({"template": {"name": "other"}}, {}, Beyond),
        ({"template": {"name": "t"}}, {"conditionals": {"a": {}}}, Beyond),
        ({"template": {"name": "t", "conditionals": {"a": {}}}}, {}, Beyond),
        ({"template": {"name": "t"}}, {"move_prefix": "The"}, Beyond),
        ({"template": {"name": "t", "a<<b>>": 1}}, {}, Beyond),
        ({"template": {"name": "t", "a": "x y"}}, {"u": "<<a_encoded>>"}, Beyond),
        ({"template": "t"}, {}, Refused),
        ({"template": {"name": ""}}, {}, Refused),
        ({"template": {"name": "t"}, "variables": 5}, {}, Refused),
        ({"template": {"name": "t", "a": "b"}}, {"u": "<<a+1>>"}, Refused),
        ({"template": {"name": "t"}}, {"default": "x"}, Refused),
    ],
)
def test_what_is_beyond_and_what_is_refused(definition: dict[str, Any], template: dict[str, Any], error: type[Exception]) -> None:
    with pytest.raises(error):
        filled(definition, template)
