"""A daemon's notifications in a process of their own, to be killed: DATABASE URL EVENTS. Prints its process id, works until all is sent."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import sys
from datetime import timedelta
from pathlib import Path

from sidecar.model import RunState
from sidecar.notify import Discord, Notifier, Rules, Subscription, open_session
from sidecar.store import State
from tests.notify.kit import TELLER, run


async def main(database: str, url: str, events: int) -> None:
    state = await State.open(Path(database))
    subscription = Subscription(
        destination=Discord("discord", url, open_session([ipaddress.ip_network("127.0.0.0/8")])),
        rules=Rules(events=frozenset({"preview.failed", "preview.recovered"})),
        pause=timedelta(minutes=10),
        give_up=timedelta(days=1),
    )
    notifier = Notifier(state, [subscription], TELLER)
    await notifier.start()
    for number in range(events):
        await notifier.run_ended(run(number, RunState.DONE if number % 2 else RunState.FAILED, problem=f"fault {number}"))
    sys.stdout.write(f"{os.getpid()}\n")
    sys.stdout.flush()
    while True:
        pause = await notifier.outbox.step()
        (status,) = (await notifier.status())["destinations"]
        if not status["pending"] and not status["claimed"]:
            break
        await asyncio.sleep(min(pause, 0.05))
    await notifier.close()
    await state.close()


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
