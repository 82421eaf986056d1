"""Kometa's own files, parsed ahead: each is handed out once, and only as long as it is what is on disk."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from renderer.preload import Preload


class Yaml:
    """As Kometa's class: parses in its constructor."""

    parsed: list[str]

    def __init__(
        self, path: Any = None, input_data: Any = None, check_empty: bool = False, create: bool = False, start_empty: bool = False
    ) -> None:
        type(self).parsed.append(str(path))
        self.path = path
        self.flags = (input_data, check_empty, create, start_empty)
        self.data = {"text": Path(path).read_text()} if path else {}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "kometa" / "defaults").mkdir(parents=True)
    (tmp_path / "kometa" / "defaults" / "a.yml").write_text("a")
    (tmp_path / "own.yml").write_text("own")
    return tmp_path / "kometa"


@pytest.fixture
def owner() -> type[Yaml]:
    return type("YAML", (Yaml,), {"parsed": [], "__init__": Yaml.__init__})


def test_a_file_is_parsed_ahead_and_handed_out_once(home: Path, owner: type[Yaml]) -> None:
    looked: list[Any] = []
    preload = Preload(home, looked.append)
    preload.attach(owner)
    path = str(home / "defaults" / "a.yml")
    assert owner(path=path).data == {"text": "a"}
    assert preload.news() == [path]
    preload.want(preload.news())
    assert preload.step()
    assert not preload.step()
    assert len(preload) == 1
    before = list(owner.parsed)
    first = owner(path=path, check_empty=True)
    assert owner.parsed == before, "not parsed again"
    assert (first.data, first.path) == ({"text": "a"}, path)
    assert looked == [first.data]
    first.data["text"] = "changed by its reader"
    assert owner(path=path).data == {"text": "a"}


def test_a_file_that_changed_is_parsed(home: Path, owner: type[Yaml]) -> None:
    preload = Preload(home)
    preload.attach(owner)
    file = home / "defaults" / "a.yml"
    preload.want([str(file)])
    preload.step()
    file.write_text("another")
    assert owner(path=str(file)).data == {"text": "another"}


def test_the_users_files_and_odd_calls_are_left_alone(home: Path, owner: type[Yaml]) -> None:
    preload = Preload(home)
    preload.attach(owner)
    own, ours = str(home.parent / "own.yml"), str(home / "defaults" / "a.yml")
    preload.want([own, 3, str(home / "gone.yml"), ours])
    preload.want("no list")
    while preload.step():
        pass
    assert len(preload) == 1
    assert owner(path=own).data == {"text": "own"}
    assert owner(path=ours, create=True).flags == (None, False, True, False)
    assert owner(path=ours, start_empty=True).flags == (None, False, False, True)
    assert owner(path=None, input_data="x").data == {}
    assert len(preload) == 1
    assert preload.news() == []


def test_a_link_out_of_kometa_is_not_followed(home: Path, owner: type[Yaml]) -> None:
    link = home / "defaults" / "link.yml"
    link.symlink_to(home.parent / "own.yml")
    preload = Preload(home)
    preload.attach(owner)
    assert owner(path=str(link)).data == {"text": "own"}
    assert preload.news() == []


def test_nothing_is_parsed_before_kometas_class_is_known(home: Path) -> None:
    preload = Preload(home)
    preload.want([str(home / "defaults" / "a.yml")])
    assert not preload.step()


def test_the_list_is_kept_for_the_next_worker(home: Path, owner: type[Yaml], tmp_path: Path) -> None:
    preload = Preload(home)
    preload.attach(owner)
    preload.want([str(home / "defaults" / "a.yml")])
    preload.step()
    preload.save(tmp_path / "files.json")
    preload.save(tmp_path / "no" / "directory.json")
    later = Preload(home)
    later.attach(owner)
    later.load(tmp_path / "files.json")
    later.load(tmp_path / "missing.json")
    assert later.step()
    assert len(later) == 1
