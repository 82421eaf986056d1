from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sidecar.store import State
from tests.notify.kit import Clock, Receiver
from tests.notify.standin import DiscordStandIn


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def state(tmp_path: Path) -> AsyncIterator[State]:
    state = await State.open(tmp_path / "state.db")
    yield state
    await state.close()


@pytest.fixture
async def discord(clock: Clock) -> AsyncIterator[DiscordStandIn]:
    standin = DiscordStandIn(clock.seconds)
    runner = await standin.start()
    yield standin
    await runner.cleanup()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    runner = await receiver.start()
    yield receiver
    await runner.cleanup()
