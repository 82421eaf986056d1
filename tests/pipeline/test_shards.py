"""Dividing targets among shards."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from sidecar.model import Level, Scope, Target
from sidecar.pipeline.shards import divide, scopes_for


def target(key: int, library: str = "Movies", level: Level = Level.MOVIE, parents: tuple[int, ...] = ()) -> Target:
    section = {"Movies": 1, "Shows": 2}[library]
    return Target(rating_key=key, level=level, library=library, section=section, title=str(key), parents=parents)


TARGETS = st.lists(st.integers(1, 500), unique=True, max_size=60).map(
    lambda keys: [target(key, "Movies" if key % 3 else "Shows", Level.MOVIE if key % 3 else Level.EPISODE) for key in keys]
)


@given(TARGETS, st.integers(1, 12))
def test_every_target_is_in_one_shard_and_none_is_empty(targets: list[Target], most: int) -> None:
    shards = divide(targets, most)
    assert sorted(t.rating_key for shard in shards for t in shard) == sorted(t.rating_key for t in targets)
    assert len(shards) == min(most, len(targets))
    assert all(shards)


@given(TARGETS, st.integers(1, 12))
def test_shards_have_about_equal_work(targets: list[Target], most: int) -> None:
    work = [sum(0.8 if t.level is Level.EPISODE else 1.0 for t in shard) for shard in divide(targets, most)]
    assert not work or max(work) - min(work) <= 2


@given(TARGETS)
def test_a_library_is_never_scattered(targets: list[Target]) -> None:
    libraries = [t.library for shard in divide(targets, 4) for t in shard]
    assert sum(a != b for a, b in itertools.pairwise(libraries)) <= 1


def test_a_shard_sees_no_movie_or_show_of_another() -> None:
    scope = Scope(targets=frozenset({1, 2, 10, 12}), visible=frozenset({1, 2, 10, 11, 12, 13}), sections=frozenset({1, 2}))
    episode, movie, other = target(12, "Shows", Level.EPISODE, (11, 10)), target(1), target(2)
    everything = [episode, movie, other]
    (narrowed,) = scopes_for([episode], everything, {"plex-0": scope, "plex-1": scope}).values()
    assert narrowed == Scope(targets=frozenset({10, 12}), visible=frozenset({10, 11, 12, 13}), sections=frozenset({2}))
    (narrowed,) = scopes_for([movie], everything, {"plex-0": scope}).values()
    assert narrowed == Scope(targets=frozenset({1}), visible=frozenset({1, 11, 12, 13}), sections=frozenset({1}))
