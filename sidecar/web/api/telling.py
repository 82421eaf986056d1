"""The operations of notifications: who is told, what waits or was given up, and trying again."""

from __future__ import annotations

from aiohttp import hdrs, web

from sidecar.web.api import shapes
from sidecar.web.api.operation import Call, Operation, Rejected
from sidecar.web.api.source import Telling
from sidecar.web.errors import answer
from sidecar.web.limits import Limit


class Messages:
    """Handlers."""

    def __init__(self, telling: Telling) -> None:
        self._telling = telling
        self._tests = Limit(burst=6, seconds=10)

    def operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                method="GET",
                path="/notifications",
                id="listNotifications",
                summary="The destinations and how they are, and the newest messages to them.",
                handle=self.status,
                answer=shapes.Notifications,
                query=shapes.NotificationsQuery,
            ),
            Operation(
                method="POST",
                path="/notifications/replay",
                id="replayNotifications",
                summary="Send messages again that were given up.",
                handle=self.replay,
                answer=shapes.Replayed,
                body=shapes.Replay,
            ),
            Operation(
                method="POST",
                path="/notifications/test",
                id="testNotifications",
                summary="Send a test to one destination or all; one that was closed and takes it is open again.",
                handle=self.test,
                answer=shapes.Tested,
                body=shapes.TestWanted,
                errors=(404,),
            ),
        )

    async def status(self, call: Call) -> shapes.Notifications:
        found = await self._telling.status(call.asked(shapes.NotificationsQuery).limit)
        return shapes.Notifications.model_validate(found)

    async def replay(self, call: Call) -> shapes.Replayed:
        return shapes.Replayed(replayed=await self._telling.replay(call.asked(shapes.Replay).letters))

    async def test(self, call: Call) -> shapes.Tested | web.StreamResponse:
        if (wait := self._tests.wait()) > 0:
            return answer(429, "too_many_tests", "A test was asked for just now.", "api/", {hdrs.RETRY_AFTER: str(int(wait) + 1)})
        self._tests.take()
        try:
            found = await self._telling.test(call.asked(shapes.TestWanted).destination)
        except KeyError:
            raise Rejected(404, "not_found", "There is no such destination.") from None
        return shapes.Tested(results=[shapes.TestResult(destination=name, ok=not why, error=why or None) for name, why in found.items()])
