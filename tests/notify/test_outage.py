"""A long outage of Discord, on a clock moved by hand: nothing lost, nothing doubled, no storm."""

from __future__ import annotations

import ipaddress
from datetime import timedelta

import pytest

from sidecar.letters import LetterState
from sidecar.model import RunState
from sidecar.notify import Discord, Notifier, Rules, Subscription, open_session
from sidecar.store import State
from tests.notify.kit import TELLER, Clock, run
from tests.notify.standin import DiscordStandIn

EVENTS = frozenset({"preview.changed", "preview.failed", "preview.recovered", "plex.down", "plex.up"})
LOOPBACK = [ipaddress.ip_network("127.0.0.0/8")]


def notifier_for(state: State, discord: DiscordStandIn, clock: Clock, *, give_up: float = 86400, name: str = "discord") -> Notifier:
    subscription = Subscription(
        destination=Discord(name, discord.url, open_session(LOOPBACK)),
        rules=Rules(events=EVENTS),
        pause=timedelta(minutes=10),
        give_up=timedelta(seconds=give_up),
    )
    return Notifier(state, [subscription], TELLER, now=clock.now, luck=lambda: 0.5)


async def drain(notifier: Notifier, clock: Clock, *, hours: float = 3) -> None:
    """Let the couriers work until nothing waits, moving the clock to each next step."""
    end = clock.at + timedelta(hours=hours)
    while clock.at < end:
        clock.forward(await notifier.outbox.step())
        status = await notifier.status()
        if all(not each["pending"] and not each["claimed"] for each in status["destinations"]):
            return
    pytest.fail("letters still wait")


@pytest.mark.parametrize(("down", "events"), [("drop", 1000), ("503", 100)])
async def test_a_thousand_events_in_ten_minutes_of_outage(
    state: State, discord: DiscordStandIn, clock: Clock, down: str, events: int
) -> None:
    notifier = notifier_for(state, discord, clock)
    discord.down = down
    begun, wake = clock.at, clock.at
    for number in range(events):  # half of them failures, half recoveries
        await notifier.run_ended(run(number, RunState.DONE if number % 2 else RunState.FAILED, problem=f"fault {number}"))
        clock.forward(600 / events)
        if clock.at >= wake:
            wake = clock.at + timedelta(seconds=await notifier.outbox.step())
    assert clock.at - begun >= timedelta(minutes=10)
    during = len(discord.asked)
    assert during < 20, "an outage costs a handful of requests"
    assert (await state.counts()) == {("discord", LetterState.PENDING): events}

    discord.down = ""
    await drain(notifier, clock)
    wanted = [f"preview.{'recovered' if number % 2 else 'failed'}:{run(number).id}:discord" for number in range(events)]
    assert discord.delivered == wanted, "all, once each, in order"
    assert (await state.counts()) == {("discord", LetterState.SENT): events}
    assert discord.violations == []
    # The hidden limit (30 a minute) can only be learnt from a 429: one a minute, and each is obeyed to the second.
    assert discord.count(429) <= events / 30 + 1
    assert len(discord.asked) == during + events + discord.count(429)
    await notifier.close()


async def test_the_told_limit_alone_never_meets_a_429(state: State, discord: DiscordStandIn, clock: Clock) -> None:
    discord.hidden = (10**9, 60.0)
    notifier = notifier_for(state, discord, clock)
    for number in range(40):
        await notifier.run_ended(run(number, RunState.DONE if number % 2 else RunState.FAILED, problem=f"fault {number}"))
    begun = clock.at
    await drain(notifier, clock)
    assert len(discord.delivered) == 40
    assert discord.count(429) == 0
    assert clock.at - begun >= timedelta(seconds=(40 / 5 - 1) * 2)
    await notifier.close()


async def test_a_global_429_holds_every_discord(state: State, discord: DiscordStandIn, clock: Clock) -> None:
    discord.global_pause = 7.5
    both = [
        Subscription(
            destination=Discord(name, discord.url, open_session(LOOPBACK)),
            rules=Rules(events=EVENTS),
            pause=timedelta(minutes=10),
            give_up=timedelta(days=1),
        )
        for name in ("one", "two")
    ]
    notifier = Notifier(state, both, TELLER, now=clock.now, luck=lambda: 0.5)
    await notifier.run_ended(run(1, RunState.FAILED, problem="x"))
    pause = await notifier.outbox.step()
    assert [status for _, _, status in discord.asked] == [429], "the other one was not tried"
    assert 7.5 <= pause < 8
    (letter, _) = await state.letters()
    assert letter.attempts in (0, 1)
    await drain(notifier, clock)
    assert len(discord.delivered) == 2
    assert discord.count(429) == 1
    await notifier.close()


async def test_what_cannot_be_delivered_is_given_up_seen_and_replayed(state: State, discord: DiscordStandIn, clock: Clock) -> None:
    discord.down = "503"
    notifier = notifier_for(state, discord, clock, give_up=3600)
    for number in range(4):
        await notifier.run_ended(run(number, RunState.DONE if number % 2 else RunState.FAILED, problem=f"fault {number}"))
    await drain(notifier, clock, hours=6)
    assert (await state.counts()) == {("discord", LetterState.DEAD): 4}
    status = await notifier.status()
    assert [letter["state"] for letter in status["letters"]] == ["dead"] * 4
    assert "503" in status["letters"][0]["error"]
    assert status["destinations"][0]["well"] is False
    assert len(discord.asked) < 20

    discord.down = ""
    clock.forward(3600)
    assert await notifier.replay([status["letters"][-1]["id"]]) == 1
    await drain(notifier, clock)
    assert discord.delivered == [f"preview.failed:{run(0).id}:discord"]
    assert await notifier.replay() == 3
    await drain(notifier, clock)
    assert len(discord.delivered) == 4
    assert (await notifier.status())["destinations"][0]["well"] is True
    await notifier.close()
