from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sidecar.model import Level, PictureState, RunState, Severity
from sidecar.publish import GalleryView, RunBrief
from sidecar.publish.cards import Status, index_cards, shelves, status_of
from sidecar.publish.pages import count_problems, count_writes, seconds
from tests.publish.samples import DRAFT, Store, episode, movie, problem, rendered, run, season, show, writes


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "blobs")


def test_a_run_in_progress_replaces_pictures_one_by_one(store: Store) -> None:
    old, new = store.flat("red"), store.flat("blue")
    a, b, c = movie(1, "A"), movie(2, "B"), movie(3, "C")
    good = run(1, (rendered(a, old, old), rendered(b, old, old)))
    waiting = [replace(rendered(t, None, None), state=PictureState.WAITING) for t in (a, b, c)]
    current = run(2, (rendered(a, old, new), waiting[1], waiting[2]), state=RunState.RENDERING, ended=None, changed=())
    cards = index_cards(GalleryView(current=current, shown=good))
    assert [(card.id, card.run_id, card.status, card.pending) for card in cards] == [
        ("1", current.id, Status.CHANGED, False),
        ("2", good.id, Status.CHANGED, True),  # the last good picture stays until its turn
        ("3", current.id, Status.WAITING, False),
    ]
    same = replace(current, pictures=(rendered(a, old, old),))
    assert index_cards(GalleryView(current=same, shown=good))[0].status is Status.SAME


def test_while_planning_the_last_good_pictures_stay_as_they_are(store: Store) -> None:
    good = run(1, (rendered(movie(1, "A"), None, store.flat("red")),))
    planning = run(2, (), state=RunState.PLANNING)
    assert index_cards(GalleryView(current=planning, shown=good)) == index_cards(GalleryView(shown=good))
    assert index_cards(GalleryView(current=planning)) == ()


def test_a_kept_picture_keeps_its_own_engine(store: Store) -> None:
    target = movie(1, "A")
    good = run(1, (rendered(target, None, store.flat("red")),), engine=DRAFT)
    current = run(2, (replace(rendered(target, None, None), state=PictureState.WAITING),), state=RunState.RENDERING)
    (card,) = index_cards(GalleryView(current=current, shown=good))
    assert (card.draft, card.pending) == (True, True)


@pytest.mark.parametrize("state", [PictureState.UNTOUCHED, PictureState.FAILED, PictureState.GONE, PictureState.WAITING])
def test_other_states_are_said_as_they_are(state: PictureState) -> None:
    picture = replace(rendered(movie(1, "A"), None, None), state=state)
    assert status_of(picture, run(1, (picture,), changed=("1",)), None).value == state.value


def test_shelves_by_library_then_level() -> None:
    targets = (episode(5, "S", 1, "E"), show(3, "S"), movie(1, "A"), season(4, "S", 1), movie(2, "B", server="plex-1"))
    found = shelves(index_cards(GalleryView(shown=run(1, tuple(rendered(t, None, None) for t in targets)))))
    assert [(shelf.library, shelf.server, [row.level for row in shelf.rows]) for shelf in found] == [
        ("TV Shows", "", [Level.SHOW, Level.SEASON, Level.EPISODE]),
        ("Movies", "", [Level.MOVIE]),
        ("Movies", "plex-1", [Level.MOVIE]),
    ]
    assert len({shelf.slug for shelf in found}) == 3


def test_problems_are_counted_errors_first() -> None:
    same = [problem(Severity.WARNING, "w", target=str(n)) for n in range(3)]
    found = count_problems([*same, problem(Severity.INFO, "i"), problem(Severity.ERROR, "e", target="7")], {"7": "Heat"})
    assert [(c.problem.what, c.times, c.target) for c in found] == [("e", 1, "Heat"), ("w", 3, ""), ("i", 1, "")]


def test_writes_are_counted_unexpected_first() -> None:
    found = count_writes([*writes("r", (1, 2)), *writes("r", (1,))])
    assert [(w.write.expected, w.times) for w in found] == [(False, 2), (True, 2), (True, 2), (True, 1), (True, 1)]


def test_brief_counts(store: Store) -> None:
    done = run(
        1, (rendered(movie(1, "A"), None, store.flat("red")), replace(rendered(movie(2, "B"), None, None), state=PictureState.FAILED))
    )
    brief = RunBrief.of(replace(done, blocked=writes(done.id, (1,)), problems=(problem(Severity.WARNING, "w"),)))
    assert (brief.rendered, brief.changed, brief.failed, brief.blocked, brief.warnings, brief.errors) == (1, 1, 1, 3, 1, 0)


@pytest.mark.parametrize(("value", "words"), [(0.842, "0.84 s"), (12.34, "12.3 s"), (185.0, "3 min 05 s")])
def test_seconds_for_people(value: float, words: str) -> None:
    assert seconds(value) == words
