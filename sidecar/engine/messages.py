"""What a worker's messages mean: events, outcomes, problems. Pure; ``client`` has the connection that they come over."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from sidecar.errors import EngineError, EngineMismatch
from sidecar.model import EngineEvent, LogLine, OutcomeKind, OverlayReport, Phase, Problem, QuickPicture, Severity, ShardEnd

MAX_PROBLEMS = 200
MENDS: Final = MappingProxyType(
    {
        "phase_deadline": "look at the run's log for what Kometa was waiting for; if it only needs longer, raise engine.phase_deadline",
        "memory": "look for very large images among the overlays and posters; if Kometa needs that much, raise engine.memory",
    }
)
"""By the limit that a shard passed."""
ORDINARY = re.compile(r"No matches found with regex pattern|No Items found")
"""Kometa's ERROR lines that are no fault of anybody's: a default overlay file asks for kinds of media that a library, or the few
items of a preview, need not have."""

Problems = dict[tuple[str, str], Problem]
"""By kind and text: each once, however many shards met it."""


def events_of(message: Mapping[str, Any]) -> Iterator[EngineEvent]:
    """The events that a worker's message means; none of one that this version does not know."""
    shard = message.get("shard")
    shard = shard if isinstance(shard, int) else 0
    if message.get("type") == "lines":
        lines = message.get("lines")
        for line in lines if isinstance(lines, list) else ():
            if isinstance(line, list) and len(line) == 3:
                yield LogLine(level=str(line[0]), text=str(line[1]), shard=shard, source=str(line[2]))
    elif (event := _event_of(message, shard)) is not None:
        yield event


def _event_of(message: Mapping[str, Any], shard: int) -> EngineEvent | None:
    match message.get("type"):
        case "log":
            return LogLine(
                level=str(message.get("level", "INFO")),
                text=str(message.get("text", "")),
                shard=shard,
                source=str(message.get("source", "")),
                item=(str(message.get("server", "")), key) if isinstance(key := message.get("rating_key"), int) else None,
            )
        case "phase":
            return Phase(name=str(message.get("name", "")), shard=shard, detail=str(message.get("detail", "")))
        case "quick" if isinstance(message.get("rating_key"), int):
            return QuickPicture(server=str(message.get("server", "")), rating_key=message["rating_key"], shard=shard)
        case "overlays" if isinstance(message.get("rating_key"), int):
            return OverlayReport(
                server=str(message.get("server", "")),
                rating_key=message["rating_key"],
                applied=_mappings(message.get("applied")),
                left_out=_mappings(message.get("left_out")),
            )
    return None


def _mappings(value: object) -> tuple[Mapping[str, object], ...]:
    return tuple(entry for entry in value if isinstance(entry, dict)) if isinstance(value, list) else ()


def kind_of(done: Mapping[str, Any]) -> OutcomeKind:
    """How a ``done`` message says that the job ended. EngineError for ``refused``, EngineMismatch for an outcome of another version."""
    if done.get("type") == "refused":
        raise EngineError(f"the worker refused the render: {done.get('detail', '')}")
    try:
        return OutcomeKind(str(done.get("outcome")))
    except ValueError as error:
        raise EngineMismatch(f"the worker ended a render with the unknown outcome {done.get('outcome')!r}") from error


def remember(problems: Problems, event: EngineEvent) -> None:
    """Keep Kometa's errors, each once however many shards met it."""
    if not isinstance(event, LogLine) or event.level not in ("ERROR", "CRITICAL") or len(problems) >= MAX_PROBLEMS:
        return
    text = event.text.strip()
    if text and not ORDINARY.search(text):
        problems.setdefault((event.level, text), Problem(severity=Severity.ERROR, what=text, source="kometa"))


def end_of(message: Mapping[str, Any]) -> ShardEnd:
    """What a ``shard`` message says. An outcome of another version counts as a crash."""
    outcome, detail, limit = (str(message.get(name, "")) for name in ("outcome", "detail", "limit"))
    kind = OutcomeKind(outcome) if outcome in set(OutcomeKind) else OutcomeKind.CRASHED
    what = mend = ""
    if limit in MENDS:
        what, mend = f"the renderer of shard {message.get('shard')} was ended: {detail}", MENDS[limit]
    elif kind is OutcomeKind.CRASHED:
        what = f"the renderer of shard {message.get('shard')} crashed: {detail}"
    elif kind is OutcomeKind.DEADLINE:
        what = "Kometa did not end before the deadline"
    problem = Problem(severity=Severity.ERROR, what=what, mend=mend, source="engine") if what else None
    return ShardEnd(kind=kind, detail=detail, limit=limit if limit in MENDS else "", problem=problem)


def remember_end(problems: Problems, end: ShardEnd) -> None:
    """Keep what is to be told of a shard that did not come to its end."""
    if end.problem is not None:
        problems.setdefault((end.kind, end.problem.what), end.problem)
