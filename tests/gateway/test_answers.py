"""Answers in memory, and on disk once the burst is over."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from sidecar.gateway import answers
from sidecar.gateway.answers import Answers
from sidecar.gateway.cache import DiskCache, Entry

KEYS = [f"{number:064x}" for number in range(20)]


def spawn(coroutine: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
    return asyncio.create_task(coroutine, name=name)


def opened(directory: Path) -> DiskCache:
    disk = DiskCache(directory, max_bytes=100_000)
    disk.open()
    return disk


async def test_answers_are_at_hand_at_once_and_on_disk_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "LATER", 0.05)
    disk = opened(tmp_path)
    kept = Answers(disk, memory=100_000)
    for key in KEYS[:8]:
        await kept.keep_beside(key, Entry(200, (), b"x", time.time()), spawn)
        assert kept.at_hand(key, 60)
    async with asyncio.timeout(40):
        while len(disk) < 8:
            await asyncio.sleep(0.02)


async def test_a_burst_without_end_is_written_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "LATER", 0.05)
    monkeypatch.setattr(answers, "BURST", 3)
    disk = opened(tmp_path)
    kept = Answers(disk, memory=100_000)
    async with asyncio.timeout(40):
        while len(disk) == 0:
            await kept.keep_beside(KEYS[0], Entry(200, (), b"x", time.time()), spawn)
            await asyncio.sleep(0.01)
    await kept.flush()


async def test_what_waits_for_a_disk_that_stands_still_is_bounded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "UNWRITTEN", 100)
    disk = opened(tmp_path)
    kept = Answers(disk, memory=100_000)
    for body in (b"x" * 60, b"y" * 60):
        for key in KEYS:
            await kept.keep_beside(key, Entry(200, (), body, time.time()), spawn)
            assert kept.at_hand(key, 60)
    await kept.flush()
    assert len(disk) == 1
    await kept.keep_beside(KEYS[1], Entry(200, (), b"z" * 100, time.time()), None)
    assert len(disk) == 2


async def test_what_is_replaced_while_it_is_written_is_written_again(tmp_path: Path) -> None:
    disk = opened(tmp_path)
    kept = Answers(disk, memory=100_000)
    waiting: list[Coroutine[Any, Any, Any]] = []

    def later(coroutine: Coroutine[Any, Any, Any], name: str) -> asyncio.Task[Any]:
        waiting.append(coroutine)
        return asyncio.create_task(asyncio.sleep(0), name=name)

    await kept.keep_beside(KEYS[0], Entry(200, (), b"old", time.time()), later)
    with disk._lock:  # the disk stands still
        flushing = asyncio.create_task(kept.flush())
        await asyncio.sleep(0.05)
        await kept.keep_beside(KEYS[0], Entry(200, (), b"new", time.time()), later)
    await flushing
    found = disk.get(KEYS[0], None)
    assert found
    assert found.body == b"new"
    for coroutine in waiting:
        coroutine.close()
