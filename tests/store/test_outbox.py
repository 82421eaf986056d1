"""The outbox's shelf: claims, topics, overtaking, replay, closed destinations, and the step from the first schema."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from sidecar.letters import LetterState, NewLetter
from sidecar.store import State
from sidecar.store.schema import MIGRATIONS

NOW = datetime(2026, 1, 21, 12, 0, tzinfo=UTC)


@pytest.fixture
async def state(tmp_path: Path) -> AsyncIterator[State]:
    state = await State.open(tmp_path / "state.db")
    yield state
    await state.close()


def letter(name: str, destination: str = "d", *, topic: str = "", overtakes: bool = False, after: float = 0.0) -> NewLetter:
    not_before = NOW + timedelta(seconds=after) if after else None
    return NewLetter(id=name, destination=destination, body={"n": name}, event="e", topic=topic, overtakes=overtakes, not_before=not_before)


async def states(state: State) -> dict[str, LetterState]:
    return {each.id: each.state for each in await state.letters()}


async def test_letters_and_notes_are_kept_together(state: State) -> None:
    assert await state.post([letter("a"), letter("b")], notes={"standing": {"x": 1}}, now=NOW) == 2
    assert await state.post([letter("a"), letter("c")], now=NOW) == 1
    assert await state.noted("standing") == {"x": 1}
    assert [each.id for each in await state.claim(NOW)] == ["a", "b", "c"]


async def test_each_destination_has_its_own_line(state: State) -> None:
    await state.post([letter("a", "one"), letter("b", "two"), letter("c", "one", after=60)], now=NOW)
    assert [each.id for each in await state.claim(NOW, destination="two")] == ["b"]
    assert await state.next_due("one") == NOW
    assert [each.id for each in await state.claim(NOW, destination="one")] == ["a"]
    await state.settle("a", sent=True, remote="77")
    assert await state.next_due("one") == NOW + timedelta(seconds=60)
    assert await state.next_due("three") is None
    assert await state.counts() == {("one", LetterState.SENT): 1, ("one", LetterState.PENDING): 1, ("two", LetterState.CLAIMED): 1}


async def test_a_newer_letter_overtakes_what_waits_and_not_what_is_under_way(state: State) -> None:
    await state.post([letter("a", topic="t")], now=NOW)
    await state.claim(NOW)
    await state.post([letter("b", topic="t"), letter("other", topic="u"), letter("x", "e", topic="t")], now=NOW)
    await state.post([letter("c", topic="t", overtakes=True)], now=NOW)
    assert await states(state) == {
        "a": LetterState.CLAIMED,
        "b": LetterState.DROPPED,
        "c": LetterState.PENDING,
        "other": LetterState.PENDING,
        "x": LetterState.PENDING,
    }
    await state.post([letter("c", topic="t", overtakes=True)], now=NOW)  # the same again drops nothing, itself least of all
    assert (await states(state))["c"] is LetterState.PENDING


async def test_what_is_due_or_was_tried_is_not_withdrawn(state: State) -> None:
    await state.post([letter("a", topic="t"), letter("b", topic="t"), letter("held", topic="t", after=60)], now=NOW)
    await state.claim(NOW, limit=1)
    await state.settle("a", retry_at=NOW + timedelta(seconds=9), error="503")
    assert await state.withdraw("d", "t", "it is over", NOW) == 1
    assert await states(state) == {"a": LetterState.PENDING, "b": LetterState.PENDING, "held": LetterState.DROPPED}


async def test_what_a_dead_process_was_sending_is_due_at_once(state: State) -> None:
    await state.post([letter("a")], now=NOW)
    await state.claim(datetime.now(UTC), lease=3600)
    assert await state.claim(datetime.now(UTC)) == []
    assert await state.reclaim() == 1
    (again,) = await state.claim(datetime.now(UTC))
    assert (again.id, again.attempts) == ("a", 2)


async def test_an_attempt_may_not_count(state: State) -> None:
    await state.post([letter("a")], now=NOW)
    await state.claim(NOW)
    await state.settle("a", retry_at=NOW, count=False)
    (again,) = await state.claim(NOW)
    assert again.attempts == 1


async def test_given_up_letters_are_replayed_as_new(state: State) -> None:
    await state.post([letter("a"), letter("b"), letter("c")], now=NOW)
    await state.claim(NOW)
    await state.settle("a", error="404")
    await state.settle("b", error="404")
    await state.settle("c", sent=True)
    assert await state.replay(["a", "c", "nobody"]) == 1
    assert await states(state) == {"a": LetterState.PENDING, "b": LetterState.DEAD, "c": LetterState.SENT}
    (again,) = await state.claim(datetime.now(UTC) + timedelta(seconds=1))
    assert (again.id, again.attempts, again.error) == ("a", 1, "")
    assert again.due > NOW
    assert await state.replay() == 1


async def test_letters_expire_by_when_they_were_due(state: State) -> None:
    await state.post([letter("old"), letter("held", after=7200)], now=NOW)
    assert await state.expire("d", NOW + timedelta(seconds=3600), "closed for too long") == 1
    assert await states(state) == {"old": LetterState.DEAD, "held": LetterState.PENDING}


async def test_what_a_topic_is_known_as_elsewhere(state: State) -> None:
    await state.post([letter("a", topic="t"), letter("b", topic="t")], now=NOW)
    assert await state.remote_of("d", "t") == ""
    await state.claim(NOW)
    await state.settle("a", sent=True, remote="900")
    assert await state.remote_of("d", "t") == "900"
    assert await state.remote_of("d", "") == ""
    last = await state.last_letter("d", topic="t")
    assert last is not None
    assert last.id == "b"
    assert await state.last_letter("d", event="nothing") is None


async def test_closed_destinations(state: State) -> None:
    await state.close_destination("d", "HTTP 404", "m1")
    first = (await state.closed_destinations())["d"]
    await state.close_destination("d", "HTTP 401", "m1")
    again = (await state.closed_destinations())["d"]
    assert (again.why, again.since) == ("HTTP 401", first.since)
    assert await state.open_destination("d")
    assert not await state.open_destination("d")
    assert await state.closed_destinations() == {}


async def test_letters_of_the_first_schema_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "state.db"
    connection = sqlite3.connect(path)
    before = next(number for number, text in enumerate(MIGRATIONS) if "old_outbox" in text)
    for text in MIGRATIONS[:before]:
        connection.executescript(text)
    connection.execute(f"PRAGMA user_version = {before}")
    connection.execute("INSERT INTO outbox VALUES ('x', 'webhook', '{\"run\": 1}', 'pending', 2, 100.0, 50.0, '503')")
    connection.commit()
    connection.close()
    state = await State.open(path)
    (kept,) = await state.letters()
    await state.close()
    assert (kept.id, kept.body, kept.state, kept.attempts, kept.error) == ("x", {"run": 1}, LetterState.PENDING, 2, "503")
    assert kept.due == kept.created == datetime.fromtimestamp(50, UTC)
