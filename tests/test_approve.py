"""``kometa-sidecar approve`` where no daemon works."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from sidecar import cli
from sidecar.approve import told_apart
from sidecar.places import address_of, open_places
from sidecar.store import State
from tests.pipeline.desk import drawn, open_desk


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    """Two runs in ``tmp_path``: of two pictures, then with the first changed."""

    async def make() -> list[str]:
        async with open_desk(tmp_path) as desk:
            plain, badge = await desk.blob("navy"), await desk.blob("navy", (10, 10, 30, 30))
            first = await desk.run([drawn(1, plain), drawn(2, plain)])
            second = await desk.run([drawn(1, badge), drawn(2, plain)])
            return [first.id, second.id]

    return asyncio.run(make())


def approve(data: Path, *words: str) -> int:
    return cli.run(["approve", *words, "--data", str(data), "--json", "--quiet", "--who", "me"])


def test_all_of_the_newest_run_then_undo(tmp_path: Path, runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert approve(tmp_path) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"], told["run"], told["targets"], told["newer"]) == ("approved", runs[1], ["1", "2"], "")
    decisions = json.loads((tmp_path / "gallery" / "data" / "decisions.json").read_text())
    assert decisions["targets"]["1"]["baseline"]["who"] == "me"
    assert (tmp_path / "gallery" / f"runs/{runs[1]}/data.json").is_file()
    assert approve(tmp_path) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["targets"], {each["reason"] for each in told["skipped"]}) == ([], {"approved already"})
    assert approve(tmp_path, "--undo") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["verdict"], told["targets"]) == (None, ["1", "2"])
    assert json.loads((tmp_path / "gallery" / "data" / "decisions.json").read_text())["targets"] == {}
    assert approve(tmp_path, "--undo") == 1
    assert "nothing to undo" in capsys.readouterr().err


def test_one_target_of_an_old_run_says_that_a_newer_exists(tmp_path: Path, runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert approve(tmp_path, runs[0], "2") == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["run"], told["targets"], told["newer"]) == (runs[0], ["2"], runs[1])
    assert approve(tmp_path, "1", "--reject") == 0
    assert json.loads(capsys.readouterr().out)["verdict"] == "rejected"
    assert cli.run(["approve", runs[0], "1", "--data", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    assert captured.out == f"approved: 1 (run {runs[0]})\n"
    assert f"a newer run exists: {runs[1]}" in captured.err


@pytest.mark.parametrize(
    ("words", "message"),
    [(["404"], "has no target 404"), (["20260101T000000000-abcdef"], "there is no run"), (["--group", "g7"], "has no group g7")],
)
def test_what_is_not_there(tmp_path: Path, runs: list[str], capsys: pytest.CaptureFixture[str], words: list[str], message: str) -> None:
    assert approve(tmp_path, *words) == 1
    assert message in capsys.readouterr().err


def test_no_data_is_made_where_there_is_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert approve(tmp_path / "nowhere") == 1
    assert "--data" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()


def test_beside_a_process_that_takes_no_approvals(tmp_path: Path, runs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    places = open_places(tmp_path, {})
    try:
        assert approve(tmp_path) == 1
        assert "does not take approvals" in capsys.readouterr().err
        places.announce("http://127.0.0.1:9/")  # the discard port: nobody listens
        assert approve(tmp_path) == 1
        assert "did not answer" in capsys.readouterr().err
    finally:
        places.fall_silent()
        places.release()
        places.runtime.rmdir()
    assert approve(tmp_path) == 0


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"url": 1}', '{"url": "https://example.net/"}', '{"url": "http://a@b/"}', "\x00"])
def test_only_a_plain_address_is_believed(tmp_path: Path, text: str) -> None:
    (tmp_path / "daemon.json").write_text(text)
    assert address_of(tmp_path) == ""


def test_runs_and_targets_are_told_apart() -> None:
    run = "20261121T005300123-1a2b3c"
    assert told_apart([]) == ("", ())
    assert told_apart([run]) == (run, ())
    assert told_apart([run, "101", "plex-1.7"]) == (run, ("101", "plex-1.7"))
    assert told_apart(["101", "102"]) == ("", ("101", "102"))
    assert told_apart(["latest", "101"]) == ("", ("101",))


async def test_the_state_is_whole_after_it(tmp_path: Path) -> None:
    async with open_desk(tmp_path) as desk:
        await desk.run([drawn(1, await desk.blob("navy"))])
    assert await asyncio.to_thread(approve, tmp_path) == 0
    state = await State.open(tmp_path / "state.db")
    assert [standing.baseline.who for standing in (await state.standings()).values() if standing.baseline] == ["me"]
    await state.close()
