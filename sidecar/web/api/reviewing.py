"""The operations of reviewing: how runs differ from what was approved, and what people decide of it."""

from __future__ import annotations

from typing import Final

from sidecar.web.api import answers, shapes
from sidecar.web.api.operation import Call, Operation, Rejected
from sidecar.web.api.runs import Runs
from sidecar.web.api.source import Reviewing, Source
from sidecar.web.auth import ENTRY, Entry
from sidecar.web.callers import CALLER

_WAYS: Final = {Entry.OPEN: "this machine", Entry.COOKIE: "gallery", Entry.BEARER: "API"}
"""By whom, where nobody says."""


class Judging:
    """Handlers."""

    def __init__(self, source: Source, reviewing: Reviewing) -> None:
        self._source = source
        self._runs = Runs(source)
        self._reviewing = reviewing

    def operations(self) -> tuple[Operation, ...]:
        return (
            Operation(
                method="GET",
                path="/runs/{run}/review",
                id="getReview",
                summary="The run compared with what was approved: status, difference and groups, and what was edited.",
                handle=self.review,
                answer=shapes.Review,
            ),
            Operation(
                method="GET",
                path="/targets/{target}/timeline",
                id="getTimeline",
                summary="An item's past pictures, each with the edit that made it.",
                handle=self.timeline,
                answer=shapes.Timeline,
                query=shapes.TimelineQuery,
            ),
            Operation(
                method="GET",
                path="/baselines",
                id="listBaselines",
                summary="Where each item stands: its approved picture, and the last word on it.",
                handle=self.baselines,
                answer=shapes.Baselines,
            ),
            Operation(
                method="GET",
                path="/decisions",
                id="listDecisions",
                summary="Approvals and rejections, newest first: who, when, and what was undone.",
                handle=self.decisions,
                answer=shapes.Decisions,
                query=shapes.DecisionsQuery,
            ),
            *(
                Operation(
                    method="POST",
                    path=f"/{verb}",
                    id=verb,
                    summary=summary,
                    handle=handle,
                    answer=shapes.Decided,
                    body=body,
                    errors=(404, 409),
                )
                for verb, summary, handle, body in (
                    ("approve", "Make pictures of a run the baselines.", self.approve, shapes.Judgement),
                    ("reject", "Say that pictures of a run are not wanted; baselines stay.", self.reject, shapes.Judgement),
                    ("undo", "Take back what was decided at once, by default the last.", self.undo, shapes.Undo),
                )
            ),
        )

    async def review(self, call: Call) -> shapes.Review:
        review = await self._source.review(await self._runs.id(call))
        if review is None:
            raise Rejected(404, "not_compared", "This run was not compared: it is not done, or was done just now.")
        return answers.review(review)

    async def timeline(self, call: Call) -> shapes.Timeline:
        target = call.name("target")
        moments = await self._source.timeline(target, call.asked(shapes.TimelineQuery).limit)
        if not moments:
            raise Rejected(404, "not_found", "No run shows such a target.")
        return shapes.Timeline(target=target, moments=[answers.moment(each) for each in moments])

    async def baselines(self, _: Call) -> shapes.Baselines:
        standings = await self._source.standings()
        return shapes.Baselines(baselines=[answers.standing(standings[target]) for target in sorted(standings)])

    async def decisions(self, call: Call) -> shapes.Decisions:
        query = call.asked(shapes.DecisionsQuery)
        found = await self._source.decisions(query.target or "", query.limit)
        return shapes.Decisions(decisions=[answers.decision(each) for each in found])

    async def approve(self, call: Call) -> shapes.Decided:
        asked = call.asked(shapes.Judgement)
        return answers.decided(await self._reviewing.approve(asked.run, asked.targets, asked.group, who=_who(call, asked.who)))

    async def reject(self, call: Call) -> shapes.Decided:
        asked = call.asked(shapes.Judgement)
        return answers.decided(await self._reviewing.reject(asked.run, asked.targets, asked.group, who=_who(call, asked.who)))

    async def undo(self, call: Call) -> shapes.Decided:
        asked = call.asked(shapes.Undo)
        return answers.decided(await self._reviewing.undo(asked.batch, who=_who(call, asked.who)))


def _who(call: Call, said: str) -> str:
    """As the caller says, else how it came in. There is one token: nobody is really told apart."""
    entry, caller = call.request[ENTRY], call.request[CALLER]
    way = _WAYS.get(entry, "")
    return said.strip() or (way if entry is Entry.OPEN or not caller.address else f"{way}, {caller.address}")
