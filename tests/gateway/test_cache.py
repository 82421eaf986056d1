"""The disk cache: whole files or none, bounded, and a damaged one is only a miss."""

from __future__ import annotations

import hashlib
import time
from pathlib import Path

import pytest

from sidecar.gateway.cache import DiskCache, Entry


def key(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def entry(body: bytes, status: int = 200) -> Entry:
    return Entry(status, (("content-type", "text/plain"),), body)


def opened(path: Path, max_bytes: int = 1000) -> DiskCache:
    cache = DiskCache(path, max_bytes=max_bytes)
    cache.open()
    return cache


def on_disk(path: Path) -> int:
    """Bytes of every file."""
    return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())


def test_what_was_put_survives_a_restart(tmp_path: Path) -> None:
    opened(tmp_path).put(key("a"), entry(b"body"))
    got = opened(tmp_path).get(key("a"), 60)
    assert got
    assert (got.status, got.headers, got.body) == (200, (("content-type", "text/plain"),), b"body")


def test_age(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = opened(tmp_path)
    cache.put(key("a"), entry(b"body"))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 100)
    assert cache.get(key("a"), 60) is None
    assert cache.get(key("a"), None)
    monkeypatch.setattr(time, "time", lambda: now - 100)
    assert cache.get(key("a"), 60) is None, "stored in the future: the clock was set back, so its age is not known"


def test_equal_bodies_are_kept_once(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    cache.put(key("a"), entry(b"same"))
    cache.put(key("b"), entry(b"same"))
    assert cache.size == on_disk(tmp_path)
    assert len(list((tmp_path / "content").glob("*/*"))) == 1
    cache.put(key("a"), entry(b"other"))
    assert cache.get(key("b"), None) == cache.get(key("b"), 60)
    assert len(cache) == 2
    cache.put(key("b"), entry(b"other"))
    assert [path.read_bytes() for path in (tmp_path / "content").glob("*/*")] == [b"other"]
    assert cache.size == on_disk(tmp_path) == opened(tmp_path).size


def test_the_least_recently_used_go(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "time", lambda: now[0])
    cache = opened(tmp_path, 1200)
    for name in ("a", "b", "c"):
        now[0] += 1
        cache.put(key(name), entry(name.encode() * 300))
        if name == "b":
            now[0] += 1
            assert cache.get(key("a"), None)
    assert cache.get(key("b"), None) is None
    assert cache.get(key("a"), None)
    assert cache.get(key("c"), None)
    assert cache.size == on_disk(tmp_path) <= 1200
    assert len(list((tmp_path / "content").glob("*/*"))) == 2


def test_a_smaller_limit_holds_from_the_next_start(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    for name in ("a", "b", "c"):
        cache.put(key(name), entry(name.encode() * 100))
    assert len(opened(tmp_path, 400)) == 1
    assert len(list((tmp_path / "index").iterdir())) == 1


def test_what_is_over_the_limit_is_not_kept(tmp_path: Path) -> None:
    cache = opened(tmp_path, 10)
    cache.put(key("a"), entry(b"x" * 11))
    assert len(cache) == 0


def test_damage_is_a_miss(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    for name in ("cut", "gone"):
        cache.put(key(name), entry(name.encode()))
    places = {path.read_bytes(): path for path in (tmp_path / "content").glob("*/*")}
    places[b"cut"].write_bytes(b"c")
    places[b"gone"].unlink()
    assert cache.get(key("cut"), None) is None
    assert cache.get(key("gone"), None) is None
    assert len(cache) == 0


def test_leftovers_of_an_interrupted_write_go(tmp_path: Path) -> None:
    opened(tmp_path).put(key("a"), entry(b"body"))
    index, content = tmp_path / "index", tmp_path / "content"
    (index / f"{key('b')}.json").write_text("{")
    (index / f"{key('c')}.json").write_text('{"status": 200, "headers": [], "sha256": "../../etc", "size": 1, "stored": 1}')
    (index / ".x.json.1234").write_text("")
    (content / "ab").mkdir(exist_ok=True)
    (content / "ab" / ".abc.1234").write_text("half")
    cache = opened(tmp_path)
    assert len(cache) == 1
    assert [path.stem for path in index.iterdir()] == [key("a")]
    assert [path.read_bytes() for path in content.glob("*/*")] == [b"body"]


def test_a_disk_that_does_not_take_it(tmp_path: Path) -> None:
    cache = opened(tmp_path)
    (tmp_path / "index" / f"{key('a')}.json").mkdir()
    with pytest.raises(OSError):
        cache.put(key("a"), entry(b"body"))
    assert len(cache) == 0
    assert [path.name for path in (tmp_path / "index").iterdir()] == [f"{key('a')}.json"], "nothing half-written stays"


def test_what_nobody_used_for_long_is_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = opened(tmp_path)
    cache.put(key("old"), entry(b"old body"))
    before = on_disk(tmp_path)
    cache.put(key("used"), entry(b"used"))
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 100)
    assert cache.get(key("used"), None)
    assert cache.prune(60) == (1, before)
    assert key("old") not in cache
    assert cache.get(key("used"), None)
    assert cache.prune(60) == (0, 0)
