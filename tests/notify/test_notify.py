"""The outbox and the webhook against a real receiver and a real database."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from sidecar.letters import LetterState
from sidecar.model import Blob, EngineInfo, Level, Picture, PictureState, Problem, Run, RunState, Severity, Target
from sidecar.notify import Outbox, Webhook, message_of
from sidecar.notify.outbox import pause_after
from sidecar.store import State


class Receiver:
    """A webhook receiver that answers what it is told and keeps what it got."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.headers: dict[str, str] = {}
        self.got: list[tuple[str, dict[str, Any]]] = []
        self.url = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.got.append((request.headers["Idempotency-Key"], await request.json()))
        return web.Response(status=self.statuses.pop(0) if self.statuses else 200, headers=self.headers)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    receiver.url = f"http://127.0.0.1:{runner.addresses[0][1]}/hook"
    yield receiver
    await runner.cleanup()


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
async def state(tmp_path: Path) -> AsyncIterator[State]:
    state = await State.open(tmp_path / "state.db")
    yield state
    await state.close()


def run_of(state: RunState, *, changed: bool = True) -> Run:
    target = Target(rating_key=101, level=Level.MOVIE, library="Movies", section=1, title="Heat", year=1995)
    blob = Blob(sha256="ab" * 32, size=10, media_type="image/webp", width=1000, height=1500)
    return Run(
        id="20261121T010203-aaaaaa",
        state=state,
        reason="edit",
        started=datetime(2026, 11, 21, 1, 2, 3, tzinfo=UTC),
        engine=EngineInfo(kind="kometa", via="process", version="2.4.4"),
        seconds=1.5,
        pictures=(Picture(target=target, state=PictureState.RENDERED, after=blob),),
        problems=(Problem(severity=Severity.ERROR, what="no such image", file="overlays/my.yml", line=4),),
        changed=("101",) if changed else (),
    )


@pytest.mark.parametrize(
    ("state", "changed", "event"),
    [
        (RunState.DONE, True, "preview.changed"),
        (RunState.DONE, False, None),
        (RunState.FAILED, False, "preview.failed"),
        (RunState.INVALID, False, "preview.failed"),
        (RunState.SUPERSEDED, True, None),
        (RunState.CANCELLED, True, None),
    ],
)
def test_only_a_change_or_a_failure_is_worth_saying(state: RunState, changed: bool, event: str | None) -> None:
    message = message_of(run_of(state, changed=changed), "http://gallery")
    assert (message and message["event"]) == event


def test_the_message_says_what_changed_and_where_to_look() -> None:
    message = message_of(run_of(RunState.DONE), "http://127.0.0.1:8420/")
    assert message is not None
    assert message["run"]["url"] == "http://127.0.0.1:8420/runs/20261121T010203-aaaaaa/"
    assert message["run"]["kometa_version"] == "2.4.4"
    assert [target["title"] for target in message["targets"]] == ["Heat (1995)"]
    assert message["problems"][0]["line"] == 4


async def test_a_letter_is_delivered_once_and_settled(receiver: Receiver, session: aiohttp.ClientSession, state: State) -> None:
    outbox = Outbox(state, [Webhook("webhook", receiver.url, session)])
    message = message_of(run_of(RunState.DONE), "")
    assert message is not None
    await outbox.post(message)
    await outbox.post(message)  # the same event again: still one letter
    assert await outbox.deliver() == 1
    assert await outbox.deliver() == 0
    assert [body["event"] for _, body in receiver.got] == ["preview.changed"]
    assert [letter.state for letter in await state.letters()] == [LetterState.SENT]


async def test_a_receiver_that_is_down_gets_it_later_under_the_same_id(
    receiver: Receiver, session: aiohttp.ClientSession, state: State
) -> None:
    receiver.statuses, receiver.headers = [503], {"Retry-After": "30"}
    outbox = Outbox(state, [Webhook("webhook", receiver.url, session)])
    await outbox.post({"id": "x"})
    await outbox.deliver()
    (letter,) = await state.letters()
    assert letter.state is LetterState.PENDING
    assert letter.next_try - datetime.now(UTC) > timedelta(seconds=25)  # the receiver asked for 30
    (again,) = await state.claim(datetime.now(UTC) + timedelta(seconds=60))
    assert again.id == receiver.got[0][0]


async def test_a_refusal_is_not_repeated(receiver: Receiver, session: aiohttp.ClientSession, state: State) -> None:
    receiver.statuses = [404]
    outbox = Outbox(state, [Webhook("webhook", receiver.url, session)])
    await outbox.post({"id": "x"})
    await outbox.deliver()
    (letter,) = await state.letters()
    assert (letter.state, letter.error) == (LetterState.DEAD, "webhook: HTTP 404")


async def test_a_redirect_is_not_followed(receiver: Receiver, session: aiohttp.ClientSession, state: State) -> None:
    receiver.statuses, receiver.headers = [307], {"Location": receiver.url}
    outbox = Outbox(state, [Webhook("webhook", receiver.url, session)])
    await outbox.post({"id": "x"})
    await outbox.deliver()
    assert len(receiver.got) == 1
    (letter,) = await state.letters()
    assert letter.state is LetterState.DEAD


async def test_a_letter_to_a_destination_that_is_gone_is_given_up(state: State) -> None:
    await state.enqueue("old", {"id": "x"})
    outbox = Outbox(state, [])
    await outbox.deliver()
    (letter,) = await state.letters()
    assert letter.state is LetterState.DEAD


def test_a_url_without_host_is_refused() -> None:
    with pytest.raises(ValueError, match="must begin with http"):
        Webhook("webhook", "file:///etc/passwd", None)  # type: ignore[arg-type]


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_pauses_grow_and_stay_bounded(attempts: int, luck: float) -> None:
    assert 2.5 <= pause_after(attempts, luck) <= 3600
    assert pause_after(attempts + 1, luck) >= pause_after(attempts, luck)
