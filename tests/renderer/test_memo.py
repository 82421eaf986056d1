"""Template expansions that were made before: given back exactly, or not at all."""

from __future__ import annotations

import copy
import datetime
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderer import memo as memos
from renderer.memo import REFERENCE, Memo, Unfit, canon, plain

LOGGER = logging.getLogger("tests.memo")


class Owner:
    """As Kometa's DataFile: expands by substitution, and writes into the calls."""

    data_type = "Overlay"

    def __init__(
        self, templates: dict[str, Any], temp_vars: dict[str, Any], library: Any = None, external: dict[str, Any] | None = None
    ) -> None:
        self.templates = {name: (template, {"from": "file"} if external is None else external) for name, template in templates.items()}
        self.temp_vars = temp_vars
        self.library = library
        self.made = 0

    def apply_template(self, call_name: Any, mapping_name: Any, data: Any, template_call: Any, extra_variables: Any) -> Any:
        self.made += 1
        result: dict[str, Any] = {}
        for call in template_call if isinstance(template_call, list) else [template_call]:
            for name in [name for name, value in call.items() if value is None]:
                call.pop(name)
            call["overlay_name"] = str(call_name or mapping_name)
            call["mapping_name"] = mapping_name
            template, external = self.templates[call["name"]]
            variables = {**external, **call, **extra_variables, **self.temp_vars}

            def fill(value: Any, variables: dict[str, Any] = variables) -> Any:
                if isinstance(value, dict):
                    return {key: fill(inner) for key, inner in value.items()}
                if isinstance(value, list):
                    return [fill(inner) for inner in value]
                if isinstance(value, str) and value.startswith("<<"):
                    if value == "<<warn>>":
                        LOGGER.warning("something about this template")
                    return variables.get(value[2:-2], value)
                return value

            result.update({key: fill(value) for key, value in template.items() if key not in data})
        return result


@pytest.fixture(autouse=True)
def kometa(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    util = ModuleType("modules.util")
    util.get_list = lambda value, split=True: value if isinstance(value, list) else [value]  # type: ignore[attr-defined]
    util.logger = SimpleNamespace(_logger=LOGGER)  # type: ignore[attr-defined]
    monkeypatch.setitem(memos.sys.modules, "modules.util", util)  # type: ignore[attr-defined]
    yield
    LOGGER.handlers.clear()


SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-5, 5), st.floats(allow_nan=False), st.text(max_size=4))
NAMES = st.sampled_from(["a", "b", "c"])
VALUES: st.SearchStrategy[Any] = st.deferred(
    lambda: SCALARS | st.lists(VALUES, max_size=3) | st.dictionaries(st.text(max_size=3), VALUES, max_size=3)
)
VARIABLES = st.dictionaries(NAMES, VALUES, max_size=3)
PARTS: st.SearchStrategy[Any] = st.deferred(
    lambda: (
        SCALARS
        | NAMES.map(lambda name: f"<<{name}>>")
        | st.lists(PARTS, max_size=3)
        | st.dictionaries(st.text(max_size=3), PARTS, max_size=3)
    )
)
TEMPLATES = st.dictionaries(st.sampled_from(["overlay", "filters", "plex_all"]), PARTS, min_size=1)


def walk(value: Any) -> list[int]:
    """Identities of the mappings and lists in a value, in order."""
    found = [id(value)] if isinstance(value, (dict, list)) else []
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        found += walk(inner)
    return found


@given(TEMPLATES, VARIABLES, VARIABLES, VARIABLES)
def test_what_is_given_back_is_what_was_made(template: Any, call: dict[str, Any], extra: dict[str, Any], temp_vars: dict[str, Any]) -> None:
    call = {"name": "t", **call}
    memo = Memo()
    remembered = memo.remembering(Owner.apply_template)
    for turn in range(3):
        fresh_call, fresh_extra = copy.deepcopy(call), copy.deepcopy(extra)
        owner = Owner(copy.deepcopy({"t": template}), copy.deepcopy(temp_vars))
        slow_call, slow_extra = copy.deepcopy(call), copy.deepcopy(extra)
        slow = Owner(copy.deepcopy({"t": template}), copy.deepcopy(temp_vars))
        expected = slow.apply_template("N", "M", {"k": 1}, slow_call, slow_extra)
        got = remembered(owner, "N", "M", {"k": 1}, fresh_call, fresh_extra)
        assert repr(got) == repr(expected)
        assert repr(fresh_call) == repr(slow_call), "the call's own mapping is changed alike"
        mine, theirs = [fresh_call, fresh_extra, owner.temp_vars], [slow_call, slow_extra, slow.temp_vars]
        assert [one in walk(mine) for one in walk(got)] == [one in walk(theirs) for one in walk(expected)], (
            "what went in is the same object"
        )
        if turn:
            assert owner.made == 0 or len(memo) == 0


