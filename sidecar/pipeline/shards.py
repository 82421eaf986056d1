"""Divides a render's targets among shards. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sidecar.model import Level, Scope, Target

_WEIGHTS = {Level.SEASON: 0.8, Level.EPISODE: 0.8}
"""Drawing time relative to a movie's; a 16:9 canvas encodes a little faster (measured on Kometa 2.4.4)."""


def divide(targets: Sequence[Target], most: int) -> list[tuple[Target, ...]]:
    """``targets`` as at most ``most`` shards of about equal work, none empty.

    Consecutive targets stay together, in the order (server, library, show): each library that a shard holds makes its
    Kometa compile that library's overlays once more, so a shard should hold as few as can be.
    """
    if not targets:
        return []
    ordered = sorted(targets, key=lambda t: (t.server, t.library, _top(t), t.rating_key))
    count = max(1, min(most, len(ordered)))
    total = sum(_WEIGHTS.get(target.level, 1.0) for target in ordered)
    shards: list[list[Target]] = [[] for _ in range(count)]
    done, last = 0.0, 0
    for index, target in enumerate(ordered):
        weight = _WEIGHTS.get(target.level, 1.0)
        # The shard in which this target's middle falls, so that none is passed over and the last ones leave none empty.
        place = min(int((done + weight / 2) / total * count), count - 1, last + (index > 0))
        last = max(place, count - (len(ordered) - index))
        shards[last].append(target)
        done += weight
    return [tuple(shard) for shard in shards if shard]


def scopes_for(shard: Sequence[Target], targets: Sequence[Target], scopes: Mapping[str, Scope]) -> dict[str, Scope]:
    """The part of ``scopes`` (of all ``targets``) that ``shard`` needs.

    Its targets and the shows they belong to are listed; movies and shows of other shards are not even visible, or Kometa
    would draw them here too.
    """
    narrowed = {}
    for server, scope in scopes.items():
        mine = [target for target in shard if target.server == server]
        if mine:
            tops = {_top(target) for target in mine}
            others = {_top(target) for target in targets if target.server == server} - tops
            narrowed[server] = Scope(
                targets=frozenset(tops & scope.targets) | frozenset(target.rating_key for target in mine),
                visible=scope.visible - others,
                sections=frozenset(target.section for target in mine),
            )
    return narrowed


def _top(target: Target) -> int:
    """The movie, show or artist that ``target`` is or belongs to."""
    return target.parents[-1] if target.parents else target.rating_key
