"""One destination with its rules, and what a message becomes on its way there. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from sidecar.letters import NewLetter
from sidecar.notify.payload import Message
from sidecar.notify.rules import Rules
from sidecar.notify.sending import Destination


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One destination with its rules."""

    destination: Destination
    rules: Rules
    pause: timedelta
    """The longest pause within an editing session."""
    give_up: timedelta

    @property
    def program(self) -> bool:
        """Gets every event by itself."""
        return self.destination.kind == "webhook"

    def letter(self, message: Message, topic: str, *, now: datetime, hold: datetime | None = None, overtakes: bool = False) -> NewLetter:
        """``message`` to be sent, not before ``hold`` nor in quiet hours. ``overtakes``: earlier ones of ``topic`` need not go any more."""
        times = [at for at in (hold, self.rules.not_before(message.event, now)) if at is not None]
        name = self.destination.name
        return NewLetter(
            id=f"{message.id}:{name}",
            destination=name,
            event=message.event,
            topic=topic,
            body=message.plain(),
            not_before=max(times, default=None),
            overtakes=overtakes,
        )