def expand(memo: Memo, owner: Owner, **changed: Any) -> Any:
    given = {"call_name": None, "mapping_name": "M", "data": {}, "template_call": {"name": "t", "a": 1}, "extra_variables": {}, **changed}
    return memo.remembering(Owner.apply_template)(owner, *copy.deepcopy(tuple(given.values())))


def test_anything_it_depends_on_makes_another_expansion() -> None:
    memo = Memo()
    template = {"t": {"overlay": {"name": "<<a>>"}}}
    expand(memo, Owner(template, {}))
    for owner, changed in (
        (Owner(template, {}), {"call_name": "N"}),
        (Owner(template, {}), {"mapping_name": "Other"}),
        (Owner(template, {}), {"data": {"overlay": 1}}),
        (Owner(template, {}), {"template_call": {"name": "t", "a": 2}}),
        (Owner(template, {}), {"template_call": {"name": "t", "a": True}}),
        (Owner(template, {}), {"extra_variables": {"a": 1}}),
        (Owner(template, {"a": 1}), {}),
        (Owner(template, {}, SimpleNamespace(type="Movie", name="Films")), {}),
        (Owner({"t": {"overlay": {"name": "<<b>>"}}}, {}), {}),
    ):
        expand(memo, owner, **changed)
        assert owner.made == 1, changed
    known = Owner(template, {})
    expand(memo, known)
    assert known.made == 0


def test_another_day_makes_another_expansion_where_the_date_is_mentioned(monkeypatch: pytest.MonkeyPatch) -> None:
    memo = Memo()
    plain_one, dated = {"t": {"overlay": "x"}}, {"t": {"overlay": "<<current_year>>"}}
    for template in (plain_one, dated):
        expand(memo, Owner(template, {}))
    monkeypatch.setattr(memos, "today", lambda: {"current_year": 2099, "current_month": 1, "current_day": 1})
    owners = [Owner(plain_one, {}), Owner(dated, {}), Owner(plain_one, {"until": "current_month"})]
    for owner in owners:
        expand(memo, owner)
    assert [owner.made for owner in owners] == [0, 1, 1]


def test_the_call_is_given_todays_date(monkeypatch: pytest.MonkeyPatch) -> None:
    class Dated(Owner):
        def apply_template(self, call_name: Any, mapping_name: Any, data: Any, template_call: Any, extra_variables: Any) -> Any:
            template_call.update(memos.today())
            return super().apply_template(call_name, mapping_name, data, template_call, extra_variables)

    memo = Memo()
    remembered = memo.remembering(Dated.apply_template)
    for year in (2026, 2027):
        monkeypatch.setattr(memos, "today", lambda year=year: {"current_year": year, "current_month": 1, "current_day": 2})
        owner, call = Dated({"t": {"overlay": "x"}}, {}), {"name": "t"}
        assert remembered(owner, None, "M", {}, call, {}) == {"overlay": "x"}
        assert call["current_year"] == year
    assert owner.made == 0


def test_another_kometa_makes_another_expansion(tmp_path: Path) -> None:
    memo = Memo("2.4.4")
    expand(memo, Owner({"t": {"overlay": "x"}}, {}))
    for message in memo.news():
        memo.learn(**message)
    assert memo.save(tmp_path / "kept.json")
    assert not memo.save(tmp_path / "kept.json"), "nothing new"
    for version, made in (("2.4.4", 0), ("2.4.5", 1)):
        later = Memo(version)
        later.load(tmp_path / "kept.json")
        owner = Owner({"t": {"overlay": "x"}}, {})
        expand(later, owner)
        assert owner.made == made
        assert not later.save(tmp_path / "again.json"), "what was loaded is kept already"


def test_a_file_that_cannot_be_used(tmp_path: Path) -> None:
    memo = Memo()
    memo.load(tmp_path / "missing.json")
    (tmp_path / "damaged.json").write_text('{"a": ')
    memo.load(tmp_path / "damaged.json")
    kept = Memo()
    kept.learn({"a": '[{"overlay": "right"}, []]'}, [])
    assert kept.save(tmp_path / "kept.json")
    (tmp_path / "other.json").write_bytes((tmp_path / "kept.json").read_bytes().replace(b"right", b"wrong"))
    memo.load(tmp_path / "other.json")
    assert len(memo) == 0
    memo.load(tmp_path / "kept.json")
    assert len(memo) == 1
    memo = Memo()
    memo.learn({"a": "1"}, [])
    assert memo.save(tmp_path / "no" / "directory.json")


