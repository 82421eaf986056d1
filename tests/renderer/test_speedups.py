"""Speed-ups: found in one place or off; and the template loop gives what it gave."""

from __future__ import annotations

import ast
import re
from types import ModuleType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from renderer import speedups


class Passed(Exception):
    """Counts the passes of a loop that is not to run to its end."""


def expand(text: Any, variables: dict[str, Any], count: list[int]) -> Any:
    """Substitution in the manner of a template engine: a fixed number of passes, values may hold placeholders themselves."""

    def check(_method: str, _data: Any, _debug: bool) -> Any:
        def scan(og: Any, var: str, value: Any) -> Any:
            if og is None:
                return og
            if str(og) == f"<<{var}>>":
                return value
            if f"<<{var}" in str(og):
                return str(og).replace(f"<<{var}>>", str(value))
            return og

        try:
            for _number in range(8):
                count[0] += 1
                for key, value in variables.items():
                    _data = scan(_data, key, value)
        except Passed:
            return None
        return _data

    return check("m", text, False)


fast = speedups.rewrite(expand, speedups.leave_early)
names = st.sampled_from(["a", "b", "ab", "c"])
parts = st.sampled_from(["", "x", "<<", ">>", "<", "<<c"])  # at most one placeholder in a value: with more, eight passes fill the memory
texts = st.builds("{}{}{}".format, parts, st.sampled_from(["", "<<a>>", "<<b>>", "<<ab>>"]), parts)
values = st.one_of(st.integers(), st.none(), texts)


@given(values, st.dictionaries(names, values))
def test_leaving_early_changes_nothing(text: Any, variables: dict[str, Any]) -> None:
    assert fast(text, variables, [0]) == expand(text, variables, [0])


def test_leaving_early_leaves_early() -> None:
    slow_passes, fast_passes = [0], [0]
    assert expand("plain", {}, slow_passes) == fast("plain", {}, fast_passes)
    assert (slow_passes, fast_passes) == ([8], [0])
    assert fast("<<a>> and <<b>>", {"a": "<<b>>", "b": 1}, fast_passes) == "1 and 1"
    assert fast_passes == [1]


def test_a_rewritten_function_keeps_its_place() -> None:
    assert fast.__code__.co_filename == expand.__code__.co_filename
    assert fast.__code__.co_firstlineno == expand.__code__.co_firstlineno
    assert (fast.__name__, fast.__qualname__, fast.__module__) == (expand.__name__, expand.__qualname__, expand.__module__)


SHAPE = "def f():\n    def check(a, text, c):\n{body}        return text\n"
LOOP = "        for i in range(8):\n            text = f'<<{{a}}' + text\n"


@pytest.mark.parametrize(
    "body",
    [
        "        pass\n",
        LOOP.format() * 2,
        LOOP.format().replace("range(8)", "range(n)"),
        LOOP.format().replace("range(8)", "items"),
        LOOP.format().replace("+ text", "+ text + str(i)"),
        LOOP.format().replace("text =", "other ="),
        LOOP.format().replace("<<", ""),
        LOOP.format() + "        else:\n            text = 1\n",
    ],
)
def test_an_unsure_place_is_left_alone(body: str) -> None:
    tree = ast.parse(SHAPE.format(body=body)).body[0]
    assert isinstance(tree, ast.FunctionDef)
    before = ast.dump(tree)
    with pytest.raises(speedups.NotFound):
        speedups.leave_early(tree)
    assert ast.dump(tree) == before


def test_the_sure_place_is_found() -> None:
    tree = ast.parse(SHAPE.format(body=LOOP.format())).body[0]
    assert isinstance(tree, ast.FunctionDef)
    speedups.leave_early(tree)
    assert re.search(r"for i in range\(8\):\s+if '<<' not in str\(text\):\s+break", ast.unparse(tree))


def test_a_function_without_source_is_left_alone() -> None:
    space: dict[str, Any] = {}
    exec("def f():\n    pass", space)
    for function in (space["f"], len, speedups.NotFound):
        with pytest.raises(speedups.NotFound):
            speedups.rewrite(function, lambda _tree: None)


def test_states_say_why_they_are_off() -> None:
    unknown = speedups.apply("9.9", frozenset())
    assert set(unknown) == set(speedups.SWITCHES)
    assert set(unknown.values()) == {"off: not verified with Kometa 9.9"}
    assert set(speedups.apply("2.4.4", frozenset({"all"})).values()) == {"off: by setting"}


def test_a_place_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("modules.mdblist", "modules.meta", "tenacity.nap"):
        monkeypatch.delitem(speedups.sys.modules, name, raising=False)  # type: ignore[attr-defined]
    states = speedups.apply("2.4.4", frozenset({"template_loop"}))
    assert states == {
        "mdblist_sleep": "off: modules.mdblist is not loaded",
        "retry_wait": "off: tenacity.nap is not loaded",
        "template_loop": "off: by setting",
    }
    broken = ModuleType("modules.meta")
    broken.DataFile = 3  # type: ignore[attr-defined]
    monkeypatch.setitem(speedups.sys.modules, "modules.meta", broken)  # type: ignore[attr-defined]
    assert speedups.apply("2.4.4", frozenset())["template_loop"].startswith("off: AttributeError")


def test_mdblist_does_not_wait_but_knows_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    module = ModuleType("modules.mdblist")
    module.time = time  # type: ignore[attr-defined]
    monkeypatch.setitem(speedups.sys.modules, "modules.mdblist", module)  # type: ignore[attr-defined]
    assert speedups.apply("2.4.4", frozenset({"retry_wait", "template_loop"}))["mdblist_sleep"] == "on"
    before = time.monotonic()
    module.time.sleep(30)
    assert module.time.monotonic() - before < 20
    assert time.sleep is not module.time.sleep
