"""A worker that no sidecar started: found well or not, ends when nobody comes, tells what Kometa brings."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from renderer.catalogue import read
from renderer.health import well
from tests.renderer.fake import make_kometa, make_shard
from tests.renderer.talk import ROOT, Talk


@pytest.fixture
def start(short_dir: Path, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A worker at w/w.sock that ends after three seconds alone; its directory is not there before."""
    kometa = make_kometa(tmp_path / "kometa")
    command = [sys.executable, "-m", "renderer", "--kometa", str(kometa), "--socket", str(short_dir / "w" / "w.sock"), "--linger", "3"]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL) as process:
        try:
            yield process
        finally:
            process.kill()


def reached(path: Path) -> Talk:
    end = time.monotonic() + 30
    while True:
        try:
            return Talk(path)
        except OSError:
            assert time.monotonic() < end
            time.sleep(0.05)


def test_it_ends_when_nobody_is_there(start: subprocess.Popen[bytes], short_dir: Path, tmp_path: Path) -> None:
    talk = reached(short_dir / "w" / "w.sock")
    talk.run(make_shard(tmp_path / "s", "import time\ntime.sleep(3.2)"))
    with pytest.raises(subprocess.TimeoutExpired):
        start.wait(3.5)  # somebody is connected, though silent
    talk.close()
    assert start.wait(20) == 0
    assert not (short_dir / "w" / "w.sock").exists()


def test_it_tells_its_socket_and_what_kometa_brings(start: subprocess.Popen[bytes], short_dir: Path) -> None:
    talk = reached(short_dir / "w" / "w.sock")
    assert talk.hello["socket"] == str(short_dir / "w" / "w.sock")
    talk.send(type="catalogue")
    told = talk.take("catalogue")[-1]
    assert (told["version"], told["fonts"], told["overlays"]) == ("0.1-fake", [], {})
    talk.close()


def test_a_worker_that_greets_is_well(start: subprocess.Popen[bytes], short_dir: Path) -> None:
    path = short_dir / "w" / "w.sock"
    reached(path).close()
    assert well(str(path))
    command = [sys.executable, "-m", "renderer.health", str(path)]
    assert subprocess.run(command, cwd=ROOT, timeout=20, check=False).returncode == 0
    start.kill()
    start.wait(10)
    assert subprocess.run(command, cwd=ROOT, timeout=20, check=False).returncode == 1


def test_what_is_no_worker_is_not_well(short_dir: Path) -> None:
    assert not well(str(short_dir / "none.sock"))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(short_dir / "silent.sock"))
        listener.listen()
        assert not well(str(short_dir / "silent.sock"), timeout=0.1)


def test_a_catalogue_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "defaults" / "overlays").mkdir(parents=True)
    (tmp_path / "fonts" / "folder").mkdir(parents=True)
    (tmp_path / "fonts" / "A.ttf").touch()
    for name in "abc":
        (tmp_path / "defaults" / "overlays" / f"{name}.yml").write_text("x" * 10)
    (tmp_path / "defaults" / "overlays" / "image.png").touch()
    monkeypatch.setattr("renderer.catalogue.MAX_TEXT", 25)
    told = read(tmp_path, "1")
    assert (told["fonts"], sorted(told["overlays"])) == (["A.ttf"], ["a.yml", "b.yml"])
