"""Runs compared, pictures approved, rejected and taken back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from sidecar.compare import Rule
from sidecar.errors import NotThere, ReviewError, StoreError
from sidecar.model import PictureState, RunState
from sidecar.pipeline.comparing import Measures
from sidecar.review import Against, ReviewStatus, Verdict
from tests.pipeline.desk import DRAFT, Desk, drawn, open_desk

BADGE = (10, 20, 30, 15)


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Desk]:
    async with open_desk(tmp_path) as opened:
        yield opened


def statuses(review: object) -> dict[str, str]:
    return {each.target: each.status.value for each in review.targets}  # type: ignore[attr-defined]


async def test_without_baselines_runs_are_compared_with_the_one_before(desk: Desk) -> None:
    plain, badge = await desk.blob("navy"), await desk.blob("navy", BADGE)
    first = await desk.compared(await desk.run([drawn(1, plain), drawn(2, plain)]))
    assert statuses(first) == {"1": "new", "2": "new"}
    assert first.previous == ""
    run = await desk.run([drawn(1, badge), drawn(2, plain), drawn(3, plain), drawn(4, None, state=PictureState.FAILED)])
    review = await desk.compared(run)
    assert statuses(review) == {"1": "changed", "2": "unchanged", "3": "new", "4": "failed"}
    changed = review.of("1")
    assert changed is not None
    assert (changed.against, changed.reference, changed.reference_run) == (Against.PREVIOUS, plain, first.run_id)
    assert changed.comparison is not None
    assert changed.comparison.boxes == (BADGE,)
    assert changed.comparison.fraction == 30 * 15 / (100 * 150)
    assert changed.comparison.mask is not None
    assert (changed.comparison.mask.width, changed.comparison.mask.height) == (100, 150)
    assert review.counts == {"failed": 1, "gone": 0, "new": 1, "changed": 1, "reused": 0, "unchanged": 1}
    assert [kind for kind, _ in desk.events] == ["run.ended", "run.reviewed"] * 2, "pictures first, the comparison after"


async def test_every_status(desk: Desk) -> None:
    plain, badge = await desk.blob("navy"), await desk.blob("navy", BADGE)
    await desk.compared(await desk.run([drawn(key, plain) for key in range(1, 6)]))
    await desk.reviews.approve(who="me")
    run = await desk.run(
        [
            drawn(1, plain),
            drawn(2, badge),
            drawn(3, plain, state=PictureState.REUSED),
            drawn(4, badge, state=PictureState.REUSED),
            drawn(5, None, state=PictureState.GONE),
            drawn(6, plain),
            drawn(7, None, before=plain, state=PictureState.UNTOUCHED),
        ]
    )
    review = await desk.compared(run)
    assert statuses(review) == {"1": "unchanged", "2": "changed", "3": "reused", "4": "changed", "5": "gone", "6": "new", "7": "new"}
    again = await desk.compared(await desk.run(run.pictures))
    assert statuses(again)["6"] == "new", "as long as others have baselines and it has none"
    assert statuses(again)["2"] == "changed", "against its baseline, not against the run before"
    bare = again.of("7")
    assert bare is not None
    assert bare.shown == plain, "where no overlay applies, the bare art is the result"


async def test_the_first_runs_result_becomes_the_baseline_at_once(desk: Desk) -> None:
    plain = await desk.blob("navy")
    run = await desk.run([drawn(1, plain), drawn(2, plain), drawn(3, None, state=PictureState.FAILED)])
    decided = await desk.reviews.approve(who="me")
    assert (decided.run_id, decided.targets, decided.newer) == (run.id, ("1", "2"), "")
    assert decided.skipped == (("3", "it has no picture in this run"),)
    standings = await desk.reviews.standings()
    assert {key: (s.baseline.blob, s.baseline.who, s.baseline.run_id) for key, s in standings.items() if s.baseline} == {
        "1": (plain, "me", run.id),
        "2": (plain, "me", run.id),
    }
    again = await desk.reviews.approve(who="me")
    assert (again.batch, again.targets) == ("", ())
    assert ("1", "approved already") in again.skipped


async def test_small_drifts_never_move_a_baseline(tmp_path: Path) -> None:
    async with open_desk(tmp_path, Measures(threshold=0.01)) as desk:
        first = await desk.blob("navy")
        await desk.run([drawn(1, first)])
        await desk.reviews.approve(who="me")
        for width in range(1, 15):  # each step is 1/150 of the picture's pixels: 15 * 100 of 15,000
            drift = await desk.blob("navy", (0, 0, 10 * width, 10))
            run = await desk.run([drawn(1, drift)])
            review = await desk.compared(run)
            decided = await desk.reviews.approve(who="me", targets=["1"])
            if 10 * width * 10 / 15_000 <= 0.01:
                assert statuses(review) == {"1": "unchanged"}
                assert decided.skipped == (("1", "no different from its baseline"),)
                standing = (await desk.reviews.standings())["1"]
                assert standing.baseline is not None
                assert standing.baseline.blob == first
            else:
                assert statuses(review) == {"1": "changed"}, "all the small steps are seen once they add up"
                assert decided.targets == ("1",)
                break
        else:
            pytest.fail("it never counted as changed")


async def test_rejected_stays_rejected_until_it_looks_otherwise(desk: Desk) -> None:
    plain, badge, other = await desk.blob("navy"), await desk.blob("navy", BADGE), await desk.blob("navy", BADGE, "red")
    await desk.run([drawn(1, plain)])
    await desk.reviews.approve(who="me")
    await desk.run([drawn(1, badge)])
    decided = await desk.reviews.reject(who="me")
    assert decided.verdict is Verdict.REJECTED
    standing = (await desk.reviews.standings())["1"]
    assert [standing.verdict_on(blob) for blob in (plain, badge, other)] == [Verdict.APPROVED, Verdict.REJECTED, None]
    assert standing.baseline is not None
    assert standing.baseline.blob == plain
    assert (await desk.reviews.reject(who="me")).skipped == (("1", "rejected already"),)
    await desk.reviews.approve(who="you")
    assert (await desk.reviews.standings())["1"].verdict_on(badge) is Verdict.APPROVED


async def test_undo_takes_back_a_whole_batch(desk: Desk) -> None:
    plain, badge = await desk.blob("navy"), await desk.blob("navy", BADGE)
    await desk.run([drawn(1, plain), drawn(2, plain)])
    first = await desk.reviews.approve(who="me")
    await desk.run([drawn(1, badge), drawn(2, badge)])
    second = await desk.reviews.approve(who="me")
    undone = await desk.reviews.undo(who="you")
    assert (undone.batch, undone.verdict, set(undone.targets)) == (second.batch, None, {"1", "2"})
    standings = await desk.reviews.standings()
    assert {s.baseline.blob for s in standings.values() if s.baseline} == {plain}
    with pytest.raises(ReviewError, match="undone before"):
        await desk.reviews.undo(second.batch, who="you")
    with pytest.raises(NotThere):
        await desk.reviews.undo("never", who="you")
    await desk.reviews.undo(first.batch, who="you")
    assert await desk.reviews.standings() == {}
    with pytest.raises(ReviewError, match="nothing to undo"):
        await desk.reviews.undo(who="you")
    kept = await desk.reviews.decisions("1")
    assert [(word.batch, word.undone_by) for word in kept] == [(second.batch, "you"), (first.batch, "you")]


async def test_one_target_and_what_is_not_there(desk: Desk) -> None:
    plain = await desk.blob("navy")
    with pytest.raises(NotThere, match="no run with pictures"):
        await desk.reviews.approve(who="me")
    run = await desk.run([drawn(1, plain), drawn(2, plain)])
    assert (await desk.reviews.approve(run.id, ["2"], who="me")).targets == ("2",)
    for wrong in ({"run_id": "never"}, {"targets": ["404"]}, {"group": "g9"}):
        with pytest.raises(NotThere):
            await desk.reviews.approve(**wrong, who="me")
    failed = await desk.run([drawn(1, plain)], state=RunState.FAILED)
    with pytest.raises(ReviewError, match="failed"):
        await desk.reviews.approve(failed.id, who="me")


async def test_an_old_run_says_that_a_newer_one_exists(desk: Desk) -> None:
    old = await desk.run([drawn(1, await desk.blob("navy"))])
    new = await desk.run([drawn(1, await desk.blob("navy", BADGE))])
    assert (await desk.reviews.approve(old.id, who="me")).newer == new.id
    assert (await desk.reviews.approve(new.id, who="me")).newer == ""


async def test_the_same_change_on_several_posters_is_one_group(desk: Desk) -> None:
    colours = ["navy", "maroon", "teal", "olive"]
    plain = [await desk.blob(colour) for colour in colours]
    badges = [await desk.blob(colour, BADGE) for colour in colours[:3]]
    moved = await desk.blob(colours[3], (60, 120, 30, 15))
    await desk.compared(await desk.run([drawn(n, blob) for n, blob in enumerate(plain)]))
    overlays = ({"name": "4K", "box": [100, 200, 300, 150]},)
    run = await desk.run([*(drawn(n, blob, overlays=overlays) for n, blob in enumerate(badges)), drawn(3, moved, overlays=overlays)])
    review = await desk.compared(run)
    [group] = review.groups
    assert (group.targets, group.title) == (("0", "1", "2"), "adds 4K")
    assert [each.group for each in review.targets] == [group.id, group.id, group.id, ""]
    decided = await desk.reviews.approve(group=group.id, who="me")
    assert decided.targets == ("0", "1", "2")


async def test_ignored_regions_and_thresholds_of_some_targets(tmp_path: Path) -> None:
    rules = (Rule(title="film 1", ignore=((100, 200, 300, 150),)), Rule(rating_key=2, threshold=0.5))
    async with open_desk(tmp_path, Measures(rules=rules)) as desk:
        plain, badge = await desk.blob("navy"), await desk.blob("navy", BADGE)
        await desk.compared(await desk.run([drawn(key, plain) for key in (1, 2, 3)]))
        review = await desk.compared(await desk.run([drawn(key, badge) for key in (1, 2, 3)]))
        assert statuses(review) == {"1": "unchanged", "2": "unchanged", "3": "changed"}
        first = review.of("1")
        assert first is not None
        assert first.ignored == (BADGE,)


async def test_a_review_is_made_once_and_does_not_change(desk: Desk) -> None:
    plain, badge = await desk.blob("navy"), await desk.blob("navy", BADGE)
    await desk.compared(await desk.run([drawn(1, plain)]))
    run = await desk.run([drawn(1, badge)])
    place = f"runs/{run.id}"
    assert desk.data(f"{place}/data")["reviewed"] is None
    first, second = await asyncio.gather(desk.reviews.compare(run.id), desk.reviews.compare(run.id))
    assert first == second
    assert sum(kind == "run.reviewed" and data["run"] == run.id for kind, data in desk.events) == 0, "told once it is published"
    await desk.showcase.flush()
    assert sum(kind == "run.reviewed" and data["run"] == run.id for kind, data in desk.events) == 1
    page = (desk.root / "gallery" / place / "index.html").read_bytes()
    data = desk.data(f"{place}/data")
    await desk.reviews.approve(who="me")
    await desk.compared(await desk.run([drawn(1, plain)]))
    assert (desk.root / "gallery" / place / "index.html").read_bytes() == page
    assert desk.data(f"{place}/data") == data


async def test_what_a_restart_left_is_compared(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        first = await desk.compared(await desk.run([drawn(1, await desk.blob("navy"))]))
        second = await desk.run([drawn(1, await desk.blob("navy", BADGE))])
    async with open_desk(tmp_path) as desk:
        serving = asyncio.create_task(desk.reviews.serve())
        while await desk.reviews.review(second.id) is None:
            await asyncio.sleep(0.01)
        serving.cancel()
        review = await desk.reviews.review(second.id)
        assert review is not None
        assert review.previous == first.run_id


async def test_an_unreadable_picture_counts_as_changed(desk: Desk, caplog: pytest.LogCaptureFixture) -> None:
    plain = await desk.blob("navy")
    await desk.compared(await desk.run([drawn(1, plain)]))
    review = await desk.compared(await desk.run([drawn(1, await desk.blobs.put(b"\x89PNG\r\n\x1a\nno more"))]))
    [seen] = review.targets
    assert (seen.status, seen.comparison) == (ReviewStatus.CHANGED, None)
    assert "cannot be compared" in caplog.text


async def test_the_pages_data(desk: Desk) -> None:
    plain, badge = await desk.blob("navy"), await desk.blob("navy", BADGE)
    first = await desk.run([drawn(1, plain), drawn(2, plain)])
    await desk.compared(first)
    await desk.reviews.approve(who="me <b>")
    second = await desk.run([drawn(1, badge), drawn(2, plain)])
    await desk.compared(second)
    await desk.reviews.reject(targets=["1"], who="you")
    await desk.reviews.settle()
    await desk.showcase.flush()
    runs = desk.data("data/runs")
    assert runs["newest"] == second.id
    assert [(each["run"], each["data"], each["counts"]["changed"]) for each in runs["runs"]] == [
        (second.id, f"runs/{second.id}/data", 1),
        (first.id, f"runs/{first.id}/data", 0),
    ]
    [one, two] = desk.data(f"runs/{second.id}/data")["targets"]
    assert (one["status"], one["edited"], two["status"], two["edited"]) == ("changed", True, "unchanged", False)
    assert one["rendered_in"] == second.id
    assert one["diff"]["boxes"] == [list(BADGE)]
    assert one["diff"]["percent"] == "3.0 %"
    for shot in (one["before"], one["after"], one["reference"], one["diff"]["mask"]):
        if shot is not None:
            assert (desk.root / "gallery" / shot["url"]).is_file()
            assert (desk.root / "gallery" / shot["thumb"]).is_file()
    decisions = desk.data("data/decisions")
    assert decisions["undo"]["verdict"] == "rejected"
    assert decisions["targets"]["1"]["baseline"]["who"] == "me <b>"
    assert decisions["targets"]["1"]["last"]["sha256"] == badge.sha256
    assert (desk.root / "gallery" / decisions["targets"]["1"]["baseline"]["shot"]["url"]).is_file()
    timeline = desk.data("data/targets/1")
    assert [(each["run"], each["shot"]["sha256"], [word["verdict"] for word in each["decisions"]]) for each in timeline["moments"]] == [
        (second.id, badge.sha256, ["rejected"]),
        (first.id, plain.sha256, ["approved"]),
    ]
    assert [each["run"] for each in desk.data("data/targets/2")["moments"]] == [first.id]


async def test_a_disk_that_refuses_costs_time_not_timelines(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar.pipeline.review.PAUSE", 0.01)
    place = desk.root / "gallery" / "data" / "targets"
    run = await desk.run([drawn(1, await desk.blob("navy"))])
    place.parent.mkdir(exist_ok=True)
    place.write_text("a file where the directory should be")
    serving = asyncio.create_task(desk.reviews.serve())
    desk.reviews.submit(run.id)
    while await desk.reviews.review(run.id) is None:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.1)
    assert not serving.done()
    place.unlink()
    while not (place / "1.js").exists():
        await asyncio.sleep(0.01)
    serving.cancel()


async def test_a_disk_that_refuses_a_review_gets_it_later(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sidecar.pipeline.review.PAUSE", 0.01)
    await desk.compared(await desk.run([drawn(1, await desk.blob("navy"))]))
    run = await desk.run([drawn(1, await desk.blob("navy", BADGE))])
    data = desk.root / "gallery" / "runs" / run.id / "data.json"
    data.unlink()
    data.mkdir()
    serving = asyncio.create_task(desk.reviews.serve())
    desk.reviews.submit(run.id)
    try:
        async with asyncio.timeout(40):
            with pytest.raises(StoreError):
                await desk.reviews.compare(run.id)
            data.rmdir()
            while run.id not in desk.showcase.view.reviews:
                await asyncio.sleep(0.01)
        [one] = desk.data(f"runs/{run.id}/data")["targets"]
        assert (one["status"], one["diff"]["boxes"]) == ("changed", [list(BADGE)])
    finally:
        serving.cancel()


async def test_a_draft_never_takes_the_place_of_kometas_picture(desk: Desk) -> None:
    plain, badge = await desk.blob("navy"), await desk.blob("navy", BADGE)
    await desk.run([drawn(1, plain)], engine=DRAFT)
    await desk.reviews.approve(who="me")
    await desk.showcase.flush()
    assert desk.data("data/decisions")["targets"]["1"]["baseline"]["engine"] == "draft"
    kometa = await desk.run([drawn(1, badge)])
    review = await desk.compared(kometa)
    assert [each.reference_engine for each in review.targets] == ["draft"], "and pages can say so"
    assert (await desk.reviews.approve(who="me")).targets == ("1",)
    draft = await desk.run([drawn(1, plain)], engine=DRAFT)
    decided = await desk.reviews.approve(draft.id, ["1"], who="me")
    assert decided.skipped == (("1", "it is a draft, and its baseline is Kometa's picture"),)
    assert (await desk.reviews.reject(draft.id, ["1"], who="me")).targets == ("1",)
    standing = (await desk.reviews.standings())["1"]
    assert standing.baseline is not None
    assert (standing.baseline.blob, standing.baseline.engine) == (badge, "kometa")
    assert [moment.engine for moment in await desk.reviews.timeline("1")] == ["draft", "kometa", "draft"]


async def test_an_overlay_without_a_place_is_told_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with open_desk(tmp_path, Measures(rules=(Rule(ignore_overlays=("rating*",)),))) as desk:
        overlays = ({"name": "Rating1"}, {"name": "Ribbon"})
        blobs = [await desk.blob("navy"), await desk.blob("teal")]
        for blob in blobs:
            await desk.compared(await desk.run([drawn(1, blob, overlays=overlays), drawn(2, blob, overlays=overlays)]))
        assert [record.getMessage().split(";")[0] for record in caplog.records if "does not tell where" in record.getMessage()] == [
            "review.rules: Kometa does not tell where overlay Rating1 lies, since it depends on the item's text"
        ]


async def test_a_gallery_of_an_earlier_version_is_brought_up(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        first = await desk.run([drawn(1, await desk.blob("navy"))])
        second = await desk.run([drawn(1, await desk.blob("gold"))])
    for name in ("data", f"runs/{first.id}", f"runs/{second.id}"):  # as if there had been no data then
        for path in (tmp_path / "gallery" / name).glob("*.js*"):
            if path.name != "summary.json":
                path.unlink()
    async with open_desk(tmp_path) as desk:
        desk.showcase.restore(shown=second, latest=second, history=tuple(await desk.state.briefs()))
        await desk.showcase.flush()
        listed = {run["run"]: run["data"] for run in desk.data("data/runs")["runs"]}
        assert listed == {second.id: None, first.id: None}, "a page may not load what is not there"
        for run_id in await desk.state.unreviewed():
            desk.reviews.submit(run_id)
        await desk.reviews.settle()
        await desk.showcase.flush()
        listed = {run["run"]: run["data"] for run in desk.data("data/runs")["runs"]}
        assert listed == {second.id: f"runs/{second.id}/data", first.id: f"runs/{first.id}/data"}
        assert [moment["run"] for moment in desk.data("data/targets/1")["moments"]] == [second.id, first.id]


async def test_a_mask_that_was_cleared_away_is_made_again(desk: Desk) -> None:
    plain, badge = await desk.blob("navy"), await desk.blob("navy", BADGE)
    await desk.compared(await desk.run([drawn(1, plain)]))
    await desk.reviews.approve(who="me")
    first = await desk.compared(await desk.run([drawn(1, badge)]))
    [seen] = first.targets
    assert seen.comparison is not None
    assert seen.comparison.mask is not None
    desk.blobs.path(seen.comparison.mask).unlink()
    second = await desk.compared(await desk.run([drawn(1, badge)]))
    assert [each.comparison for each in second.targets] == [seen.comparison]
    assert desk.blobs.path(seen.comparison.mask).exists()


async def test_a_run_writes_its_own_pages_and_what_changed_not_every_page(desk: Desk) -> None:
    blobs = [await desk.blob(f"#{number:02x}4060") for number in range(40)]
    pictures = [drawn(number, blob) for number, blob in enumerate(blobs)]
    await desk.compared(await desk.run(pictures))
    await desk.reviews.approve(who="me")
    await desk.compared(await desk.run(pictures))

    def stamps() -> dict[str, int]:
        return {str(path.relative_to(desk.root)): path.stat().st_mtime_ns for path in (desk.root / "gallery").rglob("*") if path.is_file()}

    before = stamps()
    pictures[7] = drawn(7, await desk.blob("#074060", BADGE))
    run = await desk.run(pictures)
    await desk.compared(run)
    after = stamps()
    written = {name for name, stamp in after.items() if before.get(name) != stamp}
    assert f"gallery/runs/{run.id}/data.js" in written
    assert "gallery/data/targets/7.js" in written
    assert "gallery/data/targets/8.js" not in written
    assert len(written) < 25, sorted(written)
