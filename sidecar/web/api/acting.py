"""The operations that make the daemon do something, and the events that tell of it."""

from __future__ import annotations

from aiohttp import hdrs, web

from sidecar.web.api import shapes
from sidecar.web.api.operation import Call, Operation
from sidecar.web.api.source import Actions
from sidecar.web.errors import answer
from sidecar.web.events import Events
from sidecar.web.limits import Limit
from sidecar.web.stream import Stream


class Acting:
    """Handlers."""

    def __init__(self, actions: Actions, events: Events, stream: Stream) -> None:
        self._actions = actions
        self._events = events
        self._stream = stream
        self._renders = Limit(burst=6, seconds=5)

    def operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                method="POST",
                path="/render",
                id="render",
                summary="Render the config as it is, also where nothing changed.",
                handle=self.render,
                answer=shapes.RenderAsked,
                status=202,
            ),
            Operation(
                method="POST",
                path="/cancel",
                id="cancel",
                summary="End the render in progress.",
                handle=self.cancel,
                answer=shapes.Cancelled,
            ),
            Operation(
                method="GET",
                path="/events",
                id="followEvents",
                summary="What happens, as server-sent events with ids.",
                handle=self.follow,
                media="text/event-stream",
                headers={"Last-Event-ID": "The id of the last event that was seen: what came since is sent first."},
            ),
        )

    async def render(self, _: Call) -> shapes.RenderAsked | web.StreamResponse:
        if (wait := self._renders.wait()) > 0:
            return answer(429, "too_many_renders", "A render was asked for just now.", "api/", {hdrs.RETRY_AFTER: str(int(wait) + 1)})
        self._renders.take()
        self._actions.render_now()
        return shapes.RenderAsked(asked=True)

    async def cancel(self, _: Call) -> shapes.Cancelled:
        return shapes.Cancelled(cancelled=await self._actions.cancel())

    async def follow(self, call: Call) -> web.StreamResponse:
        last = call.request.headers.get("Last-Event-ID", "")
        return await self._stream.serve(call.request, lambda: self._events.subscribe(last))
