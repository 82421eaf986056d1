"""Files parsed ahead: each copy is handed out once, and only as long as it is what is on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from renderer import preload as preloading
from renderer.preload import GRANT, Preload


class Yaml:
    """As Kometa's class: parses in its constructor."""

    parsed: list[str]

    def __init__(
        self, path: Any = None, input_data: Any = None, check_empty: bool = False, create: bool = False, start_empty: bool = False
    ) -> None:
        type(self).parsed.append(str(path))
        self.path = path
        self.input_data = input_data
        self.flags = (check_empty, create, start_empty)
        text = input_data or (Path(path).read_text() if path else "")
        if text == "broken":
            raise ValueError(text)
        self.data = {"text": text, "in": [{"it": text}, 3]} if text else {}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "kometa" / "defaults").mkdir(parents=True)
    (tmp_path / "kometa" / "defaults" / "a.yml").write_text("a")
    (tmp_path / "own.yml").write_text("own")
    return tmp_path / "kometa"


@pytest.fixture
def owner() -> type[Yaml]:
    return type("YAML", (Yaml,), {"parsed": [], "__init__": Yaml.__init__})


def work(preload: Preload) -> int:
    """Does all that is to do; how many steps it took."""
    steps = 0
    while preload.step():
        steps += 1
    return steps


def test_a_file_is_parsed_ahead_and_handed_out_once(home: Path, owner: type[Yaml]) -> None:
    looked: list[Any] = []
    preload = Preload(home, looked.append)
    preload.attach(owner)
    path = str(home / "defaults" / "a.yml")
    assert owner(path=path).data["text"] == "a"
    assert preload.news() == [(path, "")]
    preload.want(json.loads(json.dumps(preload.news())))
    assert work(preload) == 1
    assert len(preload) == 1
    before = list(owner.parsed)
    first = owner(path=path, check_empty=True)
    assert owner.parsed == before, "not parsed again"
    assert (first.data["text"], first.path) == ("a", path)
    assert looked == [first.data]
    first.data["text"] = "changed by its reader"
    assert owner(path=path).data["text"] == "a"


def test_a_file_that_is_read_often_is_held_as_often(home: Path, owner: type[Yaml], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preloading, "MOST_COPIES", 4)
    preload = Preload(home)
    preload.attach(owner)
    path = str(home / "defaults" / "a.yml")
    preload.want([(path, "")] * 3)
    preload.want([(path, "")] * 3)
    assert work(preload) == 3, "two children of one run read it three times each"
    preload.want([(path, "")] * 3)
    assert work(preload) == 1
    before = list(owner.parsed)
    copies = [owner(path=path) for _ in range(4)]
    assert owner.parsed == before
    assert len({id(copy.data) for copy in copies}) == 4


def test_a_file_that_changed_is_parsed(home: Path, owner: type[Yaml]) -> None:
    preload = Preload(home)
    preload.attach(owner)
    file = home / "defaults" / "a.yml"
    preload.want([(str(file), "")])
    work(preload)
    file.write_text("another")
    assert owner(path=str(file)).data["text"] == "another"
    preload.want(preload.news())
    work(preload)
    before = list(owner.parsed)
    assert owner(path=str(file)).data["text"] == "another"
    assert owner.parsed == before, "the old copies are gone, the new one is at hand"


def test_a_users_file_is_known_by_its_text(home: Path, owner: type[Yaml], tmp_path: Path) -> None:
    run = Preload(home)
    run.attach(owner)
    config = tmp_path / "config.yml"
    config.write_text("token: first-grant")
    run.begin("first-grant")
    assert owner(path=str(config)).data["text"] == "token: first-grant"
    assert [text for _, text in run.news()] == [f"token: {GRANT}"]
    parent = Preload(home)
    parent.attach(owner)
    parent.want(run.news())
    assert work(parent) == 1
    elsewhere = tmp_path / "other.yml"
    elsewhere.write_text("token: second-grant")
    parent.begin("second-grant")
    before = list(owner.parsed)
    made = owner(path=str(elsewhere))
    assert owner.parsed == before
    assert (made.path, made.input_data) == (str(elsewhere), None)
    assert made.data == {"text": "token: second-grant", "in": [{"it": "token: second-grant"}, 3]}
    elsewhere.write_text("token: second-grant # edited")
    assert owner(path=str(elsewhere)).data["text"].endswith("# edited")


