"""Which shards are rendered once more, and what both attempts together came to."""

from __future__ import annotations

from pathlib import Path

from sidecar.engine.messages import end_of
from sidecar.model import Outcome, OutcomeKind, Severity, Shard, ShardEnd
from sidecar.pipeline.again import joined, second_attempts

FOLDER = Path("/exchange/work/run")
SHARDS = tuple(Shard(index=index, token=f"token-{index}", home=FOLDER / str(index), targets=()) for index in range(3))


def end(shard: int, outcome: str, detail: str = "", limit: str = "") -> ShardEnd:
    return end_of({"type": "shard", "shard": shard, "outcome": outcome, "detail": detail, "limit": limit})


def outcome(**ends: ShardEnd) -> Outcome:
    found = {int(name[1:]): one for name, one in ends.items()}
    return Outcome(kind=OutcomeKind.CRASHED, ends=found, problems=tuple(one.problem for one in found.values() if one.problem), seconds=2.0)


def test_only_what_died_is_tried_again_and_in_a_place_of_its_own() -> None:
    first = outcome(s0=end(0, "finished"), s1=end(1, "crashed", "SIGKILL"), s2=end(2, "crashed", "too much", "memory"))
    seconds = second_attempts(first, SHARDS, FOLDER, 60.0)
    assert list(seconds) == [1]
    assert (seconds[1].index, seconds[1].home) == (3, FOLDER / "3")
    assert len(seconds[1].token) > 16
    assert seconds[1].token != SHARDS[1].token
    assert second_attempts(first, SHARDS, FOLDER, 0.5) == {}, "the deadline is the render's, not an attempt's"


def test_deadlines_failures_and_engines_without_processes_are_not_tried_again() -> None:
    first = outcome(s0=end(0, "deadline"), s1=end(1, "failed", "Config Error"), s2=end(2, "deadline", "no progress", "phase_deadline"))
    assert second_attempts(first, SHARDS, FOLDER, 60.0) == {}
    assert second_attempts(Outcome(kind=OutcomeKind.CRASHED), SHARDS, FOLDER, 60.0) == {}


def test_a_second_attempt_that_ends_well_makes_good_what_the_first_one_did_not() -> None:
    first = outcome(s0=end(0, "finished"), s1=end(1, "crashed", "ended by SIGKILL"))
    seconds = second_attempts(first, SHARDS, FOLDER, 60.0)
    both = joined(first, Outcome(kind=OutcomeKind.FINISHED, ends={3: end(3, "finished")}, seconds=1.0), seconds)
    assert (both.kind, both.detail, both.seconds) == (OutcomeKind.FINISHED, "", 3.0)
    assert set(both.ends) == {0, 3}
    (told,) = both.problems
    assert told.severity is Severity.WARNING
    assert told.what == "the renderer of shard 1 crashed: ended by SIGKILL; its pictures were rendered once more"
    assert "memory" in told.mend


def test_what_the_others_came_to_is_not_forgotten() -> None:
    first = outcome(s0=end(0, "failed", "Config Error: x"), s1=end(1, "crashed", "status 3"))
    both = joined(first, Outcome(kind=OutcomeKind.FINISHED, ends={3: end(3, "finished")}), second_attempts(first, SHARDS, FOLDER, 60.0))
    assert (both.kind, both.detail) == (OutcomeKind.FAILED, "Config Error: x")


def test_two_deaths_are_one_problem() -> None:
    first = outcome(s1=end(1, "crashed", "status 3"))
    seconds = second_attempts(first, SHARDS, FOLDER, 60.0)
    both = joined(first, outcome(s3=end(3, "crashed", "status 4")), seconds)
    assert both.kind is OutcomeKind.CRASHED
    (told,) = both.problems
    assert told.severity is Severity.ERROR
    assert told.what == "the renderer of shard 1 crashed: status 3; it was started once more and crashed again: status 4"


def test_a_second_attempt_that_passes_a_bound_says_both() -> None:
    first = outcome(s1=end(1, "crashed", "status 3"))
    seconds = second_attempts(first, SHARDS, FOLDER, 60.0)
    both = joined(first, outcome(s3=end(3, "deadline", "no progress for 4 s", "phase_deadline")), seconds)
    assert both.kind is OutcomeKind.DEADLINE
    assert [problem.severity for problem in both.problems] == [Severity.WARNING, Severity.ERROR]
    assert "no progress" in both.problems[1].what
