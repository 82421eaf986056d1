from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from sidecar import model
from sidecar.model import Blob, BlockedWrite, EngineInfo, Level, Picture, PlexServer, Problem, Run, RunState, Target
from sidecar.store import codec

TIMES = st.datetimes(timezones=st.just(UTC))
FREE = st.dictionaries(
    st.text(max_size=5),
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
        lambda inner: st.lists(inner, max_size=3),
    ),
    max_size=3,
)
for kind, strategy in ((datetime, TIMES), (Path, st.from_regex(r"/[a-z]{1,8}", fullmatch=True).map(Path))):
    st.register_type_strategy(kind, strategy)

PROBLEMS = st.builds(Problem)
TARGETS = st.builds(Target)
BLOBS = st.builds(Blob)
PICTURES = st.builds(
    Picture,
    target=TARGETS,
    before=st.none() | BLOBS,
    after=st.none() | BLOBS,
    problems=st.lists(PROBLEMS, max_size=2).map(tuple),
    overlays=st.lists(FREE, max_size=2).map(tuple),
    left_out=st.lists(FREE, max_size=2).map(tuple),
)
RUNS = st.builds(
    Run,
    engine=st.none() | st.builds(EngineInfo, speedups=st.dictionaries(st.text(max_size=4), st.text(max_size=4), max_size=2)),
    ended=st.none() | TIMES,
    pictures=st.lists(PICTURES, max_size=3).map(tuple),
    blocked=st.lists(st.builds(BlockedWrite), max_size=2).map(tuple),
    problems=st.lists(PROBLEMS, max_size=2).map(tuple),
    changed=st.lists(st.text(max_size=5), max_size=3).map(tuple),
)


@settings(max_examples=60, deadline=None)
@given(RUNS)
def test_a_run_comes_back_as_it_went(run: Run) -> None:
    text = codec.dumps(run)
    assert text.isascii()
    assert codec.loads(Run, text) == run


@given(st.builds(model.LibraryPlan, asset_directories=st.lists(st.just(Path("/assets")), max_size=2).map(tuple)))
def test_sets_paths_and_levels_come_back(plan: model.LibraryPlan) -> None:
    assert codec.loads(model.LibraryPlan, codec.dumps(plan)) == plan


def test_a_secret_is_never_written() -> None:
    server = PlexServer(name="plex-0", url="http://plex", token=SecretStr("hush-hush"))
    with pytest.raises(TypeError) as error:
        codec.dumps(server)
    assert "hush" not in str(error.value)
    hidden = Picture(target=_target(), state=model.PictureState.RENDERED, overlays=({"token": SecretStr("hush-hush")},))
    with pytest.raises(TypeError):
        codec.dumps(hidden)


def test_what_json_cannot_say_is_refused() -> None:
    with pytest.raises(TypeError, match="bytes"):
        codec.dumps(Picture(target=_target(), state=model.PictureState.RENDERED, overlays=({"data": b"x"},)))
    with pytest.raises(TypeError, match="key"):
        codec.to_plain({1: "one"})


def test_older_and_newer_runs_can_be_read() -> None:
    plain = json.loads(codec.dumps(_run()))
    plain["from_the_future"] = 1
    del plain["blocked"]
    assert codec.from_plain(Run, plain) == _run()


@pytest.mark.parametrize(
    "change",
    [
        {"state": "sideways"},
        {"started": "yesterday"},
        {"pictures": {}},
        {"seconds": "long"},
        {"engine": 3},
        {"problems": [{"severity": "error"}]},
    ],
)
def test_what_does_not_fit_is_a_value_error(change: dict[str, object]) -> None:
    plain = json.loads(codec.dumps(_run())) | change
    with pytest.raises(ValueError):
        codec.from_plain(Run, plain)


def test_whole_numbers_are_seconds_too_and_truth_is_no_number() -> None:
    plain = json.loads(codec.dumps(_run())) | {"seconds": 2}
    assert codec.from_plain(Run, plain).seconds == 2.0
    with pytest.raises(ValueError):
        codec.from_plain(Blob, {"sha256": "0", "size": True, "media_type": ""})


def _target() -> Target:
    return Target(rating_key=1, level=Level.MOVIE, library="Movies", section=1, title="Heat")


def _run() -> Run:
    return Run(id="20261121T000000-aa", state=RunState.DONE, reason="edit", started=datetime(2026, 11, 21, tzinfo=UTC))
