"""Which overlay won: the same rules as Kometa's compile step, told apart by reason."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from renderer import observe
from renderer.protocol import Decoder
from renderer.report import Reporter
from renderer.weigh import judge
from tests.renderer.talk import unfold


@dataclass
class Overlay:
    """As much of Kometa's Overlay as is read."""

    original_mapping_name: str
    name: str = "image"
    keys: list[int] = field(default_factory=list)
    suppress: list[str] = field(default_factory=list)
    group: str | None = None
    weight: int | None = None
    queue: int | None = None
    queue_name: str | None = None
    image: Any = None
    back_box: Any = None
    at: tuple[int, int] | None = None
    addon_position: str = "left"
    addon_offset: int = 5

    def has_coordinates(self) -> bool:
        return self.at is not None

    def get_coordinates(self, _canvas: Any, _box: Any, new_cords: None = None) -> tuple[int, int]:
        assert self.at is not None
        return self.at

    def get_text_size(self, text: str) -> tuple[int, int, int, int]:
        return 0, 0, 10 * len(text), 12


def judged(final: list[str], queues: Any = None, **overlays: Overlay) -> tuple[list[Any], dict[str, str]]:
    applied, left_out = judge(list(overlays), final, overlays, queues or {})
    return applied, {name: f"{why['reason']} {why['by']}".strip() for name, why in left_out}


def test_suppressed_and_outweighed() -> None:
    applied, left_out = judged(
        ["a", "d"],
        a=Overlay("A", suppress=["b"]),
        b=Overlay("B"),
        c=Overlay("C", group="g", weight=1),
        d=Overlay("D", group="g", weight=2),
        e=Overlay("E"),
    )
    assert applied == [("a", None), ("d", None)]
    assert left_out == {"b": "suppressed A", "c": "outweighed D", "e": "left out"}


def test_queues_take_the_heaviest_into_their_places() -> None:
    overlays = {str(w): Overlay(str(w), queue=1, queue_name="q", weight=w) for w in (10, 30, 20)}
    applied, left_out = judged(["10", "30", "20", "p"], {1: ["first", "second"]}, **overlays, p=Overlay("P"))
    assert applied == [("p", None), ("30", "first"), ("20", "second")]
    assert left_out == {"10": "queue full q"}


def test_after_one_that_takes_out_a_name_before_it_the_next_is_not_asked() -> None:
    applied, left_out = judged(
        ["b", "c", "d"], a=Overlay("A"), b=Overlay("B", suppress=["a"]), c=Overlay("C", suppress=["d"]), d=Overlay("D", suppress=["x"])
    )
    assert applied == [("b", None), ("c", None), ("d", None)]
    assert left_out == {"a": "suppressed B"}


def test_of_equals_the_first_stays() -> None:
    overlays = {name: Overlay(name.upper(), group="g", weight=weight) for name, weight in (("a", 1), ("b", 2), ("c", 2))}
    assert judged(["b"], **overlays) == ([("b", None)], {"a": "outweighed B", "c": "outweighed B"})


def test_equal_weights_in_a_queue_cost_the_whole_item() -> None:
    overlays = {name: Overlay(name.upper(), queue=1, queue_name="q", weight=7) for name in "ab"}
    applied, left_out = judged(["a", "b", "p"], {1: ["first", "second"]}, **overlays, p=Overlay("P"))
    assert [name for name, _ in applied] == ["a", "b", "p"], "what it attempted"
    assert left_out == dict.fromkeys("ab", "equal weights in a queue q")


def test_the_strongest_blur_comes_first_and_alone() -> None:
    applied, left_out = judged(["p", "b1", "b2"], p=Overlay("P"), b1=Overlay("B1", "blur(20)"), b2=Overlay("B2", "blur(50)"))
    assert applied == [("b2", None), ("p", None)]
    assert left_out == {"b1": "outweighed B2"}


@pytest.mark.parametrize(
    ("overlay", "about"),
    [
        (Overlay("I", image=SimpleNamespace(size=(30, 20)), at=(5, 6)), {"kind": "image", "box": [5, 6, 30, 20]}),
        (Overlay("I", image=SimpleNamespace(size=(30, 20))), {"kind": "image", "box": [0, 0, 1000, 1500]}),
        (Overlay("I", image=SimpleNamespace(size=(30, 20)), back_box=(50, -1), at=(5, 6)), {"kind": "image", "box": [5, 6, 50, 20]}),
        (Overlay("U", "blur(20)"), {"kind": "blur"}),
        (Overlay("B", "backdrop", back_box=(-1, 200), at=(0, 9)), {"kind": "backdrop", "box": [0, 9, 1000, 200]}),
        (Overlay("T", "text(4K)", at=(1, 2)), {"kind": "text", "text": "4K", "box": [1, 2, 20, 12]}),
        (Overlay("T", "text(<<runtime>>)", at=(1, 2)), {"kind": "text", "text": "<<runtime>>"}),
        (
            Overlay("T", "text(4K)", image=SimpleNamespace(size=(30, 20)), at=(1, 2)),
            {"kind": "text", "text": "4K", "box": [1, 2, 55, 20]},
        ),
        (
            Overlay("T", "text(4K)", image=SimpleNamespace(size=(30, 20)), at=(1, 2), addon_position="top"),
            {"kind": "text", "text": "4K", "box": [1, 2, 30, 37]},
        ),
        (Overlay("G", "blur(1)", group="g", weight=4), {"kind": "blur", "group": "g", "weight": 4}),
    ],
)
def test_descriptions(overlay: Overlay, about: dict[str, object]) -> None:
    described = observe.describe(overlay, (1000, 1500), 1)
    assert described == {"name": overlay.original_mapping_name, "order": 1, **about}


