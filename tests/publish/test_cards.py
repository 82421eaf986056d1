from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from sidecar.model import Level, PictureState, RunState, Severity
from sidecar.publish import GalleryView, RunBrief
from sidecar.publish.cards import FEW, Section, Status, cards_of, groups_of, index_cards, sections, shelves, status_of
from sidecar.publish.pages import count_problems, count_writes, seconds
from sidecar.publish.words import diff_lines
from sidecar.review import ReviewGroup, Verdict
from tests.publish.reviews import review_of, standing
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


def test_a_first_picture_is_a_change_while_its_run_goes_on_too(store: Store) -> None:
    """As after it: there is nothing that it could be the same as."""
    current = run(1, (rendered(movie(1, "A"), None, store.flat("red")),), state=RunState.RENDERING, ended=None, changed=())
    (card,) = index_cards(GalleryView(current=current))
    assert (card.status, card.word) == (Status.CHANGED, "changed")


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


def laid_out(found: tuple[Section, ...]) -> list[tuple[str, bool, list[str]]]:
    """Kind, whether folded, and the cards by target: groups first."""
    return [
        (
            part.kind,
            part.folded,
            [card.id for group in part.groups for card in group.cards]
            + [card.id for shelf in part.shelves for row in shelf.rows for card in row.cards],
        )
        for part in found
    ]


def test_what_asks_for_attention_comes_first(store: Store) -> None:
    gray, red, navy = (store.flat(colour) for colour in ("gray", "red", "navy"))
    one = run(1, tuple(rendered(movie(n, f"M{n}"), gray, red) for n in range(1, 6)))
    pictures = (
        one.pictures[0],
        replace(one.pictures[1], after=navy),
        replace(one.pictures[2], after=None, state=PictureState.FAILED),
        replace(one.pictures[3], before=None, after=None, state=PictureState.GONE),
        rendered(movie(9, "M9"), gray, navy),
    )
    two = run(2, pictures)
    review = review_of(store, two, one)
    assert laid_out(sections(cards_of(two, review=review), review)) == [
        ("failed", False, ["3"]),
        ("changed", False, ["2"]),
        ("new", False, ["9"]),
        ("gone", False, ["4"]),
        ("unchanged", True, ["1"]),
    ]
    everything = ["1", "2", "3", "4", "9"]
    assert laid_out(sections(cards_of(two), None)) == [("all", False, everything)]
    assert laid_out(sections(cards_of(two, review=review), review, busy=True)) == [("all", False, everything)]
    assert sections((), review) == ()
    assert sections((), None) == ()
    same = replace(two, pictures=one.pictures[:2])
    quiet = review_of(store, same, one)
    assert laid_out(sections(cards_of(same, review=quiet), quiet)) == [("unchanged", False, ["1", "2"])]


def test_groups_have_two_cards_or_more_and_the_largest_is_first(store: Store) -> None:
    cards = cards_of(run(1, tuple(rendered(movie(n, f"M{n}"), None, store.flat("red")) for n in range(1, 6))))
    given = (
        ReviewGroup(id="g1", targets=("1", "2"), title="two"),
        ReviewGroup(id="g2", targets=("3", "4", "5"), title="three"),
        ReviewGroup(id="g3", targets=("1", "99"), title="one of them is gone"),
    )
    found = groups_of(cards, given, folded=True)
    assert [(group.id, [card.id for card in group.cards], group.folded) for group in found] == [
        ("g2", ["3", "4", "5"], True),
        ("g1", ["1", "2"], True),
    ]


@pytest.mark.parametrize(("count", "folded"), [(FEW, False), (FEW + 1, True)])
def test_few_changes_are_all_shown(store: Store, count: int, folded: bool) -> None:
    red, navy = store.flat("red"), store.flat("navy")
    one = run(1, tuple(rendered(movie(n, f"M{n}"), None, red) for n in range(count)))
    two = run(2, tuple(replace(picture, after=navy) for picture in one.pictures))
    review = review_of(store, two, one, groups={"alike": ("0", "1")})
    (changed,) = sections(cards_of(two, review=review), review)
    assert [group.folded for group in changed.groups] == [folded]


def test_a_verdict_is_of_the_very_picture(store: Store) -> None:
    red, navy = store.flat("red"), store.flat("navy")
    one = run(1, (rendered(movie(1, "A"), None, red),))
    two = run(2, (rendered(movie(1, "A"), None, navy),))
    approved = {"1": standing("1", red, one)}
    for shown, verdict in ((one, Verdict.APPROVED), (two, None)):
        review = review_of(store, shown)
        (card,) = index_cards(GalleryView(shown=shown, reviews={shown.id: review}, standings=approved))
        assert card.verdict is verdict


def test_lines_of_a_diff() -> None:
    text = "--- a/x.yml\n+++ b/x.yml\n@@ -1,2 +1,2 @@\n same\n--- a line of three dashes\n+++ and one of pluses\n"
    assert diff_lines(text) == [
        ("hunk", "@@ -1,2 +1,2 @@"),
        ("same", " same"),
        ("del", "--- a line of three dashes"),
        ("add", "+++ and one of pluses"),
    ]
    assert diff_lines("") == []
