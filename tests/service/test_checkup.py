"""What doctor says of the state, sound and otherwise."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from pathlib import Path

import pytest

from sidecar.checkup import look
from sidecar.pipeline.chores import NOTE
from sidecar.settings import ScheduleSettings
from sidecar.store import State
from sidecar.store.schema import MIGRATIONS


def told(data: Path, **settings: object) -> dict[str, tuple[str, str, str]]:
    found = {}
    for part, state, says, mend in look(data, ScheduleSettings.model_validate(settings)):
        assert (state == "ok") is (mend == ""), (part, says)
        found[part] = (state, says, mend)
    return found


async def test_a_sound_state_beside_a_daemon_at_work(tmp_path: Path) -> None:
    assert told(tmp_path)["state"][0] == "ok"
    state = await State.open(tmp_path / "state.db")
    try:
        assert {part: each[0] for part, each in told(tmp_path).items()} == {"state": "ok", "backups": "ok"}
        copy = await state.backup()
        assert "0 h old" in told(tmp_path)["backups"][1]
        old = time.time() - 5 * 86_400
        os.utime(copy, (old, old))
        assert told(tmp_path)["backups"][0] == "warn"
        assert "is off" in told(tmp_path, backups=0)["backups"][1]
        assert "is off" in told(tmp_path, maintenance="off")["backups"][1]
        await state.note(NOTE, {"cache": {"ok": False, "says": "no room", "at": "x", "seconds": 1}, "drift": {"ok": True, "says": ""}})
        assert told(tmp_path)["schedule"][1] == "cache failed the last time: no room"
        await state.note(NOTE, json.dumps(["nonsense"]))
        assert "schedule" not in told(tmp_path)
    finally:
        await state.close()


@pytest.mark.parametrize("kind", ["garbage", "newer", "aside", "closed"])
async def test_what_is_wrong_is_said_with_its_remedy(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "state.db"
    state = await State.open(place)
    await state.close()
    with sqlite3.connect(place) as connection:
        if kind == "newer":
            connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
        if kind == "closed":
            connection.execute("INSERT INTO closed (destination, why, since, mark) VALUES ('discord', 'it is gone (404)', 1, 'x')")
    connection.close()
    if kind == "garbage":
        place.write_bytes(b"garbage" * 2000)
    if kind == "aside":
        (tmp_path / "state.db.damaged-20260101T000000").write_bytes(b"")
        (tmp_path / "state.db.damaged-20260101T000000-wal").write_bytes(b"")
    found = list(look(tmp_path, ScheduleSettings.model_validate({})))
    wrong = [(part, state) for part, state, _, _ in found if state != "ok"]
    assert (
        wrong
        == {"garbage": [("state", "fail")], "newer": [("state", "fail")], "aside": [("state", "warn")], "closed": [("notify", "warn")]}[
            kind
        ]
    )
    assert all(mend for _, state, _, mend in found if state != "ok")
