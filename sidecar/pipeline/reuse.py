"""What an edit cannot have changed is not rendered: a library whose pictures would come from the same things keeps its pictures. Pure.

What a library's pictures come from is its *source*: the engine, its section of config.yml and what is common to all, every file it
reaches, the items that are rendered together, what Plex holds (by the epoch that the gateway vouches for), and the day (Kometa's
templates and filters may ask for the date). Each part is kept as a short hash with the picture, so that a later run can also say
what is different. What other hosts answer has no epoch: so a picture is carried on for a day at most, or for as long as their answers
are kept. Where only time stamps say that Plex is the same, it is for a quarter of an hour, as for Plex's answers themselves.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sidecar.model import EngineInfo, Picture, PictureState, PreviewConfig, Problem, Revision, Run, Target

LONGEST = timedelta(days=1)
"""For how long after it was rendered a picture may be carried on: as long as other hosts' answers are kept by default."""

UNHEARD = timedelta(minutes=15)
"""Likewise, where Plex's notifications were not heard all the time since."""

_WORDS = {
    "engine": "Kometa or its Pillow",
    "config": "config.yml",
    "files": "overlay files, images or fonts",
    "targets": "the items previewed",
    "hosts": "what other hosts may be asked",
    "plex": "Plex",
    "day": "the date",
}
_RENDERS = ("kometa", "engine", "egress", "gateway", "plex")
"""Sources of problems that a render finds; the others are found anew for each revision."""
_KEPT = (PictureState.RENDERED, PictureState.UNTOUCHED, PictureState.REUSED)

Library = tuple[str, str]
"""Server and Plex's name of a library section."""


@dataclass(frozen=True, slots=True)
class Sorted:
    """The targets of a plan, sorted out."""

    render: tuple[Target, ...]
    reused: tuple[Picture, ...]
    problems: tuple[Problem, ...]
    """Of the run that rendered what is reused: they still hold."""
    sources: Mapping[Library, str]
    why: Mapping[Library, str]
    """For people: why a library is rendered."""

    def source_of(self, library: Library, met: Iterable[Problem]) -> str:
        """What a picture that was rendered now comes from; empty where a problem was ``met`` that may be gone at the next try."""
        return "" if any(problem.passing for problem in met) else self.sources.get(library, "")


def sources(
    revision: Revision,
    preview: PreviewConfig,
    meanings: Mapping[str, str],
    targets: Iterable[Target],
    engine: EngineInfo,
    plex: Mapping[str, str],
    day: date,
    outside: str = "",
) -> dict[Library, str]:
    """Each library's source as text.

    ``meanings``: of files whose comments do not count, by path. ``plex``: what stands for the state of each server; where it is missing
    or empty, so is the source. ``outside``: what stands for the ways to other hosts.
    """
    of: dict[Library, list[Target]] = {}
    for target in targets:
        of.setdefault((target.server, target.library), []).append(target)
    common = {key: value for key, value in preview.data.items() if key != "libraries"}
    sections = preview.data.get("libraries")
    found = {}
    for library, mine in of.items():
        keys = {plan.key for plan in revision.libraries if (plan.server, plan.name) == library}
        files = [
            (file.path, meanings.get(file.path) or file.sha256)
            for file in revision.files
            if file.path != "config/config.yml" and (not file.libraries or file.libraries & keys)
        ]
        parts = {
            "engine": (engine.kind, engine.version, engine.build, engine.python, engine.pillow, engine.layout),
            "config": (
                common,
                {key: section for key, section in sections.items() if key in keys} if isinstance(sections, Mapping) else None,
            ),
            "files": files,
            "targets": sorted((target.id, target.level, target.thumb) for target in mine),
            "hosts": (sorted(preview.hosts), outside),
            "plex": plex.get(library[0], ""),
            "day": day.isoformat(),
        }
        state = parts["plex"]
        found[library] = " ".join(f"{name}={_hash(value)}" for name, value in parts.items()) if state else ""
    return found


@dataclass(frozen=True, slots=True)
class Trust:
    """For how long pictures may be carried on."""

    heard: Mapping[str, datetime]
    """By server: since when Plex's notifications are heard without a gap; none where they are not."""
    most: timedelta = LONGEST
    """For as long as other hosts' answers are kept."""

    def doubt(self, server: str, rendered: datetime, at: datetime) -> str:
        """Why what was ``rendered`` then may not be carried on; empty where it may."""
        heard = self.heard.get(server)
        if at - rendered >= LONGEST:
            return "it was rendered more than a day ago"
        if at - rendered >= self.most:
            return "it was rendered longer ago than other hosts' answers are kept"
        if (heard is None or rendered < heard) and at - rendered >= UNHEARD:
            return "Plex's notifications were not heard all the time since"
        return ""


def sort_out(
    targets: Sequence[Target],
    now: Mapping[Library, str],
    last: Run | None,
    asked: bool,
    at: datetime,
    only: Sequence[str] = (),
    *,
    trust: Trust,
) -> Sorted:
    """Which of ``targets`` are to be rendered, and the pictures of the others as they were in ``last``, the last good run.

    ``asked``: render although nothing changed; with ``only``, of these libraries.
    """
    known = {picture.target.id: picture for picture in last.pictures} if last else {}
    render: list[Target] = []
    reused: list[Picture] = []
    why: dict[Library, str] = {}
    libraries = dict.fromkeys((target.server, target.library) for target in targets)
    for library in libraries:
        mine = [target for target in targets if (target.server, target.library) == library]
        before = [known.get(target.id) for target in mine]
        wanted = asked and (not only or library[1] in only)
        why[library] = _reason(now.get(library, ""), before, wanted, functools.partial(trust.doubt, library[0], at=at))
        if why[library]:
            render += mine
        else:
            reused += [_carried(picture, target, last) for picture, target in zip(before, mine, strict=True) if picture and last]
    kept = {library for library in libraries if not why[library]}
    problems = tuple(problem for problem in last.problems if _holds(problem, kept, alone=not render)) if last and kept else ()
    return Sorted(tuple(render), tuple(reused), problems, dict(now), why)


def _reason(source: str, before: Sequence[Picture | None], asked: bool, doubt: Callable[[datetime], str]) -> str:
    if asked:
        return "it was asked for"
    if not source:
        return "nobody can say whether Plex has changed"
    old = {picture.source if picture and picture.state in _KEPT else "" for picture in before}
    if old == {source}:
        times = [picture.rendered for picture in before if picture and picture.rendered]
        return doubt(min(times)) if len(times) == len(before) else "nobody can say when it was rendered"
    if not all(old):
        return "there is no good picture of it yet"
    changed = {name for text in old for name in _changed(text, source)}
    return " and ".join(words for name, words in _WORDS.items() if name in changed) + " changed"


def _changed(old: str, new: str) -> set[str]:
    return {part.partition("=")[0] for part in {*old.split()} ^ {*new.split()}}


def _carried(picture: Picture, target: Target, last: Run | None) -> Picture:
    run = picture.run or (last.id if last else "")
    return replace(picture, target=target, state=PictureState.REUSED, run=run, reason="nothing that it depends on changed")


def _holds(problem: Problem, kept: set[Library], *, alone: bool) -> bool:
    """Whether a problem of the last run belongs to what is reused; ``alone``: nothing is rendered that could meet it again."""
    if problem.library:
        return any(problem.library == name for _, name in kept)
    return alone and problem.source in _RENDERS


def _hash(value: object) -> str:
    text = json.dumps(value, sort_keys=True, default=str, ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
