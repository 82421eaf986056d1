"""The operations that tell: status, runs and what is in them, logs, problems."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from aiohttp import web

from sidecar import model
from sidecar.model import LogLine
from sidecar.web.api import answers, shapes
from sidecar.web.api.following import OVER, Following
from sidecar.web.api.operation import Call, Operation
from sidecar.web.api.runs import Runs
from sidecar.web.api.source import Source
from sidecar.web.stream import Stream

LEVELS: Final = ("TRACE", "DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


class Reading:
    """Handlers."""

    def __init__(self, source: Source, stream: Stream, redact: shapes.Redact) -> None:
        self._source = source
        self._runs = Runs(source)
        self._stream = stream
        self._redact = redact

    def operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                method="GET", path="/status", id="getStatus", summary="What the daemon is doing.", handle=self.status, answer=shapes.Status
            ),
            Operation(
                method="GET",
                path="/runs",
                id="listRuns",
                summary="Runs, newest first, a page at a time.",
                handle=self.runs,
                answer=shapes.Runs,
                query=shapes.RunsQuery,
            ),
            Operation(method="GET", path="/runs/{run}", id="getRun", summary="One run.", handle=self.run, answer=shapes.Run),
            Operation(
                method="GET",
                path="/runs/{run}/targets",
                id="listTargets",
                summary="Its previewed items: pictures before and after, what applied and why.",
                handle=self.targets,
                answer=shapes.Targets,
            ),
            Operation(
                method="GET",
                path="/runs/{run}/captures",
                id="listCaptures",
                summary="What was kept from Plex: pictures, and every other write.",
                handle=self.captures,
                answer=shapes.Captures,
                query=shapes.PageQuery,
            ),
            Operation(
                method="GET",
                path="/runs/{run}/problems",
                id="listRunProblems",
                summary="What was wrong with it, with file and line.",
                handle=self.run_problems,
                answer=shapes.Problems,
            ),
            Operation(
                method="GET",
                path="/runs/{run}/logs",
                id="getLog",
                summary="Kometa's log, also of the run in progress: by level, searched, a page at a time.",
                handle=self.log,
                answer=shapes.Log,
                query=shapes.LogQuery,
            ),
            Operation(
                method="GET",
                path="/runs/{run}/logs/stream",
                id="followLog",
                summary="The same as server-sent events: one `line` each, and an `end`.",
                handle=self.follow,
                media="text/event-stream",
                query=shapes.FollowQuery,
                headers={"Last-Event-ID": "The number of the last line that was seen."},
                errors=(204,),
            ),
            Operation(
                method="GET",
                path="/problems",
                id="listProblems",
                summary="What is wrong now: of the run that ended last, and of the daemon's parts.",
                handle=self.problems,
                answer=shapes.CurrentProblems,
            ),
        )

    async def status(self, _: Call) -> shapes.Status:
        return shapes.Status.model_validate(self._source.status())

    async def runs(self, call: Call) -> shapes.Runs:
        query = call.asked(shapes.RunsQuery)
        # One more than asked for tells whether there is another page.
        found = await self._source.briefs(query.limit + 1, query.before, query.state)
        page = [answers.run_item(brief) for brief in found[: query.limit]]
        return shapes.Runs(runs=page, next=page[-1].id if len(found) > query.limit else None)

    async def run(self, call: Call) -> shapes.Run:
        run = await self._runs.whole(call)
        return answers.run(run, await self._source.review(run.id))

    async def targets(self, call: Call) -> shapes.Targets:
        run = await self._runs.whole(call)
        return shapes.Targets(run=run.id, targets=[answers.target(picture, run) for picture in run.pictures])

    async def captures(self, call: Call) -> shapes.Captures:
        query = call.asked(shapes.PageQuery)
        return answers.captures(await self._runs.whole(call), query.after, query.limit)

    async def run_problems(self, call: Call) -> shapes.Problems:
        run = await self._runs.whole(call)
        return shapes.Problems(run=run.id, problems=answers.problems(run.problems))

    async def problems(self, _: Call) -> shapes.CurrentProblems:
        status = shapes.Status.model_validate(self._source.status())
        run = await self._source.run(status.latest) if status.latest else None
        own: Sequence[model.Problem] = self._source.problems()
        return shapes.CurrentProblems(
            run=run.id if run else None,
            problems=answers.problems((*own, *(run.problems if run else ()))),
            health=[answers.health(part) for part in self._source.health() if not part.ok],
        )

    async def log(self, call: Call) -> shapes.Log:
        query = call.asked(shapes.LogQuery)
        run_id = await self._runs.id(call)
        lines, seen, live = await self._source.log(run_id, after=query.after, limit=query.limit, wanted=self._wanted(query))
        return shapes.Log(
            run=run_id,
            lines=[answers.line(number, line) for number, line in lines],
            next=seen if live or len(lines) == query.limit else None,
            live=live,
        )

    async def follow(self, call: Call) -> web.StreamResponse:
        query = call.asked(shapes.FollowQuery)
        run_id = await self._runs.id(call)
        seen = call.request.headers.get("Last-Event-ID", "")
        if seen == OVER:
            return web.Response(status=204)
        after = int(seen) if seen.isascii() and seen.isdecimal() and len(seen) < 10 else 0
        return await self._stream.serve(call.request, lambda: Following(self._source, run_id, after, self._wanted(query), self._redact))

    def _wanted(self, query: shapes.FollowQuery) -> Callable[[LogLine], bool]:
        lowest = LEVELS.index(query.level)
        text = query.q.casefold()

        def wanted(line: LogLine) -> bool:
            # A level that is not known is never left out. What is masked cannot be found: else a search could guess it.
            high = line.level not in LEVELS or LEVELS.index(line.level) >= lowest
            return high and (not text or text in self._redact(line.text).casefold())

        return wanted