def test_a_template_files_variables_count() -> None:
    """Plain ones and lists, in another file's mapping and in the very same one after somebody changed it."""
    memo = Memo()
    template = {"t": {"overlay": {"plain": "<<p>>", "list": "<<l>>"}}}
    for single, inner in ((1, [1]), (2, [1]), ("1", [1]), (1, [2])):
        owner = Owner(template, {}, external={"p": single, "l": inner})
        assert expand(memo, owner) == {"overlay": {"plain": single, "list": inner}}
        assert owner.made == 1, "never expanded with these"
    external: dict[str, Any] = {"p": 5, "l": [5]}
    for change in (lambda: None, lambda: external.update(p=6), lambda: external["l"].append(7), lambda: external.update(more=8)):
        change()
        owner = Owner(template, {}, external=external)
        assert expand(memo, owner) == {"overlay": {"plain": external["p"], "list": external["l"]}}
        assert owner.made == 1
    again = Owner(template, {}, external=external)
    expand(memo, again)
    assert again.made == 0, "nothing changed"


def test_what_warned_or_cannot_be_given_back_is_made_anew() -> None:
    for value in ("<<warn>>", datetime.date(2020, 1, 1), float("nan"), {REFERENCE: [0]}):
        memo = Memo()
        for _ in range(2):
            owner = Owner({"t": {"overlay": value}}, {})
            expand(memo, owner)
            assert owner.made == 1
        assert len(memo) == 0


def test_what_kometa_will_complain_of_is_left_to_it() -> None:
    memo = Memo()
    with pytest.raises(KeyError):
        expand(memo, Owner({}, {}))
    with pytest.raises(AttributeError):
        memo.remembering(Owner.apply_template)(Owner({"t": {}}, {}), None, "M", {}, "no mapping", {})


def test_a_parent_learns_what_its_children_made() -> None:
    child, parent = Memo(), Memo()
    template = {"t": {"overlay": {"name": "<<a>>", "list": [1, 2.5, None]}}}
    expand(child, Owner(template, {}))
    for message in child.news():
        parent.learn(**json.loads(json.dumps(message)))
    owner = Owner(template, {})
    assert expand(parent, owner) == {"overlay": {"name": 1, "list": [1, 2.5, None]}}
    assert owner.made == 0
    (again,) = parent.news()
    assert again["entries"] == {}, "nothing new"
    assert len(again["used"]) == 1


@pytest.mark.parametrize("entries", [None, [], "x", {"a": 1}, {1: "a"}])
def test_nonsense_is_not_learnt(entries: object) -> None:
    memo = Memo()
    memo.learn(entries, entries)
    assert len(memo) == 0


def test_the_parent_keeps_what_was_used_last() -> None:
    memo = Memo(most=10)
    memo.learn({"a": "1234", "b": "1234"}, [])
    memo.learn({}, ["a"])
    memo.learn({"c": "1234"}, [])
    assert list(memo._kept) == ["a", "c"]
    memo.learn({"a": "12345678"}, ["gone"])
    assert list(memo._kept) == ["a"]


def test_a_files_templates_are_known_ahead() -> None:
    memo = Memo()
    data = {"templates": {"t": {"overlay": "x"}}}
    memo.look(data)
    memo.look({"templates": None})
    assert list(memo._digests) == [id(data["templates"]["t"])]
    memo.overlook(data)
    memo.overlook({"templates": {"never": "seen"}})
    assert not memo._digests, "a worker does not hold on to what is held no more"


@given(VALUES, VALUES)
def test_equal_texts_mean_equal_values(one: Any, other: Any) -> None:
    texts: tuple[list[str], list[str]] = ([], [])
    canon(one, texts[0])
    canon(other, texts[1])
    assert (texts[0] == texts[1]) == (repr(one) == repr(other))


def test_what_is_no_yaml_has_no_text() -> None:
    for value in (object(), {"a": {1, 2}}):
        with pytest.raises(Unfit):
            canon(value, [])
        with pytest.raises(Unfit):
            plain(value, {})
    with pytest.raises(Unfit):
        plain({1: 2}, {})


def test_numbers_and_texts_of_yamls_own_kinds_become_plain_ones() -> None:
    text, number = type("Literal", (str,), {})("a"), type("ScalarFloat", (float,), {})(1.5)
    whole = type("ScalarInt", (int,), {})(7)
    got = plain([text, number, whole], {})
    assert [(type(value), value) for value in got] == [(str, "a"), (float, 1.5), (int, 7)]
