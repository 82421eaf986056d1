"""What goes and what stays."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime
from pathlib import Path

from sidecar.model import Blob, Level, Picture, PictureState, Run, RunState, Target
from sidecar.pipeline.housekeeping import Housekeeping, Keep
from sidecar.publish import Gallery, GalleryView
from sidecar.store import Blobs, State


def a_run(number: int, state: RunState, after: Blob) -> Run:
    target = Target(rating_key=1, level=Level.MOVIE, library="Movies", section=1, title="Heat")
    return Run(
        id=f"20261121T0000{number:02}000-aaaaaa",
        state=state,
        reason="edit",
        started=datetime(2026, 11, 21, tzinfo=UTC),
        revision=f"{number:064x}",
        pictures=(Picture(target=target, state=PictureState.RENDERED, after=after),),
    )


async def test_old_runs_go_with_what_only_they_held_and_the_last_good_one_stays(tmp_path: Path) -> None:
    state, blobs = await State.open(tmp_path / "state.db"), Blobs(tmp_path / "blobs")
    gallery = Gallery(tmp_path / "gallery", blobs.path)
    revisions, logs = tmp_path / "revisions", tmp_path / "logs"
    logs.mkdir()
    made = []
    for number in range(10):
        blob = await blobs.put(f"picture {number}".encode())
        run = a_run(number, RunState.DONE if number == 2 else RunState.FAILED, blob)
        await state.save_run(run)
        (revisions / run.revision).mkdir(parents=True)
        (logs / f"{run.id}.jsonl").touch()
        hours_ago = time.time() - 7200
        os.utime(blobs.path(blob), (hours_ago, hours_ago))
        made.append((run, blob))
        gallery.publish(GalleryView(shown=run, latest=run, config_dir="config"))
    for path in (tmp_path / "gallery" / "thumbs").glob("*"):
        os.utime(path, (hours_ago, hours_ago))
    told: list[str] = []
    house = Housekeeping(state=state, blobs=blobs, gallery=gallery, revisions=revisions, logs=logs, keep=Keep(runs=3), forgot=told.extend)
    await house.round()
    assert sorted(told) == [run.id for run, _ in (*made[:2], *made[3:7])]
    kept = [made[2], *made[7:]]
    assert {run.id for run in await state.runs()} == {run.id for run, _ in kept}
    assert {path.name for path in revisions.iterdir() if path.name.strip(".") == path.name} == {run.revision for run, _ in kept}
    assert {path.stem for path in logs.iterdir()} == {run.id for run, _ in kept}
    assert [blobs.path(blob).exists() for _, blob in made] == [(run, blob) in kept for run, blob in made]
    pages, pictures = tmp_path / "gallery" / "runs", tmp_path / "gallery" / "img"
    assert {path.name for path in pages.iterdir()} == {run.id for run, _ in kept}
    assert {path.name[:64] for path in pictures.iterdir()} == {blob.sha256 for _, blob in kept}
    gallery.publish(GalleryView(shown=made[0][0], latest=made[0][0], config_dir="config"))
    assert (pages / made[0][0].id / "index.html").exists(), "what went can be written again"
    await state.close()
