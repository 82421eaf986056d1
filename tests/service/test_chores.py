"""What the schedule asks for is done one by one, and never ends the daemon."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sidecar.errors import StoreError
from sidecar.pipeline.chores import NOTE, Chores
from sidecar.store import State


async def test_works_are_done_in_order_and_once_each(tmp_path: Path) -> None:
    did: list[str] = []

    async def good() -> str:
        did.append("good")
        return "all well"

    async def bad() -> str:
        did.append("bad")
        raise StoreError("the disk is full")

    async def broken() -> str:
        did.append("broken")
        return str([][1])

    state = await State.open(tmp_path / "state.db")
    try:
        chores = Chores({"good": good, "bad": bad, "broken": broken}, state)
        assert await chores.restore() == {}
        for name in ("bad", "good", "bad", "broken"):
            chores.enqueue(name)
        assert chores.waiting == 3
        with pytest.raises(KeyError):
            chores.enqueue("unknown")
        async with asyncio.timeout(40):
            serving = asyncio.create_task(chores.serve())
            while len(chores.done) < 3:
                await asyncio.sleep(0.01)
            serving.cancel()
        assert did == ["bad", "good", "broken"]
        assert {name: (done.ok, done.says) for name, done in chores.done.items()} == {
            "good": (True, "all well"),
            "bad": (False, "the disk is full"),
            "broken": (False, "failed: IndexError"),
        }
        await chores.do("good")
        later = Chores({"good": good, "bad": bad}, state)
        last = await later.restore()
        assert set(last) == {"good", "bad"}
        assert all(datetime.now(UTC) >= at for at in last.values())
        assert later.done["bad"].says == "the disk is full"
        await state.note(NOTE, {"good": {"at": "yesterday"}, "bad": 1})
        assert await Chores({"good": good, "bad": bad}, state).restore() == {}
    finally:
        await state.close()
