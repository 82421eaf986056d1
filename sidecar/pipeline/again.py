"""Renderers that died by themselves, or were killed from outside, are started once more: which, and what comes of it. Pure."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from sidecar.model import Outcome, OutcomeKind, Problem, Severity, Shard, ShardEnd

LEAST: Final = 1.0
"""Seconds of a render's deadline that must be left for a second attempt."""

_RANK: Final = (OutcomeKind.FINISHED, OutcomeKind.FAILED, OutcomeKind.CRASHED, OutcomeKind.DEADLINE, OutcomeKind.CANCELLED)
"""The worst last: a render's outcome is the worst of its shards'."""
_NO_MEMORY: Final = (
    "where nobody killed it, the host or its container is short of memory: give it more (engine.container_memory), "
    "or let fewer render at a time (engine.shards)"
)
_OTHER: Final = "look at the run's log for its last words"


def new_token() -> str:
    """A shard's grant."""
    return secrets.token_urlsafe(24)


def second_attempts(outcome: Outcome, shards: Sequence[Shard], folder: Path, left: float) -> dict[int, Shard]:
    """By index of a shard of ``shards`` whose process died: the same work under an index, a token and a directory of its own.

    ``folder`` is the run's; ``left`` the seconds until its deadline. None where there is no time. Nothing of the dead attempt is
    used again: its process may have left half a file anywhere in its directory.
    """
    if left < LEAST:
        return {}
    dead = [shard for shard in shards if shard.index in outcome.ends and outcome.ends[shard.index].died]
    first = max((shard.index for shard in shards), default=-1) + 1
    return {
        shard.index: replace(shard, index=index, token=new_token(), home=folder / str(index)) for index, shard in enumerate(dead, first)
    }


def joined(first: Outcome, second: Outcome, seconds: Mapping[int, Shard]) -> Outcome:
    """Both attempts as one outcome, in which each shard ended as its last attempt did. ``seconds``: see ``second_attempts``."""
    pairs = {index: (first.ends[index], second.ends.get(shard.index)) for index, shard in seconds.items()}
    told = [_told(index, *pair) for index, pair in pairs.items()]
    # What the engine said of these deaths is said by ``told``, and how each of them was made good.
    deaths = [end.problem for pair in pairs.values() for end in pair if end is not None and end.died]
    problems = [problem for problem in (*first.problems, *second.problems) if problem not in deaths]
    ends = {**{index: end for index, end in first.ends.items() if index not in seconds}, **second.ends}
    worst = max(ends.values(), key=lambda end: _RANK.index(end.kind), default=ShardEnd(kind=second.kind, detail=second.detail))
    return Outcome(
        kind=worst.kind,
        detail=worst.detail,
        problems=(*told, *dict.fromkeys(problems)),
        seconds=first.seconds + second.seconds,
        ends=ends,
    )


def _told(index: int, one: ShardEnd, two: ShardEnd | None) -> Problem:
    what, mend = f"the renderer of shard {index} crashed: {one.detail}", _NO_MEMORY if "SIGKILL" in one.detail else _OTHER
    if two is not None and two.died:
        what += f"; it was started once more and crashed again: {two.detail}"
        return Problem(severity=Severity.ERROR, what=what, mend=mend, source="engine")
    return Problem(severity=Severity.WARNING, what=f"{what}; its pictures were rendered once more", mend=mend, source="engine")
