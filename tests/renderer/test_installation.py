"""A worker whose Kometa was changed on the disk ends, instead of drawing with the code of one Kometa and the files of another."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from renderer.installation import Installation
from renderer.speedups import VERIFIED
from tests.renderer.fake import make_kometa, make_shard
from tests.renderer.talk import worker

Change = Callable[[Path], object]


def later(path: Path) -> None:
    """The same content, saved anew."""
    about = path.stat()
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns + 1))


def age(top: Path) -> None:
    """As if it had been there for long: what is saved twice within a tick of the kernel's clock has the same time."""
    for path in (top, *top.rglob("*")):
        os.utime(path, (1_700_000_000, 1_700_000_000))


CHANGES: dict[str, Change] = {
    "code": lambda home: later(home / "modules" / "work.py"),
    "program": lambda home: (home / "kometa.py").write_text("another"),
    "version": lambda home: (home / "VERSION").write_text("9.9.9\n"),
    "a new module": lambda home: (home / "modules" / "extra.py").write_text(""),
    "a module less": lambda home: (home / "modules" / "work.py").unlink(),
    "overlay file": lambda home: (home / "defaults" / "overlays" / "resolution.yml").write_text("overlays: {}"),
    "font": lambda home: (home / "fonts" / "New.ttf").write_bytes(b"x"),
    "image": lambda home: (home / "defaults" / "overlays" / "images" / "set" / "new.png").write_bytes(b"x"),
    "all of it": shutil.rmtree,
}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    made = make_kometa(tmp_path / "kometa", VERIFIED[-1])
    (made / "defaults" / "overlays" / "images" / "set").mkdir(parents=True)
    (made / "defaults" / "overlays" / "resolution.yml").write_text("overlays: {a: {}}")
    age(made)
    return made


@pytest.mark.parametrize("name", CHANGES)
def test_a_change_is_seen(home: Path, name: str) -> None:
    before = Installation(home)
    assert not before.changed()
    CHANGES[name](home)
    assert before.changed()
    assert Installation(home).build != before.build


def test_what_a_running_kometa_writes_is_no_change(home: Path) -> None:
    before = Installation(home)
    (home / "modules" / "__pycache__").mkdir()
    (home / "modules" / "__pycache__" / "work.pyc").write_bytes(b"x")
    (home / "config").mkdir()
    (home / "config" / "config.yml").write_text("x")
    assert not before.changed()
    assert Installation(home).build == before.build


def test_another_pillow_is_a_change(home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As pip puts one in the place of the other: while Kometa itself is the same."""
    packages = tmp_path / "site-packages"
    for name in ("PIL", "pillow-1.0.dist-info"):
        (packages / name).mkdir(parents=True)
    (packages / "PIL" / "__init__.py").touch()
    age(packages)
    monkeypatch.syspath_prepend(str(packages))
    monkeypatch.delitem(sys.modules, "PIL", raising=False)
    before = Installation(home)
    assert not before.changed()
    (packages / "pillow-1.0.dist-info").rename(packages / "pillow-2.0.dist-info")
    assert before.changed()


@pytest.mark.parametrize("ask", ["ping", "render"])
def test_the_worker_ends_when_it_is_asked_for_anything(home: Path, short_dir: Path, tmp_path: Path, ask: str) -> None:
    with worker(home, short_dir) as made:
        talk = made.talk()
        assert talk.run(make_shard(tmp_path / "a"))[-1]["outcome"] == "finished"
        CHANGES["overlay file"](home)
        talk.send(type="ping", n=1) if ask == "ping" else talk.render(make_shard(tmp_path / "b"))
        with pytest.raises(EOFError):
            talk.take("pong" if ask == "ping" else "done")
        assert made.process.wait(10) == 5
        assert not (tmp_path / "b" / "tmp").exists(), "no child was begun"


def test_a_render_during_which_it_changed_does_not_count(home: Path, short_dir: Path, tmp_path: Path) -> None:
    with worker(home, short_dir) as made:
        talk = made.talk()
        talk.render(make_shard(tmp_path / "a", f"open({str(home / 'VERSION')!r}, 'w').write('9.9.9')"))
        with pytest.raises(EOFError, match="Kometa was changed while it rendered"):
            talk.take("done")
        assert made.process.wait(10) == 5


def test_the_next_worker_says_that_it_is_another(home: Path, short_dir: Path) -> None:
    builds = []
    for _ in range(2):
        with worker(home, short_dir) as made:
            builds.append(made.talk().hello["build"])
        CHANGES["font"](home)
    assert builds[0] != builds[1]
