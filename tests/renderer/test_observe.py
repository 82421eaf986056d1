"""Which overlay won: the same rules as Kometa's compile step, told apart by reason."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from renderer import observe
from renderer.protocol import Decoder
from renderer.report import Reporter


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

    def has_coordinates(self) -> bool:
        return self.at is not None

    def get_coordinates(self, _canvas: Any, _box: Any, new_cords: None = None) -> tuple[int, int]:
        assert self.at is not None
        return self.at

    def get_text_size(self, text: str) -> tuple[int, int, int, int]:
        return 0, 0, 10 * len(text), 12


def judged(final: list[str], queues: Any = None, **overlays: Overlay) -> tuple[list[Any], dict[str, str]]:
    applied, left_out = observe.judge(list(overlays), final, overlays, queues or {})
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


def test_the_strongest_blur_comes_first_and_alone() -> None:
    applied, left_out = judged(["p", "b1", "b2"], p=Overlay("P"), b1=Overlay("B1", "blur(20)"), b2=Overlay("B2", "blur(50)"))
    assert applied == [("b2", None), ("p", None)]
    assert left_out == {"b1": "outweighed B2"}


@pytest.mark.parametrize(
    ("overlay", "about"),
    [
        (Overlay("I", image=SimpleNamespace(size=(30, 20)), at=(5, 6)), {"kind": "image", "box": [5, 6, 30, 20]}),
        (Overlay("I", image=SimpleNamespace(size=(30, 20))), {"kind": "image"}),
        (Overlay("B", "backdrop", back_box=(-1, 200), at=(0, 9)), {"kind": "backdrop", "box": [0, 9, 1000, 200]}),
        (Overlay("T", "text(4K)", at=(1, 2)), {"kind": "text", "text": "4K", "box": [1, 2, 20, 12]}),
        (Overlay("T", "text(<<runtime>>)", at=(1, 2)), {"kind": "text", "text": "<<runtime>>"}),
        (Overlay("G", group="g", weight=4), {"kind": "image", "group": "g", "weight": 4}),
    ],
)
def test_descriptions(overlay: Overlay, about: dict[str, object]) -> None:
    described = observe.describe(overlay, (1000, 1500), 1)
    assert described == {"name": overlay.original_mapping_name, "order": 1, **about}


def told(compile_overlays: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[Any, list[dict[str, Any]]]:
    """Run a compile step under observation; its result and what was reported."""

    class Overlays:
        library = SimpleNamespace(name="Movies", url="http://plex-1.plex.invalid:32400", queues={})

    Overlays.compile_overlays = compile_overlays  # type: ignore[attr-defined]
    module = ModuleType("modules.overlays")
    module.Overlays = Overlays  # type: ignore[attr-defined]
    monkeypatch.setitem(observe.sys.modules, "modules.overlays", module)  # type: ignore[attr-defined]
    out, into = os.pipe()
    try:
        observe.install(Reporter(into, "job", 0, ""))
        result = Overlays().compile_overlays()  # type: ignore[attr-defined]
        return result, Decoder().feed(os.read(out, 10**6))
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


@pytest.mark.parametrize("result", [None, ("x", "y"), ({1: ()}, {}), ({"x": (None, [])}, {"a": object()})])
def test_an_unknown_shape_costs_the_report_only(result: object, monkeypatch: pytest.MonkeyPatch) -> None:
    got, messages = told(lambda _self: result, monkeypatch)
    assert got is result
    assert messages[-1]["text"].startswith("overlay reports are off: ")
