"""What one destination wants to be told, and when. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, time, timedelta, tzinfo

from sidecar.notify.message import count_title, shortened, words
from sidecar.notify.payload import Message


@dataclass(frozen=True, slots=True, kw_only=True)
class Quiet:
    """Hours of the day, in a time zone, in which nothing is sent; ``end`` before ``start`` is on the next day."""

    start: time
    end: time
    zone: tzinfo
    let_through: frozenset[str] = frozenset()

    def until(self, now: datetime) -> datetime | None:
        """When the quiet that ``now`` lies in is over; None outside of it.

        Wall-clock times: on the nights of a clock change the quiet is an hour shorter or longer.
        """
        local = now.astimezone(self.zone)
        clock = local.time()
        over_night = self.start > self.end
        after, before = clock >= self.start, clock < self.end
        inside = (after or before) if over_night else (after and before)
        if not inside:
            return None
        day = local.date() + timedelta(days=1 if over_night and clock >= self.start else 0)
        return datetime.combine(day, self.end, self.zone).astimezone(now.tzinfo)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """One destination's."""

    events: frozenset[str]
    libraries: frozenset[str] = frozenset()
    minimum_pictures: int = 1
    minimum_percent: float = 0.0
    quiet: Quiet | None = None

    def wanted(self, message: Message) -> Message | None:
        """``message`` as this destination is to get it (other libraries' targets left out, a list of bounded length), or None."""
        if message.event == "test":
            return message
        if message.event not in self.events:
            return None
        if self.libraries and message.targets:
            kept = [target for target in message.targets if target.library in self.libraries]
            if not kept:
                return None if message.event == "preview.changed" else message.model_copy(update={"targets": [], "more_targets": 0})
            if len(kept) < len(message.targets):
                message = message.model_copy(update={"targets": kept, "more_targets": 0})
                title = count_title(len(kept)) if message.event == "preview.changed" else message.title
                message = message.model_copy(update={"title": title, "text": words(message)})
        if message.event == "preview.changed" and not self._enough(message):
            return None
        return shortened(message)

    def _enough(self, message: Message) -> bool:
        if len(message.targets) + message.more_targets < self.minimum_pictures:
            return False
        if self.minimum_percent <= 0:
            return True
        # What was not measured (a new picture, say) counts as large.
        return any(target.fraction is None or target.fraction * 100 >= self.minimum_percent for target in message.targets)

    def not_before(self, event: str, now: datetime) -> datetime | None:
        """When a message may be sent at the earliest; None: now."""
        if self.quiet is None or event == "test" or event in self.quiet.let_through:
            return None
        return self.quiet.until(now)
