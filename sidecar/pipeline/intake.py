"""Takes the draft engine's pictures as the gateway takes Kometa's uploads: by the render's token, into the run's recorder."""

from __future__ import annotations

from datetime import UTC, datetime

from sidecar.errors import EngineError
from sidecar.model import Capture, Grant
from sidecar.pipeline.run import Sink
from sidecar.store import Blobs


class Intake:
    """Open for the tokens of the render in progress only."""

    def __init__(self, blobs: Blobs) -> None:
        self._blobs = blobs
        self._open: dict[str, tuple[Grant, Sink]] = {}

    def open(self, grant: Grant, sink: Sink) -> None:
        self._open[grant.token] = (grant, sink)

    def close(self, token: str) -> None:
        self._open.pop(token, None)

    async def deliver(self, token: str, server: str, rating_key: int, data: bytes) -> None:
        """Keep ``data`` as the poster of ``rating_key``. EngineError for a token that is not open or an item out of its scope."""
        if token not in self._open:
            raise EngineError("a picture came for a render that is over")
        grant, sink = self._open[token]
        scope = grant.scopes.get(server)
        if scope is None or rating_key not in scope.targets:
            raise EngineError(f"a picture came for {rating_key}, which this render does not show")
        blob = await self._blobs.put(data)
        sink.captured(Capture(run_id=grant.run_id, server=server, rating_key=rating_key, kind="poster", blob=blob, at=datetime.now(UTC)))
