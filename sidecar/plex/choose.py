"""Which few items differ most in what overlays look at? Pure, deterministic, whatever the order of the candidates."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sidecar.plex.items import WEIGHTS, Feature, Item, words


class Choice(NamedTuple):
    """An item and what it was chosen for, in words."""

    item: Item
    why: str


def choose(candidates: Iterable[Item], count: int, kept: Sequence[int] = ()) -> list[Choice]:
    """Up to ``count`` of the candidates: those of ``kept`` first, in that order, then greedily whoever adds most.

    An item adds the weight of each kind of feature of which it shows a value that nobody before it shows. Once nobody adds
    anything, counting starts anew. Equal gain: by title, then rating key.
    """
    pool = {item.key: item for item in candidates}
    chosen: list[Choice] = []
    covered: set[Feature] = set()
    for key in dict.fromkeys(kept):
        if key in pool and len(chosen) < count:
            if not gain(pool[key].features, covered):  # counting starts anew, as it did when this one was chosen
                covered = set()
            chosen.append(_take(pool.pop(key), covered))
    while pool and len(chosen) < count:
        best = min(pool.values(), key=lambda item: (-gain(item.features, covered), item.title.casefold(), item.title, item.key))
        if not gain(best.features, covered) and covered:
            covered = set()
            continue
        chosen.append(_take(pool.pop(best.key), covered))
    return chosen


def gain(features: Iterable[Feature], covered: set[Feature]) -> int:
    """What an item with these features adds to what is ``covered``."""
    return sum(WEIGHTS.get(kind, 0) for kind in {kind for kind, value in features if (kind, value) not in covered})


def _take(item: Item, covered: set[Feature]) -> Choice:
    new = item.features - covered
    covered |= item.features
    return Choice(item, words(new) or words(item.features) or "one more of the library")
