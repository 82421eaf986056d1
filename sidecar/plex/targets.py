"""From libraries and wishes to targets and what a render may see of them."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from sidecar.errors import PlexError
from sidecar.model import Level, LibraryPlan, Problem, Scope, Severity, Target
from sidecar.plex.choose import choose
from sidecar.plex.client import Reader
from sidecar.plex.items import HIERARCHY, Item, items_of
from sidecar.plex.sample import pick, with_leaves
from sidecar.plex.together import together
from sidecar.plex.wishes import Found, Place, TargetWishes, find, memory_of, name_of

CHILDREN: Final = 4
"""Seasons, and episodes, chosen of a library by default."""
MOST_VISIBLE: Final = 2_000
"""Rating keys that a render may see of one server; Kometa's counts and sums are of these."""

_LISTED: Final = "listed"

Remembered = Mapping[tuple[str, int], Mapping[str, int]]
"""(Plex's machine identifier, section) -> a name of ours -> rating key. Opaque to everybody else: store it, hand it back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TargetPlan:
    """What to render."""

    targets: tuple[Target, ...]
    """Library by library in the config's order; of each the top level, then seasons, then episodes."""
    scopes: Mapping[str, Scope]
    """By server name; of servers that have targets."""
    problems: tuple[Problem, ...]
    remembered: Remembered
    gone: tuple[Target, ...] = ()
    """Targets that were listed or found before, and that Plex no longer has. Of these little more than the key is known."""


@dataclass(slots=True)
class _Family:
    """A movie, or a show with what is below it."""

    top: Item
    seasons: list[Item] = field(default_factory=list)
    leaves: list[Item] = field(default_factory=list)
    cut: bool = False


