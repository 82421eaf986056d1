"""kill -9 between the send and its record: the message is sent again, once, under the same id; nothing is lost."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from sidecar.letters import LetterState
from sidecar.store import State
from tests.notify.standin import DiscordStandIn

EVENTS = 6


@dataclass
class Killer(DiscordStandIn):
    """Keeps the message, and kills the sender before it can hear of it."""

    victim: int = 0
    at: frozenset[int] = frozenset()
    """The deliveries, counted from 1, that cost the sender its life."""

    def _answer(self, request: web.Request, message: str | None, body: bytes) -> web.Response:
        answer = super()._answer(request, message, body)
        if answer.status == 200 and len(self.delivered) in self.at and self.victim:
            self.at = self.at - {len(self.delivered)}
            os.kill(self.victim, signal.SIGKILL)
            self.victim = 0
        return answer


@pytest.mark.parametrize("deaths", [frozenset({1}), frozenset({3}), frozenset({2, 5, 7})])
async def test_killed_between_send_and_record(tmp_path: Path, deaths: frozenset[int]) -> None:
    discord = Killer(time.monotonic, burst=1000, hidden=(10**6, 60.0), at=deaths)
    runner = await discord.start()
    try:
        lives = 0
        while True:
            lives += 1
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "tests.notify.sender", str(tmp_path / "state.db"), discord.url, str(EVENTS)),
                stdout=asyncio.subprocess.PIPE,
                cwd=Path(__file__).parents[2],
            )
            assert process.stdout is not None
            discord.victim = int(await process.stdout.readline())
            if await asyncio.wait_for(process.wait(), 60) == 0:
                break
            assert lives <= len(deaths)
    finally:
        await runner.cleanup()
    assert lives == len(deaths) + 1
    sent = Counter(discord.delivered)
    assert len(sent) == EVENTS, "nothing is lost"
    assert sum(sent.values()) - EVENTS == len(deaths), "one double for each death, under the same id"
    assert max(sent.values()) == 2
    state = await State.open(tmp_path / "state.db")
    assert await state.counts() == {("discord", LetterState.SENT): EVENTS}
    await state.close()