def told(
    compile_overlays: Any, monkeypatch: pytest.MonkeyPatch, then: Callable[[], None] = lambda: None
) -> tuple[Any, list[dict[str, Any]]]:
    """Run a compile step under observation, and ``then``; its result and what was reported."""

    class Overlays:
        library = SimpleNamespace(name="Movies", url="http://plex-1.plex.invalid:32400", queues={})

    Overlays.compile_overlays = compile_overlays  # type: ignore[attr-defined]
    module = ModuleType("modules.overlays")
    module.Overlays = Overlays  # type: ignore[attr-defined]
    monkeypatch.setitem(observe.sys.modules, "modules.overlays", module)  # type: ignore[attr-defined]
    out, into = os.pipe()
    try:
        reporter = Reporter(into, "job", 0, "")
        observe.install(reporter)
        result = Overlays().compile_overlays()  # type: ignore[attr-defined]
        then()
        reporter.flush()
        return result, unfold(Decoder().feed(os.read(out, 10**6)))
    finally:
        os.close(out)
        os.close(into)


def test_a_compile_step_is_reported_and_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    properties = {"a": Overlay("A", keys=[7, 8], suppress=["b"]), "b": Overlay("B", keys=[7])}
    keys = {7: (SimpleNamespace(type="movie"), ["a"]), 8: (SimpleNamespace(type="episode"), ["a"])}
    result, messages = told(lambda _self: (keys, properties), monkeypatch)
    assert result[0] is keys
    assert result[1] is properties
    phase, first, second = messages
    assert (phase["type"], phase["name"], phase["detail"]) == ("phase", "compile", "Movies")
    assert (first["type"], first["server"], first["rating_key"]) == ("overlays", "plex-1", 7)
    assert [entry["name"] for entry in first["applied"]] == ["A"]
    assert [(entry["name"], entry["reason"], entry["by"]) for entry in first["left_out"]] == [("B", "suppressed", "A")]
    assert second["rating_key"] == 8


def test_what_a_text_comes_to_is_told_when_it_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its words and box; and of one that is not drawn, that it has no value."""
    year, stars = Overlay("Year", "text(<<y>>)", keys=[7], at=(3, 4)), Overlay("Stars", "text(<<s>>)", keys=[7], at=(0, 0))
    fixed = Overlay("Fixed", "text(4K)", keys=[7], at=(0, 0))
    properties = {"y": year, "s": stars, "f": fixed}
    item = SimpleNamespace(type="movie", ratingKey=7)

    class Drawn(Overlay):
        def get_backdrop(self, canvas_box: Any, box: Any = None, text: Any = None, new_cords: Any = None) -> tuple[Any, ...]:
            return canvas_box, box, text, new_cords

    class Plex:
        def upload_poster(self, item: Any, image: str, url: bool = False) -> str:
            return f"{item.ratingKey} {image} {url}"

    module, plex = ModuleType("modules.overlay"), ModuleType("modules.plex")
    module.get_canvas_size = lambda _item: (1000, 1500)  # type: ignore[attr-defined]
    module.Overlay, plex.Plex = Drawn, Plex  # type: ignore[attr-defined]
    monkeypatch.setitem(observe.sys.modules, "modules.overlay", module)  # type: ignore[attr-defined]
    monkeypatch.setitem(observe.sys.modules, "modules.plex", plex)  # type: ignore[attr-defined]

    def run(_self: Any) -> Any:
        return {7: (item, ["y", "s", "f"])}, properties

    def draw() -> None:
        assert module.get_canvas_size(item) == (1000, 1500)
        assert Drawn.get_backdrop(year, (1000, 1500), text="2024") == ((1000, 1500), None, "2024", None)  # type: ignore[arg-type]
        assert Plex().upload_poster(item, "p.png", url=False) == "7 p.png False"
        Plex().upload_poster(SimpleNamespace(ratingKey=8), "other.png")

    _, messages = told(run, monkeypatch, draw)
    _, first, second = messages
    assert [entry["name"] for entry in first["applied"]] == ["Year", "Stars", "Fixed"]
    assert "box" not in first["applied"][0]
    assert [(entry["name"], entry["order"]) for entry in second["applied"]] == [("Year", 1), ("Fixed", 2)]
    assert (second["applied"][0]["text"], second["applied"][0]["box"]) == ("2024", [3, 4, 40, 12])
    assert [(entry["name"], entry["reason"]) for entry in second["left_out"]] == [("Stars", "no value")]


@pytest.mark.parametrize("result", [None, ("x", "y"), ({1: ()}, {}), ({"x": (None, [])}, {"a": object()})])
def test_an_unknown_shape_costs_the_report_only(result: object, monkeypatch: pytest.MonkeyPatch) -> None:
    got, messages = told(lambda _self: result, monkeypatch)
    assert got is result
    assert messages[-1]["text"].startswith("overlay reports are off: ")
