"""From overlay files to what is drawn on an item: problems with their places, groups, queues, suppression, missing values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from sidecar.engine.draft.compiled import compile_library, kind_of
from sidecar.engine.draft.decide import Decision, decide
from sidecar.engine.draft.resources import Shelf
from sidecar.model import FrozenFile, Level, LibraryPlan, Problem, Severity
from tests.engine_draft import cases
from tests.engine_draft.drawing import NOW, compiled, facts, font_bytes, gradient

HERE = {"horizontal_offset": 0, "vertical_offset": 0}
BOX = {"name": "backdrop", "back_color": "#000", **HERE}
SLOT = {"horizontal_align": "left", "horizontal_offset": 0, "vertical_align": "top", "vertical_offset": 0}


def from_text(root: Path, text: str, **entry: Any) -> list[Problem]:
    (root / "config").mkdir(exist_ok=True)
    (root / "config" / "own.yml").write_text(text, encoding="utf-8")
    config = {"libraries": {"L": {"overlay_files": [{"file": "config/own.yml", **entry}]}}}
    return compile_library(config, LibraryPlan(name="L", key="L"), "movie", Shelf(root), NOW).problems


def on_movie(root: Path, overlays: dict[str, Any], **file: Any) -> Decision:
    gradient((40, 20), "RGBA").save(root / "a.png")
    return decide(compiled(root, overlays, **file), facts(cases.MOVIE))


def names(about: tuple[Any, ...]) -> list[str]:
    return [str(one["name"]) for one in about]


def reasons(decision: Decision) -> dict[str, tuple[str, str]]:
    return {str(one["name"]): (str(one["reason"]), str(one["by"])) for one in decision.left_out}


def test_problems_name_the_line_of_the_attribute(tmp_path: Path) -> None:
    problems = from_text(
        tmp_path,
        """overlays:
  elsewhere:
    plex_all: true
    overlay:
      name: x
      url: https://example.org/x.png
  listed:
    imdb_list: ls000000000
    overlay:
      name: backdrop
      back_color: "#000"
  wrong:
    plex_all: true
    overlay:
      name: text(x)
      horizontal_offset: 0
      vertical_offset: 0
      font_color: "#GGGGGG"
  odd:
    plex_all: true
    overlay: {name: backdrop, back_color: red, back_colour: blue}
  empty:
