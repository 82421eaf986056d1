from __future__ import annotations

import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

from sidecar.model import RunState
from sidecar.store import Blobs, LetterState, State

ROUNDS = 20
STEPS = 5
"""Things that a writer acknowledges of each run: three pictures, its end, a letter."""


async def test_kill_nine_loses_nothing_that_was_promised(tmp_path: Path) -> None:
    chance = random.Random(20261121)
    counts = [chance.randint(1, 3 * STEPS) for _ in range(ROUNDS)]
    promised: dict[str, tuple[str, int]] = {}
    nursery = subprocess.Popen(
        [sys.executable, "-m", "tests.store.crasher", tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    )
    assert nursery.stdin is not None
    assert nursery.stdout is not None
    with nursery:
        for count in counts:
            nursery.stdin.write(f"{count} {chance.uniform(0.0, 0.03)}\n")
            nursery.stdin.flush()
            while line := nursery.stdout.readline().strip():
                assert line != "DAMAGED"
                name, what, count = line.split()
                promised[name] = (what, int(count))
            await _check(tmp_path, promised)
        nursery.stdin.close()
        assert nursery.wait(timeout=10) == 0
    kinds = Counter(what for what, _ in promised.values())
    assert kinds["done"] >= sum((count + 1) // STEPS for count in counts), "each writer got as far as it was let"
    assert kinds["letter"] >= sum(count // STEPS for count in counts)


async def _check(root: Path, promised: dict[str, tuple[str, int]]) -> None:
    state, blobs = await State.open(root / "state.db"), Blobs(root / "blobs")
    try:
        assert state.problems == ()
        kept = {run.id: run for run in await state.runs(10_000)}
        letters = {letter.id for letter in await state.letters(LetterState.PENDING, 10_000)}
        for name, (what, count) in promised.items():
            if what == "letter":
                assert name in letters
                continue
            run = kept[name]
            assert len(run.pictures) >= count
            assert what != "done" or run.state is RunState.DONE
        newest = max(kept.values(), key=lambda run: run.id)
        for picture in newest.pictures:
            assert picture.after is not None
            await blobs.read(picture.after)  # whole, or it raises
    finally:
        await state.close()
    for path in (root / "blobs").glob("??/*"):
        blob = await blobs.put(path.read_bytes())
        assert blobs.path(blob) == path, "a file under a name that is not its content's"