def test_texts_are_bounded(home: Path, owner: type[Yaml], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preloading, "MOST_TEXTS", 2)
    monkeypatch.setattr(preloading, "LONGEST", 20)
    preload = Preload(home)
    preload.attach(owner)
    preload.want([(f"name{number}", f"text {number}") for number in range(3)] + [("long", "x" * 21)])
    work(preload)
    preload.want([("name3", "text 3")])
    work(preload)
    assert len(preload) == 2
    (tmp_path / "long.yml").write_text("y" * 21)
    (tmp_path / "odd.yml").write_text(GRANT)
    for name in ("long.yml", "odd.yml"):
        assert owner(path=str(tmp_path / name)).data["text"]
    assert preload.news() == []


def test_odd_calls_and_odd_files_are_kometas(home: Path, owner: type[Yaml]) -> None:
    preload = Preload(home)
    preload.attach(owner)
    ours = str(home / "defaults" / "a.yml")
    preload.want([3, ("one",), (str(home / "gone.yml"), ""), ("broken", "broken"), (str(home.parent / "own.yml"), ""), (ours, "")])
    preload.want("no list")
    work(preload)
    assert len(preload) == 1
    assert owner(path=ours, create=True).flags == (False, True, False)
    assert owner(path=ours, start_empty=True).flags == (False, False, True)
    assert owner(path=None, input_data="x").data["text"] == "x"
    with pytest.raises(FileNotFoundError):
        owner(path=str(home / "gone.yml"))
    assert len(preload) == 1
    assert preload.news() == []


def test_a_link_out_of_kometa_is_a_users_file(home: Path, owner: type[Yaml]) -> None:
    link = home / "defaults" / "link.yml"
    link.symlink_to(home.parent / "own.yml")
    preload = Preload(home)
    preload.attach(owner)
    assert owner(path=str(link)).data["text"] == "own"
    assert [text for _, text in preload.news()] == ["own"]


def test_nothing_is_parsed_before_kometas_class_is_known(home: Path) -> None:
    preload = Preload(home)
    preload.want([(str(home / "defaults" / "a.yml"), "")])
    assert not preload.step()


def test_the_list_is_kept_for_the_next_worker(home: Path, owner: type[Yaml], tmp_path: Path) -> None:
    preload = Preload(home)
    preload.attach(owner)
    preload.want([(str(home / "defaults" / "a.yml"), "")] * 2 + [("name", "a user's text")])
    work(preload)
    preload.save(tmp_path / "files.json")
    preload.save(tmp_path / "no" / "directory.json")
    assert "user" not in (tmp_path / "files.json").read_text()
    later = Preload(home)
    later.attach(owner)
    later.load(tmp_path / "files.json")
    later.load(tmp_path / "missing.json")
    assert work(later) == 2
    assert len(later) == 2


def test_texts_are_bounded_by_their_length_too(home: Path, owner: type[Yaml], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Parsed, a text takes up to a hundred times its length: a worker must not grow with each edit of a long file."""
    monkeypatch.setattr(preloading, "MOST_CHARACTERS", 1000)
    preload = Preload(home)
    preload.attach(owner)
    for number in range(30):
        preload.want([(f"long {number}", f"{number:03}" * 100)] * 2)
        work(preload)
        assert len(preload) == 2, "each is held twice, and one fits"
    preload.want([("longest", "x" * 5000)])
    work(preload)
    assert len(preload) == 1, "the newest is held whatever its length"


def test_what_is_held_no_more_is_told(home: Path, owner: type[Yaml], monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was shown it may hold on to it."""
    monkeypatch.setattr(preloading, "MOST_TEXTS", 2)
    there: list[Any] = []
    preload = Preload(home, there.append, there.remove)
    preload.attach(owner)
    file = home / "defaults" / "a.yml"
    for number in range(6):
        file.write_text(f"version {number}")
        preload.want([(f"text {number}", f"text {number}"), (str(file), "")])
        work(preload)
    assert {data["text"] for data in there} == {"text 4", "version 5", "text 5"}
    assert len(there) == len(preload)
