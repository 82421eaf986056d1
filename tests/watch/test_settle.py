from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.watch.settle import Settle, Settled, Signature, Timing

TIMING = Timing(closed=0.125, written=0.5, cap=5.0)
A, B, C = (Path(f"/c/{name}.yml") for name in "abc")
TINY = 1e-9


def sig(number: int) -> Signature:
    return Signature(number, number, number, 1, 1)


@dataclass
class World:
    """A clock, files, and a watcher that looks exactly when it is due."""

    settle: Settle = field(default_factory=lambda: Settle(TIMING))
    files: dict[Path, Signature | None] = field(default_factory=dict)
    now: float = 0.0
    said: list[tuple[float, Settled]] = field(default_factory=list)
    states: list[dict[Path, Signature]] = field(default_factory=lambda: [{}])

    def until(self, moment: float) -> None:
        for _ in range(10_000):
            wake = self.settle.wake
            if wake is None or wake > moment:
                break
            self.now = max(self.now, wake)
            settled = self.settle.look({**dict.fromkeys(self.settle.pending), **self.files}, self.now)
            if settled:
                self.said.append((self.now, settled))
                self.states.append(dict(self.settle.known))
        else:
            raise AssertionError("it looks for ever")
        self.now = max(self.now, moment)

    def write(self, path: Path, content: int | None, *, finished: bool) -> None:
        self.files[path] = None if content is None else sig(content)
        self.settle.touch(path, self.now, finished=finished)


STEPS = st.lists(
    st.tuples(
        st.integers(0, 24).map(lambda n: n / 16),
        st.sampled_from((A, B, C)),
        st.none() | st.integers(0, 3),
        st.booleans(),
    ),
    max_size=40,
)


@settings(deadline=None, max_examples=300)
@given(STEPS)
def test_whatever_happens(steps: list[tuple[float, Path, int | None, bool]]) -> None:
    world = World()
    touches: list[tuple[float, Path, bool]] = []
    for pause, path, content, finished in steps:
        world.until(world.now + pause)
        world.write(path, content, finished=finished)
        touches.append((world.now, path, finished))
    end = world.now
    world.until(end + 60.0)

    assert world.settle.wake is None
    assert not world.settle.pending
    assert {path: signature for path, signature in world.files.items() if signature} == world.settle.known  # always announced in the end
    for at, settled in world.said:
        assert settled.paths, "announced though nothing changed"
        last = {path: (when, finished) for when, path, finished in touches if when < at}
        quiet = all(at >= when + (TIMING.closed if finished else TIMING.written) - TINY for when, finished in last.values())
        assert quiet or at >= settled.first + TIMING.cap - TINY, "announced while files were in motion"
        assert at <= settled.first + TIMING.cap + TINY, "held back too long"
        assert settled.first in [when for when, _, _ in touches]
    assert all(one != next_one for one, next_one in pairwise(world.states)), "announced twice"


@settings(deadline=None)
@given(STEPS, st.randoms(use_true_random=False))
def test_the_order_of_what_happens_at_once_does_not_matter(steps: list[tuple[float, Path, int | None, bool]], chance: object) -> None:
    def run(reverse: bool) -> list[tuple[float, Settled]]:
        world = World()
        for pause, _, content, finished in steps:
            world.until(world.now + pause)
            paths = [A, B, C]
            if reverse:
                chance.shuffle(paths)  # type: ignore[attr-defined]
            for path in paths:
                world.write(path, content, finished=finished)
        world.until(world.now + 60.0)
        return world.said

    assert run(False) == run(True)


@settings(deadline=None)
@given(st.floats(0.001, 0.49), st.booleans())
def test_steady_writing_is_held_back_to_the_cap_and_no_longer(pause: float, finished: bool) -> None:
    pause = min(pause, 0.12) if finished else pause
    world = World()
    number = 0
    while world.now < 4.9:
        number += 1
        world.write(A, number, finished=finished)
        world.until(world.now + pause)
    assert [at for at, _ in world.said if at < 4.9] == []
    while world.now < 12.0:
        number += 1
        world.write(A, number, finished=finished)
        world.until(world.now + pause)
    assert world.said[0][0] <= 5.0 + TINY
    assert len(world.said) >= 2


