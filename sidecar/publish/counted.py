"""Lists made short: equal problems once, equal writes once. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from sidecar.model import BlockedWrite, Problem, Severity

_SEVERITIES: Final = tuple(Severity)


@dataclass(frozen=True, slots=True)
class Counted:
    """Equal problems, once."""

    problem: Problem
    target: str
    """Label of the only target it concerns, else empty."""
    times: int


@dataclass(frozen=True, slots=True)
class Writes:
    """Blocked writes that are alike: one row."""

    write: BlockedWrite
    times: int


def count_problems(problems: Iterable[Problem], labels: Mapping[str, str]) -> list[Counted]:
    """Errors first; equal problems of several targets once, with their number."""
    groups: dict[tuple[object, ...], list[Problem]] = {}
    for problem in problems:
        key = (_SEVERITIES.index(problem.severity), problem.what, problem.mend, problem.file, problem.line)
        groups.setdefault(key, []).append(problem)
    return [
        Counted(group[0], labels.get(group[0].target, "") if len(group) == 1 else "", len(group))
        for _, group in sorted(groups.items(), key=lambda item: item[0][0:1])
    ]


def count_writes(writes: Iterable[BlockedWrite]) -> list[Writes]:
    """Unexpected writes first; equal ones once."""
    counts: Counter[tuple[bool, str, str, str, str]] = Counter()
    first: dict[tuple[bool, str, str, str, str], BlockedWrite] = {}
    for write in writes:
        key = (write.expected, write.server, write.method, write.path, write.meaning)
        counts[key] += 1
        first.setdefault(key, write)
    return [Writes(first[key], counts[key]) for key in sorted(counts, key=lambda key: key[0])]
