"""Which run a path means."""

from __future__ import annotations

from typing import Final

from sidecar.model import Run, RunState
from sidecar.web.api.operation import Call, Rejected
from sidecar.web.api.source import Source

ALIASES: Final = ("latest", "shown")


class Runs:
    """Finds the run that ``{run}`` stands for: an id, ``latest``, or ``shown`` for the last good one."""

    def __init__(self, source: Source) -> None:
        self._source = source

    async def id(self, call: Call) -> str:
        """Its id. Rejected with 404 where there is none."""
        name = await self._name(call)
        if call.name("run") not in ALIASES and not await self._source.known(name):
            raise _nothing()
        return name

    async def whole(self, call: Call) -> Run:
        """The run itself. Rejected with 404 where there is none."""
        run = await self._source.run(await self._name(call))
        if run is None:
            raise _nothing()
        return run

    async def _name(self, call: Call) -> str:
        """The id that is meant; whether there is such a run is not looked at where it was given by its id."""
        name = call.name("run")
        if name not in ALIASES:
            return name
        newest = await self._source.briefs(1, None, RunState.DONE if name == "shown" else None)
        if not newest:
            raise _nothing()
        return newest[0].id


def _nothing() -> Rejected:
    return Rejected(404, "not_found", "There is no such run.")
