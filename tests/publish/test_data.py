"""The pages' data: one content in two forms, whatever the texts are."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.publish.data import forms, worth_telling
from sidecar.publish.words import percent
from tests.publish.test_feed import brief

TEXTS = st.text(st.characters(codec=None), max_size=30)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4)
)


@given(VALUES)
def test_both_forms_say_the_same_in_ascii_and_hold_nothing_a_script_would_trip_over(value: object) -> None:
    found = forms("data/targets/101", value)
    assert set(found) == {"data/targets/101.json", "data/targets/101.js"}
    text, script = found["data/targets/101.json"].decode("ascii"), found["data/targets/101.js"].decode("ascii")
    assert script.startswith('kometaSidecar("data/targets/101",')
    assert script.endswith(");\n")
    inner = script.removeprefix('kometaSidecar("data/targets/101",').removesuffix(");\n")
    assert json.loads(inner) == json.loads(text)
    assert "\n" not in inner
    assert all(0x20 <= ord(sign) < 0x7F for sign in inner), "no control character and none that JavaScript takes for a line's end"


@pytest.mark.parametrize(
    ("fraction", "words"),
    [(0.0, "0 %"), (1e-9, "< 0.01 %"), (0.0002, "0.02 %"), (0.00999, "1.00 %"), (0.0123, "1.2 %"), (0.43, "43.0 %"), (1.0, "100 %")],
)
def test_percentages_for_people(fraction: float, words: str) -> None:
    assert percent(fraction) == words


@given(st.floats(0, 1, exclude_min=True))
def test_what_differs_is_never_shown_as_nothing(fraction: float) -> None:
    assert percent(fraction) != "0 %"


def test_a_run_without_anything_to_see_is_not_told() -> None:
    assert not worth_telling(brief(1, changed=0, counts={"unchanged": 9}))
    assert worth_telling(brief(1, changed=0, counts={"changed": 1}))
    assert worth_telling(brief(1, changed=0, failed=1, counts={}))
