"""Evaluates a query over a library: which items, in which order. Pure but for ``sort=random``."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping

from sidecar.demo.items import PARENTS, Item, Library
from sidecar.demo.plex.fields import FIELDS, NAMES, holds
from sidecar.demo.plex.query import Condition, Group, Query, Sort
from sidecar.demo.world import World

Row = Mapping[str, Item]
"""One line of what Plex's database would join: an item by level."""

_NUMBERS = {1: "movie", 2: "show", 3: "season", 4: "episode", 8: "artist", 9: "album", 10: "track", 18: "collection"}


def find(world: World, library: Library, query: Query) -> list[Item]:
    """The items a listing shows, sorted and limited, before paging."""
    level = _NUMBERS.get(query.type or 0) or library.levels[0]
    where = _resolve(query.where, level, library)
    items = _by_key(world, library, level, where)
    if items is None:
        items = list(world.of_type(library, level))
    if where.parts:
        deep = _deepest(where, library.levels, level)
        items = [item for item in items if any(_true(world, row, where) for row in _rows(world, item, level, deep))]
    items = _sorted(world, items, level, query.sort)
    return items[: query.limit] if query.limit is not None else items


def _by_key(world: World, library: Library, level: str, where: Group) -> list[Item] | None:
    """The items that a condition on the rating key leaves, as a database's primary key finds them; None without such a condition."""
    if where.any and len(where.parts) > 1:
        return None
    for part in where.parts:
        if isinstance(part, Condition) and part.field == f"{level}.id" and part.operator in ("", "="):
            keys = sorted({int(value) for value in part.values if value.isdecimal()})
            items = [world.items[key] for key in keys if key in world.items]
            return [item for item in items if item.type == level and item.section == library.key]
    return None


def level_of(query: Query, library: Library) -> str:
    """The item type that a query lists."""
    return _NUMBERS.get(query.type or 0) or library.levels[0]


def _resolve(group: Group, level: str, library: Library) -> Group:
    """Every field as level.field; fields that Plex does not know are left out, as it ignores them."""
    parts: list[Condition | Group] = []
    for part in group.parts:
        if isinstance(part, Group):
            inner = _resolve(part, level, library)
            if inner.parts:
                parts.append(inner)
        elif name := resolve(part.field, level, library):
            parts.append(Condition(name, part.operator, part.values))
    return Group(group.any, tuple(parts))


def resolve(field: str, level: str, library: Library) -> str:
    """``label`` -> ``movie.label``; an unprefixed field that the level lacks is taken from the leaves. Empty where unknown."""
    prefix, _, bare = field.rpartition(".")
    name = NAMES.get(bare.lower())
    if name is None:
        return ""
    if prefix:
        return f"{prefix}.{name}" if prefix in library.levels or prefix == level else ""
    levels = FIELDS[name].levels
    if levels and level not in levels:
        level = library.levels[-1]
        if level not in levels:
            return ""
    return f"{level}.{name}"


def _deepest(group: Group, levels: tuple[str, ...], level: str) -> str:
    """The lowest level that a condition speaks of, from ``level`` downwards."""
    found = level
    for part in group.parts:
        one = _deepest(part, levels, level) if isinstance(part, Group) else part.field.partition(".")[0]
        if one in levels and found in levels and levels.index(one) > levels.index(found):
            found = one
    return found


def _rows(world: World, item: Item, level: str, deep: str) -> Iterator[Row]:
    above: dict[str, Item] = {level: item}
    kind, at = level, item
    while kind in PARENTS and (parent := world.parent(at)) is not None:
        kind, at = PARENTS[kind], parent
        above[kind] = at
    yield from _below(world, item, above, deep)


def _below(world: World, item: Item, above: Row, deep: str) -> Iterator[Row]:
    if item.type == deep:
        yield above
        return
    for child in world.children(item):
        yield from _below(world, child, {**above, child.type: child}, deep)


def _true(world: World, row: Row, part: Condition | Group) -> bool:
    if isinstance(part, Group):
        results = (_true(world, row, inner) for inner in part.parts)
        return any(results) if part.any else all(results)
    level, _, name = part.field.partition(".")
    item = row.get(level)
    return item is not None and holds(world, item, name, part.operator, part.values)


def _sorted(world: World, items: list[Item], level: str, sorts: tuple[Sort, ...]) -> list[Item]:
    # Stable sorts from the last key to the first; by title where nothing is asked, as Plex does.
    for sort in reversed(sorts or (Sort("titleSort"),)):
        if sort.field == "random":
            random.shuffle(items)
            continue
        prefix, _, bare = sort.field.rpartition(".")
        name = NAMES.get(bare.lower())
        if name is None:
            continue
        keys = {item.rating_key: _sort_value(world, item, prefix or level, name) for item in items}
        present = [item for item in items if keys[item.rating_key] is not None]
        absent = [item for item in items if keys[item.rating_key] is None]
        present.sort(key=lambda item: keys[item.rating_key], reverse=sort.descending)  # type: ignore[arg-type, return-value]
        # SQLite counts NULL as smallest.
        items = present + absent if sort.descending or sort.nulls_last else absent + present
    return items


def _sort_value(world: World, item: Item, level: str, name: str) -> str | float | None:
    if level != item.type:
        above = world.ancestor(item, level)
        sources = [above] if above else [leaf for leaf in world.leaves(item) if leaf.type == level]
    else:
        sources = [item]
    values = [value for source in sources for value in FIELDS[name].get(world, source) if value is not None]
    if not values:
        return None
    if isinstance(values[0], str):
        return values[0].casefold()
    return max(float(value) for value in values)