def test_a_closed_save_takes_the_short_window_and_an_open_one_the_long() -> None:
    world = World()
    world.write(A, 1, finished=False)
    world.write(A, 1, finished=True)
    world.until(10)
    world.write(A, 2, finished=True)
    world.write(A, 3, finished=False)
    world.until(20)
    assert [at for at, _ in world.said] == [0.125, 10.5]


def test_a_write_that_is_undone_is_no_change() -> None:
    world = World()
    world.settle.accept({A: sig(1)})
    world.files[A] = sig(1)
    world.write(A, 2, finished=False)
    world.until(0.2)
    world.write(A, 1, finished=True)
    world.until(10)
    assert world.said == []


def test_files_that_move_without_being_touched_are_waited_for() -> None:
    world = World()
    world.write(A, 1, finished=True)
    world.until(0.1)  # the first of the two looks is over
    world.files[A] = sig(2)
    world.until(0.4)
    assert world.said == []
    world.until(10)
    assert [(at, settled.paths) for at, settled in world.said] == [(0.625, (A,))]


def test_a_file_found_changed_must_stay_as_it_was_found() -> None:
    world = World()
    world.files[A] = sig(1)
    world.settle.found(A, sig(1), 0.0)
    world.files[A] = sig(2)
    world.until(0.7)
    assert world.said == []
    world.until(10)
    assert [(at, settled.paths) for at, settled in world.said] == [(0.9375, (A,))]


def test_a_request_is_answered_though_nothing_changed_but_not_in_the_midst_of_a_save() -> None:
    world = World()
    world.settle.ask("request", 0.0)
    world.until(1)
    assert [(at, settled.reason, settled.paths) for at, settled in world.said] == [(0.0625, "request", ())]
    world.write(A, 1, finished=False)
    world.settle.ask("request", 1.0)
    world.until(10)
    assert [(at, settled.reason, settled.paths) for at, settled in world.said[1:]] == [(1.5, "request", (A,))]


def test_an_edit_outranks_a_rescan_and_the_first_touch_is_told() -> None:
    world = World()
    world.files[A] = sig(1)
    world.settle.found(A, sig(1), 0.0, "rescan")
    world.until(0.25)
    world.write(B, 1, finished=True)
    world.until(10)
    [(_, settled)] = world.said
    assert (settled.reason, settled.first, settled.paths) == ("edit", 0.0, (A, B))


def test_a_touch_during_a_look_is_not_lost() -> None:
    settle = Settle(TIMING)
    settle.touch(A, 0.0, finished=True)
    assert settle.look({A: sig(1)}, 0.0625) is None
    settle.touch(A, 4.99, finished=False)
    assert settle.look({A: sig(1)}, 4.99) is None
    settled = settle.look({A: sig(1)}, 5.0)
    assert settled is not None
    settle.touch(B, 6.0, finished=True)
    assert settle.look({B: sig(1)}, 6.0625) is None
    settle.touch(B, 6.125, finished=True)  # after the second look began: it may have missed this
    assert settle.look({B: sig(1)}, 6.125) is None
    assert settle.pending == {B}


def test_early_and_partial_looks_are_passed_over() -> None:
    settle = Settle(TIMING)
    assert settle.look({A: sig(1)}, 0.0) is None
    settle.touch(A, 0.0, finished=True)
    assert settle.look({A: sig(1)}, 0.01) is None
    assert settle.wake == 0.0625
    assert settle.look({B: sig(1)}, 0.07) is None
    assert settle.wake == 0.0625


def test_a_late_look_still_wants_a_second() -> None:
    settle = Settle(TIMING)
    settle.touch(A, 0.0, finished=True)
    assert settle.look({A: sig(1)}, 100.0) is None
    assert settle.wake == pytest.approx(100.0625)
    assert settle.look({A: sig(1)}, 100.0625) is not None


def test_what_is_forgotten_is_not_announced() -> None:
    settle = Settle(TIMING)
    settle.accept({A: sig(1), B: sig(1)})
    settle.touch(A, 0.0, finished=True)
    settle.forget([A])
    assert settle.wake is None
    assert dict(settle.known) == {B: sig(1)}
