"""Which run a path means."""

from __future__ import annotations

from sidecar.model import Run, RunState
from sidecar.web.api.operation import Call, Rejected
from sidecar.web.api.source import Source


class Runs:
    """Finds the run that ``{run}`` stands for: an id, ``latest``, or ``shown`` for the last good one."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def id(self, call: Call) -> str:
        """Its id. Rejected with 404 where there is none."""
        name = call.name("run")
        if name in ("latest", "shown"):
            newest = await self._source.briefs(1, None, RunState.DONE if name == "shown" else None)
            name = newest[0].id if newest else ""
        elif not await self._source.known(name):
            name = ""
        if not name:
            raise Rejected(404, "not_found", "There is no such run.")
        return name

    async def whole(self, call: Call) -> Run:
        """The run itself. Rejected with 404 where there is none."""
        run = await self._source.run(await self.id(call))
        if run is None:
            raise Rejected(404, "not_found", "There is no such run.")
        return run
