"""YAML with lines: what people get wrong, bounded, and edits that leave the rest alone."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.errors import ConfigError
from sidecar.yamlfile import Document, YamlLimits, dump, load_text, nearest, parse, scalars

BOMB = b"a: &a [1,1,1,1,1,1,1,1,1]\n" + b"".join(b"%c: &%c [%s]\n" % (98 + i, 98 + i, b",".join([b"*%c" % (97 + i)] * 9)) for i in range(9))


@pytest.mark.parametrize(
    ("raw", "line", "what"),
    [
        (b"a: 1\nb:\n\tc: 1\n", 3, "a tab"),
        (b"a: 1\nb: 2\na: 3\n", 3, "the key 'a' is there twice"),
        (b"a: b: c\n", 1, "a second ':'"),
        (b"a: [1, 2\n", 1, "never closed"),
        (b"a: 'x\nb: 1\n", 1, "never closed"),
        (b"a: *nope\n", 1, "without its anchor"),
        (b"a: 1\n---\nb: 2\n", 2, "second document"),
        (b"a: @x\n", 1, "keeps for itself"),
        (b"a:\n  b: 1\n c: 2\n", 3, "indentation"),
        (b"a: 1\nb\nc: 1\n", 2, "':'"),
        (b"a: 1\nb: \xff\n", 2, "not UTF-8"),
        (b"a: 1\nb: \x07\n", 2, "control character"),
        (b"a: 2020-13-45\n", None, "cannot be read"),
        (b"[" * 3000, None, "nested too deep"),
        (b"a: " + b"{a: " * 70 + b"1" + b"}" * 70, None, "more than 60 levels"),
        (BOMB, None, "aliases expand"),
        (b"a: " + b"x" * 3_000_000, None, "3,000,003 bytes"),
    ],
)
def test_faults_have_a_line_and_a_remedy(raw: bytes, line: int | None, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(raw, "my.yml")
    (problem,) = caught.value.problems
    assert (problem.file, problem.line) == ("my.yml", line)
    assert what in problem.what
    assert problem.mend


def test_marks_line_ends_and_merges() -> None:
    document = parse(b"\xef\xbb\xbfa: &x {b: 1, c: [1.50, '007', yes, ~]}\r\nd:\r\n  <<: *x\r\n  e: *x\r\n1: 2\r\n", "my.yml")
    inner = {"b": 1, "c": [1.5, "007", "yes", None]}
    assert document.data == {"a": inner, "d": {"e": inner, **inner}, 1: 2}
    assert document.data["d"]["e"] is document.data["a"], "aliases are one object, as in Kometa"
    assert [document.line(*where) for where in (("a", "c", 2), ("d", "e"), ("d", "b"), ("1",), ("d", "none"), ())] == [1, 4, 1, 5, 2, None]


def test_nothing_is_none() -> None:
    assert parse(b"", "x").empty
    assert parse(b"# only a comment\n", "x").empty
    assert load_text("[1, a]") == [1, "a"]
    with pytest.raises(ValueError, match="never closed"):
        load_text("[1")


def test_limits() -> None:
    with pytest.raises(ConfigError):
        parse(b"a: [1, 2, 3]", "x", limits=YamlLimits(nodes=3))
    assert parse(b"a: [1, 2, 3]", "x", limits=YamlLimits(nodes=6)).data == {"a": [1, 2, 3]}


def test_nearest() -> None:
    assert nearest("tokne", ["port", "token"]) == "Did you mean 'token'?"
    assert nearest("zzz", ["port", "token"]) == ""


keys = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff\x85\u2028\u2029"), min_size=1, max_size=12
)
leaves = st.none() | st.booleans() | st.integers(-(10**12), 10**12) | st.floats(allow_nan=False, allow_infinity=False) | keys
plain = st.recursive(leaves, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=20)


@settings(max_examples=40)
@given(st.dictionaries(keys, plain, max_size=5))
def test_dumped_data_reads_back_the_same(data: dict[str, Any]) -> None:
    assert (parse(dump(data).encode(), "x").data or {}) == data


def edit(document: Document, old: str, new: str) -> str:
    return document.edited(lambda span: new if span.value == old and not span.key else None)


@settings(max_examples=40)
@given(st.dictionaries(keys, plain, min_size=1, max_size=5), st.sampled_from(["config/.frozen/0/a b.png", 'it\'s "quoted" \\', "é: #"]))
def test_an_edit_changes_one_value_and_nothing_else(data: dict[str, Any], new: str) -> None:
    marked = {"first": 1, "mark": "/data/x.png", "rest": data}
    document = parse(dump(marked).encode(), "x")
    again = parse(edit(document, "/data/x.png", new).encode(), "x")
    assert again.data == {**marked, "mark": new}


@pytest.mark.parametrize("style", ["/data/x", "'/data/x'", '"/data/x"', "|-\n    /data/x", ">-\n    /data/x"])
def test_edits_keep_the_text_around(style: str) -> None:
    before, after = "# top\r\na: 'x'   # why\r\nb:\r\n  c: ", "\r\n\r\nd:   {e: 1}  # end\r\n"
    text = edit(parse((before + style + after).encode(), "x"), "/data/x", "config/x")
    assert text.startswith(before)
    assert text.endswith("d:   {e: 1}  # end\r\n")
    assert parse(text.encode(), "x").data == {"a": "x", "b": {"c": "config/x"}, "d": {"e": 1}}


def test_scalars_walk_in_order() -> None:
    assert list(scalars({"a": [1, {"b": None}], "c": "x"})) == [(("a", 0), 1), (("a", 1, "b"), None), (("c",), "x")]