""",
    )
    found = {(problem.line, problem.severity): problem.what for problem in problems if "font" not in problem.what or problem.line == 18}
    assert {problem.file for problem in problems} == {"own.yml"}
    assert found[6, Severity.WARNING].startswith("Kometa will draw this; the draft cannot: url (overlay 'elsewhere'")
    assert found[8, Severity.WARNING].startswith("Kometa will draw this; the draft cannot: imdb_list (overlay 'listed'")
    assert found[18, Severity.ERROR].startswith("overlay 'wrong': font_color")
    assert "'back_colour'" in found[21, Severity.WARNING]
    assert found[22, Severity.ERROR].startswith("overlay 'empty'")
    assert len(problems) == 5


@pytest.mark.parametrize(
    ("text", "line", "severity", "what"),
    [
        ("overlays:\n  a: [\n", 3, Severity.ERROR, "YAML"),
        ("templates: {}\n", None, Severity.ERROR, "overlays"),
        ("overlays: {a: {plex_all: true}}\nqueues:\n  q:\n    settings: {}\n", 3, Severity.WARNING, "queues.q.settings"),
        ("overlays: {a: {plex_all: true}}\nqueues:\n  q: [{horizontal_offset: 1}]\n", 3, Severity.ERROR, "queues.q"),
        ("overlays: {a: {plex_all: true}}\nqueues:\n  q: 5\n", 3, Severity.ERROR, "queues.q"),
    ],
)
def test_a_file_that_cannot_be_read_is_one_problem(tmp_path: Path, text: str, line: int | None, severity: Severity, what: str) -> None:
    (problem,) = from_text(tmp_path, text)
    assert (problem.line, problem.severity, problem.file) == (line, severity, "own.yml")
    assert what in problem.what


def test_entries_that_are_kometas_own_are_named(tmp_path: Path) -> None:
    (tmp_path / "config" / "more").mkdir(parents=True)
    for name in ("b.yml", "a.yml", "c.yaml"):
        (tmp_path / "config" / "more" / name).write_text(f"overlays: {{{name[0]}: {{plex_all: true, overlay: {BOX!r}}}}}", encoding="utf-8")
    entries = [{"default": "resolution"}, {"folder": "config/more"}, {"file": "config/none.yml"}, {"url": "u"}, {"folder": "config/void"}]
    config = {"libraries": {"L": {"overlay_files": entries}}}
    result = compile_library(config, LibraryPlan(name="L", key="L"), "movie", Shelf(tmp_path), NOW)
    assert [definition.name for definition in result.definitions] == ["a", "b", "c"]
    what = [problem.what for problem in result.problems]
    assert len(what) == 4
    assert "default: resolution" in what[0]
    assert "config/none.yml" in what[1]
    assert "url: u" in what[2]
    assert "config/void" in what[3]


def test_files_are_found_by_where_they_were_read(tmp_path: Path) -> None:
    gradient((8, 8)).save(tmp_path / "frozen.png")
    frozen = FrozenFile(path="frozen.png", sha256="", size=1, origin=Path("/elsewhere/x.png"), role="image")
    shelf = Shelf(tmp_path, (frozen,))
    assert shelf.find("/elsewhere/x.png") == tmp_path / "frozen.png"
    assert shelf.find("/elsewhere/y.png") is None
    outside = tmp_path.parent / "outside.png"
    gradient((8, 8)).save(outside)
    assert shelf.find("../outside.png") is None


def test_settings_of_the_library_win(tmp_path: Path) -> None:
    library = {"settings": {"overlay_artwork_filetype": "jpg"}}
    general = {"overlay_artwork_filetype": "png", "overlay_artwork_quality": 55}

    def settled(**config: Any) -> tuple[str, int, int]:
        result = compile_library(config, LibraryPlan(name="L", key="L"), "movie", Shelf(tmp_path), NOW)
        return result.filetype, result.quality, len(result.problems)

    assert settled(libraries={"L": library}, settings=general) == ("jpg", 55, 0)
    assert settled(libraries={"L": None}, settings={"overlay_artwork_filetype": "webp"}) == ("webp_lossy", 90, 0)
    assert settled(settings={"overlay_artwork_filetype": "gif", "overlay_artwork_quality": 101}) == ("webp_lossy", 90, 2)


def test_a_librarys_type_is_its_targets() -> None:
    assert kind_of([Level.MOVIE]) == "movie"
    assert kind_of([Level.SEASON, Level.EPISODE]) == "show"


def test_fonts(tmp_path: Path) -> None:
    (tmp_path / "kometa" / "fonts").mkdir(parents=True)
    (tmp_path / "kometa" / "fonts" / "Own.ttf").write_bytes(font_bytes())
    (tmp_path / "broken.ttf").write_bytes(b"no font")
    text = {"name": "text(x)", **HERE}

    def result(home: Path | None, **more: Any) -> tuple[list[str], list[str]]:
        (tmp_path / "config").mkdir(exist_ok=True)
        (tmp_path / "config" / "own.yml").write_text(f"overlays: {{a: {{plex_all: true, overlay: {text | more!r}}}}}", encoding="utf-8")
        config = {"libraries": {"L": {"overlay_files": [{"file": "config/own.yml"}]}}}
        made = compile_library(config, LibraryPlan(name="L", key="L"), "movie", Shelf(tmp_path, (), home), NOW)
        return [definition.font for definition in made.definitions], [problem.what for problem in made.problems]

    for written in ("Own.ttf", "fonts/Own.ttf"):
        assert result(tmp_path / "kometa", font=written) == ([str(tmp_path / "kometa" / "fonts" / "Own.ttf")], [])
    fonts, what = result(None, font="fonts/Own.ttf")
    assert fonts == [""]
    assert "built-in font" in what[0]
    assert "Roboto-Medium" in result(tmp_path / "kometa")[1][0]
    assert result(None, font="broken.ttf")[0] == []


def test_a_broken_image_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    Image.new("RGB", (10, 2)).save(tmp_path / "thin.png")
    overlays = {
        name: {"plex_all": True, "overlay": {"name": name, **overlay}}
        for name, overlay in {"none": {}, "broken": {"file": "broken.png"}, "thin": {"file": "thin.png", "scale_width": 3}}.items()
    }
    made = compiled(tmp_path, overlays)
    assert made.definitions == []
    assert [problem.severity for problem in made.problems] == [Severity.ERROR] * 3


def test_the_order_of_definitions_is_the_order_of_layers(tmp_path: Path) -> None:
    decision = on_movie(
        tmp_path,
        {
            "text": {"plex_all": True, "overlay": {"name": "text(<<title>> <<runtimeH>>h)", **HERE}},
            "blur": {"plex_all": True, "overlay": {"name": "blur(3)"}},
            "more": {"plex_all": True, "overlay": {"name": "blur(9)"}},
            "other": {"plex_all": True, "filters": {"year": 1}, "overlay": BOX},
            "box": {"plex_all": True, "overlay": BOX},
        },
    )
    assert decision.order is not None
    assert decision.order.blur == 9
    assert [layer.key for layer in decision.order.layers] == ["text", "box"]
    assert decision.order.layers[0].text == "Heat 2h"
    assert names(decision.applied) == ["more", "text", "box"]
    assert [one["order"] for one in decision.applied] == [1, 2, 3]
    assert reasons(decision) == {"blur": ("outweighed", "more")}


def test_groups_and_suppression(tmp_path: Path) -> None:
    decision = on_movie(
        tmp_path,
        {
            "light": {"plex_all": True, "overlay": {**BOX, "group": "g", "weight": 1}},
            "heavy": {"plex_all": True, "overlay": {**BOX, "group": "g", "weight": 5}, "suppress_overlays": ["plain"]},
            "plain": {"plex_all": True, "overlay": BOX},
            "equal": {"plex_all": True, "overlay": {**BOX, "group": "g", "weight": 5}},
        },
    )
    assert names(decision.applied) == ["heavy"]
    assert reasons(decision) == {"plain": ("suppressed", "heavy"), "light": ("outweighed", "heavy"), "equal": ("outweighed", "heavy")}


def test_an_overlay_beyond_the_draft_keeps_its_place_in_group_and_queue(tmp_path: Path) -> None:
    decision = on_movie(
        tmp_path,
        {
            "light": {"plex_all": True, "overlay": {**BOX, "group": "g", "weight": 1}},
            "heavy": {"plex_all": True, "overlay": {"name": "x", "url": "u", "group": "g", "weight": 5}},
            "first": {"plex_all": True, "overlay": {"name": "x", "url": "u", "queue": "q", "weight": 9}},
            "second": {"plex_all": True, "overlay": {"name": "x", "file": "a.png", "queue": "q", "weight": 8}},
        },
        queues={"q": [SLOT, {"vertical_offset": 70}]},
    )
    assert names(decision.applied) == ["second"]
    assert decision.order is not None
    assert decision.order.layers[0].slot is not None
    assert decision.order.layers[0].slot.vertical_offset == 70
    assert decision.beyond == ("heavy", "first")
    assert reasons(decision)["light"] == ("outweighed", "heavy")


def test_an_unknown_builder_may_outweigh_and_is_said_to(tmp_path: Path) -> None:
    overlays = {
        "light": {"plex_all": True, "overlay": {**BOX, "group": "g", "weight": 1}},
        "heavy": {"imdb_chart": "top", "overlay": {**BOX, "group": "g", "weight": 5}},
    }
    decision = on_movie(tmp_path, overlays)
    assert names(decision.applied) == ["light"]
    assert decision.beyond == ("heavy",)
    (problem,) = compiled(tmp_path, overlays).problems
    assert "others of the group 'g' may stand in its place" in problem.what


def test_an_item_of_which_the_draft_knows_no_overlay_is_not_drawn(tmp_path: Path) -> None:
    assert on_movie(tmp_path, {"a": {"plex_all": True, "overlay": {"name": "x", "url": "u"}}}).order is None
    assert on_movie(tmp_path, {"a": {"plex_search": {"all": {"year": 1}}, "overlay": BOX}}).order is None


def test_queues_fill_up(tmp_path: Path) -> None:
    image = {"name": "x", "file": "a.png", "queue": "q"}
    overlays = {f"w{weight}": {"plex_all": True, "overlay": {**image, "weight": weight}} for weight in (1, 3, 2)}
    decision = on_movie(tmp_path, overlays, queues={"q": [SLOT, {}]})
    assert names(decision.applied) == ["w3", "w2"]
    assert reasons(decision) == {"w1": ("queue full", "q")}


@pytest.mark.parametrize(
    ("weights", "queue", "why"),
    [((1, 1), [SLOT, SLOT], "same weight"), ((1, 2), [{**SLOT, "horizontal_offset": "5%"}], "percentage")],
)
def test_what_makes_kometa_fail_on_the_item_fails(tmp_path: Path, weights: tuple[int, int], queue: list[Any], why: str) -> None:
    overlays = {
        f"n{number}": {"plex_all": True, "overlay": {"name": "x", "file": "a.png", "queue": "q", "weight": weight}}
        for number, weight in enumerate(weights)
    }
    decision = on_movie(tmp_path, overlays, queues={"q": queue})
    assert why in decision.failed
    assert decision.order is None
    assert decision.applied == ()


def test_missing_values_leave_the_overlay_out(tmp_path: Path) -> None:
    made = compiled(tmp_path, {"a": {"plex_all": True, "overlay": {"name": "text(<<edition>>)", **HERE}}})
    decision = decide(made, facts('<Video title="x"/>'))
    assert decision.order is not None
    assert decision.order.layers == ()
    assert reasons(decision) == {"a": ("no value", "edition")}


@pytest.mark.parametrize("variable", ["imdb_rating", "mdb_rating%", "total_runtime", "versionsW"])
def test_variables_from_elsewhere_are_beyond_the_draft(tmp_path: Path, variable: str) -> None:
    decision = on_movie(tmp_path, {"a": {"plex_all": True, "overlay": {"name": f"text(<<{variable}>>)", **HERE}}})
    assert decision.order is None
    assert decision.beyond == ("a",)


def test_run_definition_and_levels(tmp_path: Path) -> None:
    def kept(kind: str, **definition: Any) -> list[str]:
        made = compiled(tmp_path, {"a": {"plex_all": True, "overlay": BOX, **definition}}, kind)
        return [one.level for one in made.definitions]

    assert kept("movie", run_definition=False) == []
    assert kept("movie", run_definition="show") == []
    assert kept("show", run_definition="true, show") == ["show"]
    assert kept("movie", builder_level="episode") == ["movie"]
    assert kept("show", overlay_level="Season") == ["season"]
    assert kept("show", builder_level="album") == []


@pytest.mark.parametrize(
    ("definition", "severity"),
    [
        ({"overlay": BOX}, Severity.ERROR),
        ({"plex_all": None, "overlay": BOX}, Severity.ERROR),
        ({"plex_all": True, "limit": 3, "overlay": BOX}, Severity.WARNING),
        ({"plex_all": True, "overlay": {"name": "x", "queue": "none", "weight": 1}}, Severity.ERROR),
        ({"template": {"name": "none"}, "overlay": BOX}, Severity.WARNING),
    ],
)
def test_definitions_that_cannot_be_drawn(tmp_path: Path, definition: dict[str, Any], severity: Severity) -> None:
    made = compiled(tmp_path, {"a": definition})
    assert [problem.severity for problem in made.problems] == [severity]
    assert decide(made, facts(cases.MOVIE)).order is None
