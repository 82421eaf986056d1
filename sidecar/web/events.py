"""What happens, as it happens, to everyone who listens: server-sent events with ids, bounded and resumable.

Kinds and their data (every listener ignores kinds and keys that it does not know):

    run.started   run, reason, targets (how many)
    run.phase     run, phase, name (for people), shard, detail
    picture       run, target, title, state
    run.ended     run, state, changed (ids of targets), errors (how many)
    run.reviewed  run, counts (targets by review status)
    decided       batch, verdict (null for an undo), run, targets, who
    health        part, ok, detail
    reload        what was missed cannot be told any more: fetch the page anew

Publish to the gallery before publishing the event: a listener fetches what the event names.
"""

from __future__ import annotations

import asyncio
import json
import re
import secrets
from collections import deque
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final, Self

RELOAD: Final = "reload"

_KIND: Final = re.compile(r"[a-z]+(\.[a-z]+)*")


@dataclass(frozen=True, slots=True)
class Event:
    """One event; ``data`` is JSON on one line."""

    id: str
    kind: str
    data: str

    def frame(self) -> bytes:
        """As it goes over the wire (WHATWG HTML, 9.2.5)."""
        return f"id: {self.id}\nevent: {self.kind}\ndata: {self.data}\n\n".encode()


class Subscription(AsyncIterator[Event]):
    """One listener's queue. A slow one loses its oldest events and is told so by ``reload``; it never holds others up."""

    def __init__(self, events: Events, backlog: int) -> None:
        self._events = events
        self._queue: deque[Event] = deque()
        self._backlog = backlog
        self._lost: Event | None = None
        self._ready = asyncio.Event()
        self._closed = False

    def put(self, event: Event) -> None:
        """Queue ``event`` for this listener."""
        if len(self._queue) >= self._backlog:
            self._lost = self._queue.popleft()
        self._queue.append(event)
        self._ready.set()

    def close(self) -> None:
        """End the iteration, after what is queued, and take no more."""
        self._closed = True
        self._events.drop(self)
        self._ready.set()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Event:
        while True:
            if self._lost is not None:
                # With the lost event's id: who reconnects now gets the queued ones again.
                lost, self._lost = self._lost, None
                return Event(lost.id, RELOAD, "{}")
            if self._queue:
                return self._queue.popleft()
            if self._closed:
                raise StopAsyncIteration
            self._ready.clear()
            await self._ready.wait()


class Events:
    """The hub. Not thread-safe: use it on the loop."""

    def __init__(self, *, history: int = 256, backlog: int = 64) -> None:
        """``history`` events are kept for those who come back; ``backlog`` is how far a listener may fall behind."""
        self._boot = secrets.token_hex(4)
        self._count = 0
        self._ring: deque[tuple[int, Event]] = deque(maxlen=history)
        self._backlog = backlog
        self._listeners: set[Subscription] = set()
        self._closed = False

    @property
    def listeners(self) -> int:
        return len(self._listeners)

    def publish(self, kind: str, data: Mapping[str, object]) -> str:
        """Tell every listener; the event's id. ValueError for a kind that is not dotted lower-case words."""
        if not _KIND.fullmatch(kind):
            raise ValueError(f"not an event kind: {kind!r}")
        self._count += 1
        event = Event(f"{self._boot}-{self._count}", kind, json.dumps(data, ensure_ascii=True, separators=(",", ":"), default=str))
        self._ring.append((self._count, event))
        for listener in tuple(self._listeners):
            listener.put(event)
        return event.id

    def subscribe(self, last_id: str = "") -> Subscription:
        """Listen from now on, or from after ``last_id`` (the Last-Event-ID of an earlier connection)."""
        subscription = Subscription(self, self._backlog)
        if self._closed:
            subscription.close()
            return subscription
        for event in self._missed(last_id):
            subscription.put(event)
        self._listeners.add(subscription)
        return subscription

    def drop(self, subscription: Subscription) -> None:
        """Forget a listener; ``Subscription.close`` calls this."""
        self._listeners.discard(subscription)

    def close(self) -> None:
        """End every subscription, so that the server can stop."""
        self._closed = True
        for listener in tuple(self._listeners):
            listener.close()

    def _missed(self, last_id: str) -> list[Event]:
        if not last_id:
            return []
        boot, _, number = last_id.rpartition("-")
        seen = int(number) if number.isascii() and number.isdecimal() and len(number) < 19 else -1
        oldest = self._ring[0][0] if self._ring else self._count + 1
        missed = [event for count, event in self._ring if count > seen]
        if boot != self._boot or not oldest - 1 <= seen <= self._count or len(missed) > self._backlog:
            return [Event(f"{self._boot}-{self._count}", RELOAD, "{}")]
        return missed
