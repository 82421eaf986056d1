from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sidecar.publish.summary import dumps
from sidecar.publish.text import visible


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ✓ Amélie 東京", "plain ✓ Amélie 東京"),
        ("a\x00b\x1b[31mc\x7f", "a␀b␛[31mc␡"),
        ("evil\u202egnp.exe", "evil[U+202E]gnp.exe"),
        ("\u2066x\u2069", "[U+2066]x[U+2069]"),
        ("zero\u200bwidth\ufeff", "zero[U+200B]width[U+FEFF]"),
        ("half \ud83c", "half [U+D83C]"),
        ("👩‍💻 שלום\u200f", "👩‍💻 שלום\u200f"),  # joiners and direction marks belong to real titles
        ("two\r\nlines\n\tand a tab", "two\nlines\n\tand a tab"),
        ("a\u2028b\x85c", "a[U+2028]b[U+0085]c"),
    ],
)
def test_what_is_not_seen_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown


@settings(deadline=None)
@given(st.text(st.characters(codec=None)))
def test_any_text_can_be_written_and_reorders_nothing(text: str) -> None:
    shown = visible(text)
    shown.encode("utf-8")
    assert not any(0x202A <= ord(c) <= 0x202E or 0x2066 <= ord(c) <= 0x2069 or (ord(c) < 32 and c not in "\n\t") for c in shown)


def test_long_text_is_cut() -> None:
    assert visible("x" * 10, 5) == "xxxx…"


@settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(st.characters(codec=None)) | st.binary(),
        lambda c: st.lists(c) | st.dictionaries(st.text(), c),
    )
)
def test_anything_a_worker_reports_becomes_json(value: object) -> None:
    json.loads(dumps(value).decode("ascii"), parse_constant=pytest.fail)