@dataclass(slots=True)
class _Plan:
    targets: dict[tuple[str, int], Target] = field(default_factory=dict)
    visible: dict[str, dict[int, None]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    remembered: dict[tuple[str, int], dict[str, int]] = field(default_factory=dict)
    gone: list[Target] = field(default_factory=list)


async def resolve_targets(
    readers: Mapping[str, Reader], libraries: Sequence[LibraryPlan], wanted: TargetWishes, remembered: Remembered
) -> TargetPlan:
    """The targets of ``libraries``: the listed ones, and up to ``wanted.per_library`` of each chosen to differ.

    What was chosen before (``remembered``) is kept while it exists, so that runs can be compared. What cannot be found is a
    problem, not an error; PlexError is raised only where no server can be asked.
    """
    plan = _Plan()
    places = await _places(readers, libraries, plan)
    for name in sorted({place.plan.server for place in places}):
        plan.visible[name] = {}
    listed = await together(find(wish, places, remembered) for wish in wanted.listed) if places else []
    for wish, found in zip(wanted.listed, listed, strict=False):
        _note_listed(plan, found, name_of(wish), memory_of(wish))
    extra = await together(find(wish, places, remembered) for wish in wanted.extra) if places else []
    listed = [*listed, *(found for found in extra if found.item is not None)]
    by_library = await together(_library(place, wanted, listed, remembered, plan.problems) for place in places)
    for place, (targets, families, memory) in zip(places, by_library, strict=True):
        plan.remembered.setdefault((place.machine, place.section.key), {}).update(memory)
        for target in targets:
            plan.targets.setdefault((target.server, target.rating_key), target)
        _see(plan, place, families)
    return TargetPlan(
        targets=tuple(plan.targets.values()),
        scopes=_scopes(plan, places),
        problems=tuple(dict.fromkeys(plan.problems)),
        remembered=plan.remembered,
        gone=tuple(plan.gone),
    )


# ── libraries ────────────────────────────────────────────────────────────────────────────────────────────


async def _places(readers: Mapping[str, Reader], libraries: Sequence[LibraryPlan], plan: _Plan) -> list[Place]:
    servers: dict[str, tuple[str, Mapping[str, object]]] = {}
    places: list[Place] = []
    first: PlexError | None = None
    for name in dict.fromkeys(library.server for library in libraries):
        reader = readers.get(name)
        if reader is None:
            plan.problems.append(_problem(f"there is no Plex server {name} in the config", "give the library a plex: with url and token"))
            continue
        mine = [library for library in libraries if library.server == name]
        try:
            machine = (await reader.facts()).machine_identifier
            sections = await reader.sections()
        except PlexError as error:
            first = first or error
            names = ", ".join(library.name for library in mine)
            plan.problems.append(
                _problem(f"{error}; nothing is rendered of {names}", "the other servers' libraries are rendered meanwhile")
            )
            continue
        servers[name] = (machine, sections)
        for library in mine:
            section = sections.get(library.name)
            if section is None:
                plan.problems.append(_no_library(library, list(sections)))
            elif section.type not in HIERARCHY:
                plan.problems.append(_problem(f"the library {library.name} is of type {section.type}: Kometa draws no overlays there", ""))
            else:
                places.append(Place(library, section, reader, machine))
    if first is not None and not servers:
        raise first
    return places


def _no_library(library: LibraryPlan, titles: list[str]) -> Problem:
    by_fold = {title.casefold(): title for title in titles}
    near = difflib.get_close_matches(library.name.casefold(), by_fold, n=3, cutoff=0.4)
    have = ", ".join(by_fold[name] for name in near) if near else ", ".join(sorted(titles)) or "none"
    words = "the nearest" if near else "there are"
    return _problem(
        f"Plex has no library {library.name}; {words}: {have}", "correct the name under libraries: in config.yml, or set library_name"
    )


def _problem(what: str, mend: str) -> Problem:
    return Problem(severity=Severity.ERROR, what=what, mend=mend, source="targets")


# ── one library ──────────────────────────────────────────────────────────────────────────────────────────


async def _library(
    place: Place, wanted: TargetWishes, listed: Sequence[Found], remembered: Remembered, problems: list[Problem]
) -> tuple[list[Target], list[_Family], dict[str, int]]:
    own = [found.item for found in listed if found.place is place and found.item is not None]
    chosen, memory = await _automatic(place, wanted, remembered, problems)
    tops = {item.key: item for item, _ in chosen}
    above = [item.top for item in own if item.top not in tops]
    tops |= {item.key: item for item in items_of(await place.reader.items(above))}
    families = {family.top.key: family for family in await together(_family(place, top) for top in tops.values())}
    chosen = _told_anew(chosen, families)
    levels = place.plan.levels or {place.levels[0]}
    picked: list[tuple[Item, str]] = [(item, _LISTED) for item in own]
    if place.levels[0] in levels:
        picked += chosen
    hosts = [families[item.key] for item, _ in chosen if item.key in families]
    if len(place.levels) == 3:
        below = [(place.levels[1], wanted.seasons, _seasons), (place.levels[2], wanted.episodes, _episodes)]
        for level, wish, order in below:
            if level in levels:
                picked += [(item, f"of {item.top_title}") for item in order(hosts)[: CHILDREN if wish is True else int(wish)]]
    order_of = {level: number for number, level in enumerate(place.levels)}
    picked = list({item.key: (item, why) for item, why in reversed(picked)}.values())[::-1]  # listed wins over chosen
    full = {item.key: item for item in items_of(await place.reader.items([item.key for item, _ in picked]))}
    targets = [_target(place, full[item.key], why, families) for item, why in picked if item.key in full]
    return sorted(targets, key=lambda target: order_of.get(target.level, 9)), list(families.values()), memory


async def _automatic(
    place: Place, wanted: TargetWishes, remembered: Remembered, problems: list[Problem]
) -> tuple[list[tuple[Item, str]], dict[str, int]]:
    if wanted.per_library <= 0:
        return [], {}
    memory = remembered.get((place.machine, place.section.key), {})
    before = [key for name, key in sorted(memory.items(), key=lambda entry: _number_of(entry[0])) if name.startswith("auto/")]
    known = {item.key: item for item in items_of(await place.reader.items(before))} if before else {}
    if lost := [str(key) for key in before if key not in known]:
        what = f"{place.section.title}: chosen before and no longer on Plex: {', '.join(lost)}; others take their place"
        problems.append(Problem(severity=Severity.INFO, what=what, source="targets"))
    kept = [item for key in before if (item := known.get(key)) and (item.section, item.level) == (place.section.key, place.levels[0])]
    choices = await pick(place, wanted.per_library, kept)
    return [(choice.item, choice.why) for choice in choices], {f"auto/{number}": choice.item.key for number, choice in enumerate(choices)}


def _number_of(name: str) -> int:
    number = name.partition("/")[2]
    return int(number) if number.isdecimal() else 0


async def _family(place: Place, top: Item) -> _Family:
    """A show with its seasons and episodes; Kometa reads these of it (builders, and sums such as runtimes and counts)."""
    if top.level is Level.MOVIE:
        return _Family(top)
    seasons, leaves = await together(place.reader.children(top.key, leaves=deep, size=MOST_VISIBLE) for deep in (False, True))
    cut = seasons.total > len(seasons.items) or leaves.total > len(leaves.items)
    return _Family(top, items_of(seasons.items), items_of(leaves.items), cut)


def _told_anew(chosen: Sequence[tuple[Item, str]], families: Mapping[int, _Family]) -> list[tuple[Item, str]]:
    """Why these, with what shows show of their episodes: in the same words when they were only kept."""
    whole = [with_leaves(item, families[item.key].leaves) if item.key in families else item for item, _ in chosen]
    keys = [item.key for item, _ in chosen]
    return [(item, choice.why) for (item, _), choice in zip(chosen, choose(whole, len(whole), keys), strict=True)]


def _seasons(families: Sequence[_Family]) -> list[Item]:
    """The first season of each show, then the second of each, ...; specials last."""
    rows = [sorted(family.seasons, key=lambda item: (not item.index, item.index or 0, item.key)) for family in families]
    return _in_turns(rows)


def _episodes(families: Sequence[_Family]) -> list[Item]:
    """The first episode of each show's first season, then of its second, ...; then the second ones."""
    rows = []
    for family in families:
        by_season: dict[int | None, list[Item]] = {}
        for leaf in sorted(family.leaves, key=lambda item: (not item.parent_index, item.parent_index or 0, item.index or 0, item.key)):
            by_season.setdefault(leaf.parents[0] if leaf.parents else None, []).append(leaf)
        rows.append(_in_turns(list(by_season.values())))
    return _in_turns(rows)


def _in_turns(rows: Sequence[Sequence[Item]]) -> list[Item]:
    longest = max(map(len, rows), default=0)
    return [row[turn] for turn in range(longest) for row in rows if turn < len(row)]


def _target(place: Place, item: Item, why: str, families: Mapping[int, _Family]) -> Target:
    """Kometa looks for the assets of seasons and episodes under their show's folder."""
    top = families.get(item.top)
    locations = top.top.locations if top is not None and item.parents else ()
    section = place.section
    return item.target(server=place.plan.server, section=section.key, library=section.title, why=why, locations=locations)


# ── all together ─────────────────────────────────────────────────────────────────────────────────────────


def _note_listed(plan: _Plan, found: Found, name: str, memory: str) -> None:
    if found.problem is not None:
        plan.problems.append(found.problem)
    for place, note, value in found.notes:
        plan.remembered.setdefault((place.machine, place.section.key), {})[note] = value
    if found.place is None:
        return
    where = plan.remembered.setdefault((found.place.machine, found.place.section.key), {})
    if found.item is not None and memory:
        where[memory] = found.item.top
    if found.gone is not None:
        section, level = found.place.section, found.place.levels[0]
        server = found.place.plan.server
        plan.gone.append(
            Target(rating_key=found.gone, level=level, library=section.title, section=section.key, title=name, server=server, why=_LISTED)
        )
        if memory:
            where[memory] = found.gone  # so that it is still known to be gone the next time


def _see(plan: _Plan, place: Place, families: Sequence[_Family]) -> None:
    visible = plan.visible[place.plan.server]
    for family in families:
        keys = [family.top.key, *(item.key for item in family.seasons), *(item.key for item in family.leaves)]
        room = MOST_VISIBLE - len(visible)
        visible.update(dict.fromkeys(keys[: max(room, 0)]))
        if family.cut or len(keys) > room:
            what = f"{family.top.title} has more episodes than a preview reads: counts and sums of its overlays may be too low"
            problem = replace(_problem(what, "preview a smaller show instead"), severity=Severity.WARNING)
            plan.problems.append(problem)


def _scopes(plan: _Plan, places: Sequence[Place]) -> dict[str, Scope]:
    scopes = {}
    for server, visible in plan.visible.items():
        mine = [target for target in plan.targets.values() if target.server == server]
        if mine:
            keys = frozenset(target.rating_key for target in mine)
            # Shows are listed for their episodes' sake. A season is not: it would be drawn, though nobody asked for it.
            tops = frozenset(target.parents[-1] for target in mine if target.parents)
            above = frozenset(parent for target in mine for parent in target.parents)
            sections = frozenset(place.section.key for place in places if place.plan.server == server)
            scopes[server] = Scope(targets=keys | tops, visible=keys.union(above, visible), sections=sections)
    return scopes
