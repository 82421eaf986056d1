"""Speed-ups: found in one place or off; and the template loop gives what it gave."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from renderer import source, speedups
from renderer.report import Reporter
from renderer.source import NotFound
from renderer.warm import Kometa

OTHERS = {"template_memo", "plex_answers", "pictures", "yaml_preload", "pastes", "encode_beside", "quick_pictures", "log_relief"}


def applied(version: str, off: frozenset[str]) -> dict[str, str]:
    """Without what would change this process."""
    kometa = Kometa(home=Path("/nowhere"), script=Path("/nowhere"), code=compile("", "x", "exec"), version=version, preload="on")
    return speedups.apply(version, off | {"tls_stores", "pastes"}, kometa)


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


fast = source.rewrite(expand, source.leave_early)
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
    with pytest.raises(NotFound):
        source.leave_early(tree)
    assert ast.dump(tree) == before


def test_the_sure_place_is_found() -> None:
    tree = ast.parse(SHAPE.format(body=LOOP.format())).body[0]
    assert isinstance(tree, ast.FunctionDef)
    source.leave_early(tree)
    assert re.search(r"for i in range\(8\):\s+if '<<' not in str\(text\):\s+break", ast.unparse(tree))


def test_a_function_without_source_is_left_alone() -> None:
    space: dict[str, Any] = {}
    exec("def f():\n    pass", space)
    for function in (space["f"], len, NotFound):
        with pytest.raises(NotFound):
            source.rewrite(function, lambda _tree: None)


def test_states_say_why_they_are_off() -> None:
    unknown = applied("9.9", frozenset())
    assert set(unknown) == {*speedups.SWITCHES, *OTHERS}
    assert set(unknown.values()) == {"off: not verified with Kometa 9.9", "off: by setting"}
    assert set(applied("2.4.4", frozenset({"all"})).values()) == {"off: by setting"}


def test_a_place_that_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "modules.mdblist",
        "modules.meta",
        "modules.logs",
        "modules.plex",
        "modules.request",
        "modules.overlay",
        "modules.overlays",
        "tenacity.nap",
    ):
        monkeypatch.delitem(speedups.sys.modules, name, raising=False)  # type: ignore[attr-defined]
    assert applied("2.4.4", frozenset({"template_loop"})) == {
        "mdblist_sleep": "off: modules.mdblist is not loaded",
        "retry_wait": "off: tenacity.nap is not loaded",
        "template_loop": "off: by setting",
        "filter_choices": "off: modules.plex is not loaded",
        "title_probe": "off: modules.plex is not loaded",
        "tls_stores": "off: by setting",
        "plex_answers": "on",
        "pictures": "off: modules.overlay is not loaded",
        "pastes": "off: by setting",
        "encode_beside": "off: modules.overlays is not loaded",
        "template_memo": "off: modules.meta is not loaded",
        "yaml_preload": "off: modules.request has no YAML",
        "quick_pictures": "off: modules.overlays is not loaded",
        "log_relief": "off: modules.logs is not loaded",
    }
    broken = ModuleType("modules.meta")
    broken.DataFile = 3  # type: ignore[attr-defined]
    monkeypatch.setitem(speedups.sys.modules, "modules.meta", broken)  # type: ignore[attr-defined]
    assert applied("2.4.4", frozenset())["template_loop"].startswith("off: AttributeError")


def test_mdblist_does_not_wait_but_knows_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    import time

    module = ModuleType("modules.mdblist")
    module.time = time  # type: ignore[attr-defined]
    monkeypatch.setitem(speedups.sys.modules, "modules.mdblist", module)  # type: ignore[attr-defined]
    assert applied("2.4.4", frozenset({"retry_wait", "template_loop"}))["mdblist_sleep"] == "on"
    before = time.monotonic()
    module.time.sleep(30)
    assert module.time.monotonic() - before < 20
    assert time.sleep is not module.time.sleep


class Section:
    """A library as modules.plex has one; counts what it is asked."""

    def __init__(self, titles: list[str]) -> None:
        self.titles = titles
        self.asked: list[str] = []

    def get_tags(self, tag: Any) -> list[str]:
        self.asked.append(f"tags {tag}")
        return [f"{tag}-{number}" for number in range(3)]

    def search(self, title: str | None = None, libtype: str | None = None) -> list[Any]:
        self.asked.append(f"search {title} {libtype}")
        return [SimpleNamespace(title=one) for one in self.titles if title is None or title.casefold() in one.casefold()]

    def get_collection(self, data: Any, force_search: bool = False, debug: bool = True) -> Any:
        for found in self.search(title=str(data), libtype="collection"):
            if found.title.casefold() == str(data).casefold():
                return found
        raise LookupError(data)


@pytest.fixture
def plex(monkeypatch: pytest.MonkeyPatch) -> type:
    owner = type("Plex", (Section,), {name: getattr(Section, name) for name in ("get_tags", "search", "get_collection")})
    module = ModuleType("modules.plex")
    module.Plex, module.Failed = owner, LookupError  # type: ignore[attr-defined]
    monkeypatch.setitem(speedups.sys.modules, "modules.plex", module)  # type: ignore[attr-defined]
    states = applied("2.4.4", frozenset())
    assert (states["filter_choices"], states["title_probe"]) == ("on", "on")
    return owner


def test_filter_choices_are_read_once_per_library(plex: type) -> None:
    one, two = plex([]), plex([])
    first = one.get_tags("genre")
    first.append("changed by its reader")
    assert one.get_tags("genre") == two.get_tags("genre") == ["genre-0", "genre-1", "genre-2"]
    assert (one.asked, two.asked) == (["tags genre"], ["tags genre"])
    field = object()
    one.get_tags(field)
    one.get_tags(field)
    assert len(one.asked) == 3, "what is no name is asked each time"


@given(
    titles=st.lists(st.sampled_from(["Alpha", "alphabet", "BETA", "gamma ray"])),
    wanted=st.lists(st.sampled_from(["ALPHA", "beta", "Delta"]), max_size=30),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_collections_are_found_as_before(plex: type, titles: list[str], wanted: list[str]) -> None:
    fast, slow = plex(titles), Section(titles)

    def found(section: Any, title: str) -> str | None:
        try:
            return str(section.get_collection(title, force_search=True).title)
        except LookupError:
            return None

    assert [found(fast, title) for title in wanted] == [found(slow, title) for title in wanted]
    assert sum(question == "search None collection" for question in fast.asked) == (len(wanted) > speedups.PROBES)


def test_relieved_logs_keep_what_says_something(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import logging
    import logging.handlers

    said: list[str] = []
    sent: list[tuple[str, str, int]] = []

    class MyLogger:
        secrets = ("hush",)

        def info(self, msg: Any, *_args: Any) -> None:
            said.append(str(msg))

        debug = info
        _log = info

        def stacktrace(self, trace: bool = False) -> None:
            said.append(f"stack {trace}")

    class Sent(Reporter):
        def line(self, message: str, path: str, number: int) -> None:
            sent.append((message, path, number))

    module = ModuleType("modules.logs")
    module.MyLogger = MyLogger  # type: ignore[attr-defined]
    monkeypatch.setitem(speedups.sys.modules, "modules.logs", module)  # type: ignore[attr-defined]
    monkeypatch.setattr(logging.handlers.RotatingFileHandler, "emit", logging.handlers.RotatingFileHandler.emit)
    monkeypatch.setattr(logging.Logger, "addHandler", logging.Logger.addHandler)
    speedups.relieve(Sent(-1, "job", 0, ""))
    handler = logging.handlers.RotatingFileHandler(tmp_path / "meta.log", delay=True)
    logging.getLogger("relieved").addHandler(handler)
    assert (tmp_path / "meta.log").read_text() == "", "Kometa opens it at its end, whatever was said"
    handler.close()
    logging.getLogger("relieved").removeHandler(handler)
    space: dict[str, Any] = {}
    exec(compile("def say(logger, *what):\n    logger.info(*what)\n", "/kometa/who.py", "exec"), space)
    for what in (("",), ("|====|",), ("| Overlays |",), ("plain hush",), ("with %s", "more"), ("two\nlines",)):
        space["say"](MyLogger(), *what)
    MyLogger().debug("nobody is sent this")
    MyLogger().stacktrace()
    MyLogger().stacktrace(trace=True)
    assert sent == [("| Overlays |", "/kometa/who.py", 2), ("plain (redacted)", "/kometa/who.py", 2)]
    assert said == ["with %s", "two\nlines", "stack True"], "what needs Kometa's own treatment gets it"


def test_certificates_are_not_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    import ssl

    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", ssl.SSLContext.load_default_certs)
    speedups.SWITCHES["tls_stores"]()
    assert ssl.create_default_context().cert_store_stats()["x509"] == 0


def test_the_log_file_is_there_and_empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import logging.handlers

    monkeypatch.setattr(logging.handlers.RotatingFileHandler, "emit", speedups._open_only)
    handler = logging.handlers.RotatingFileHandler(tmp_path / "meta.log", delay=True)
    for _ in range(2):
        handler.handle(logging.LogRecord("x", logging.INFO, "x", 1, "text", (), None))
    handler.close()
    assert (tmp_path / "meta.log").read_text() == ""
