"""What hooks named: bounded in number and time, kept over restarts."""

from __future__ import annotations

from pathlib import Path

from sidecar.pipeline.wanted import NOTE, Wanted
from sidecar.store import State


async def test_the_newest_few_for_a_while_also_after_a_restart(tmp_path: Path) -> None:
    state = await State.open(tmp_path / "state.db")
    now = [1000.0]

    def wanted(most: int = 3) -> Wanted:
        return Wanted(state, most=most, lifetime=100.0, now=lambda: now[0])

    try:
        one = wanted()
        for key in (1, 2, 3, 4):
            await one.add(key)
            now[0] += 10
        assert await one.keys() == (2, 3, 4)
        await one.add(2)
        assert await one.keys() == (3, 4, 2), "named again: the newest"
        again = wanted()
        assert await again.keys() == (3, 4, 2)
        now[0] += 85
        assert await again.keys() == (4, 2), "each has its time"
        assert await wanted(most=1).keys() == (2,)
        assert await wanted(most=0).keys() == ()
        now[0] -= 5000
        assert await again.keys() == (4, 2), "a clock that is set back makes nothing last for ever"
        now[0] += 101
        assert await again.keys() == ()
        await state.note(NOTE, {"another": "version's"})
        assert await wanted().keys() == ()
    finally:
        await state.close()


async def test_a_disk_that_refuses_loses_nothing_at_once(tmp_path: Path) -> None:
    state = await State.open(tmp_path / "state.db")
    one = Wanted(state, most=3, lifetime=100.0)
    await one.keys()
    await state.close()
    await one.add(7)  # the state refuses: it is closed
    assert await one.keys() == (7,)
