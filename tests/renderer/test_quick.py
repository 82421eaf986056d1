"""A look ahead at a composite: handed on as Kometa saves it, and never in the way of what it saves."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import PIL.Image
import pytest

from renderer import quick, speedups
from renderer.report import Reporter
from renderer.source import NotFound

KOMETA = """
class Overlays:
    def __init__(self, library):
        self.library = library

    def run_overlays(self, items, canvas):
        for item in items:
            canvas.save(self.library.folder + "/temp.webp", quality=90)

    def elsewhere(self, canvas):
        canvas.save(self.library.folder + "/other.webp")
"""


class Heard(Reporter):
    def __init__(self) -> None:
        super().__init__(-1, "job", 0, "")
        self.told: list[tuple[str, dict[str, object]]] = []

    def send(self, kind: str, **fields: object) -> None:
        self.told.append((kind, fields))

    def log(self, level: str, text: str, source: str = "") -> None:
        self.send("log", level=level, text=text, source=source)


@pytest.fixture
def overlays(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    module = ModuleType("modules.overlays")
    exec(KOMETA, module.__dict__)
    monkeypatch.setitem(sys.modules, "modules.overlays", module)
    monkeypatch.setattr(PIL.Image.Image, "save", PIL.Image.Image.save)
    return module.Overlays(SimpleNamespace(url="http://plex-0.plex.invalid:32400", folder=str(tmp_path)))  # type: ignore[attr-defined]


def test_what_kometa_saves_is_handed_on_first(overlays: Any, tmp_path: Path) -> None:
    canvas = PIL.Image.linear_gradient("L").convert("RGB")
    canvas.save(tmp_path / "plain.webp", quality=90)
    heard = Heard()
    quick.install(heard, tmp_path)
    overlays.run_overlays([SimpleNamespace(ratingKey=101), SimpleNamespace(ratingKey="102")], canvas)
    assert heard.told == [("quick", {"server": "plex-0", "rating_key": key}) for key in (101, 102)]
    with PIL.Image.open(tmp_path / "quick" / "plex-0.101.jpg") as seen:
        assert (seen.format, seen.size) == ("JPEG", canvas.size)
    assert (tmp_path / "temp.webp").read_bytes() == (tmp_path / "plain.webp").read_bytes()


def test_transparent_and_other_pictures(overlays: Any, tmp_path: Path) -> None:
    heard = Heard()
    quick.install(heard, tmp_path)
    overlays.run_overlays([SimpleNamespace(ratingKey=1)], PIL.Image.new("RGBA", (20, 30), "red"))
    overlays.elsewhere(PIL.Image.new("RGB", (20, 30)))
    PIL.Image.new("RGB", (20, 30)).save(tmp_path / "mine.png")
    assert len(heard.told) == 1
    assert (tmp_path / "other.webp").exists()


def test_names_that_are_not_there_switch_it_off(overlays: Any, tmp_path: Path) -> None:
    heard = Heard()
    quick.install(heard, tmp_path)
    overlays.run_overlays([SimpleNamespace(key=1), SimpleNamespace(ratingKey=2)], PIL.Image.new("RGB", (20, 30)))
    assert [kind for kind, _ in heard.told] == ["log"], "said once, and no more tried"
    assert (tmp_path / "temp.webp").exists()


def test_without_kometas_step_nothing_is_changed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delitem(sys.modules, "modules.overlays", raising=False)
    before = PIL.Image.Image.save
    quick.install(Heard(), tmp_path)
    assert PIL.Image.Image.save is before
    with pytest.raises(NotFound):
        speedups._quick_pictures()


def test_the_place_is_known_by_its_names(overlays: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    speedups._quick_pictures()
    monkeypatch.setattr(sys.modules["modules.overlays"].Overlays, "run_overlays", lambda self: None)  # type: ignore[attr-defined]
    with pytest.raises(NotFound):
        speedups._quick_pictures()
