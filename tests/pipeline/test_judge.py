"""From captures, reports and log lines to pictures and states."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sidecar.model import (
    Blob,
    Capture,
    Level,
    LogLine,
    Outcome,
    OutcomeKind,
    OverlayReport,
    Picture,
    PictureState,
    Problem,
    RunState,
    Severity,
    Target,
)
from sidecar.pipeline import judge

NOW = datetime(2026, 11, 21, tzinfo=UTC)


def target(key: int) -> Target:
    return Target(rating_key=key, level=Level.MOVIE, library="Movies", section=1, title=f"Film {key}")


def blob(text: str) -> Blob:
    return Blob(sha256=text * 32, size=3, media_type="image/webp")


def capture(key: int, text: str, kind: str = "poster") -> Capture:
    return Capture(run_id="r", server="plex-0", rating_key=key, kind=kind, blob=blob(text), at=NOW)


def report(key: int, *applied: str) -> OverlayReport:
    return OverlayReport(server="plex-0", rating_key=key, applied=tuple({"name": name} for name in applied))


def states(*args: object, **kwargs: object) -> list[PictureState]:
    return [picture.state for picture in judge.pictures_of(*args, **kwargs)]  # type: ignore[arg-type]


def test_a_target_is_rendered_untouched_or_failed() -> None:
    targets = [target(1), target(2), target(3), target(4)]
    finished = {"1": True, "2": True, "3": True, "4": False}
    got = states(targets, [capture(1, "aa"), capture(2, "bb", "art")], [report(3, "4K")], {}, finished)
    assert got == [PictureState.RENDERED, PictureState.UNTOUCHED, PictureState.FAILED, PictureState.FAILED]


def test_what_was_captured_counts_even_where_the_shard_did_not_finish() -> None:
    assert states([target(1)], [capture(1, "aa")], [], {}, {"1": False}) == [PictureState.RENDERED]


def test_an_upload_without_bytes_is_no_picture() -> None:
    empty = Capture(run_id="r", server="plex-0", rating_key=1, kind="poster", blob=Blob(sha256="", size=0, media_type=""), at=NOW)
    assert states([target(1)], [empty], [], {}, {"1": True}) == [PictureState.UNTOUCHED]


@pytest.mark.parametrize(
    ("kind", "pictures", "state"),
    [
        (OutcomeKind.FINISHED, [PictureState.RENDERED, PictureState.FAILED], RunState.DONE),
        (OutcomeKind.FINISHED, [PictureState.FAILED], RunState.FAILED),
        (OutcomeKind.FINISHED, [], RunState.DONE),
        (OutcomeKind.CANCELLED, [PictureState.RENDERED], RunState.CANCELLED),
        (OutcomeKind.DEADLINE, [PictureState.RENDERED], RunState.FAILED),
        (OutcomeKind.CRASHED, [PictureState.RENDERED], RunState.FAILED),
    ],
)
def test_the_state_of_a_run(kind: OutcomeKind, pictures: list[PictureState], state: RunState) -> None:
    made = [Picture(target=target(index), state=picture) for index, picture in enumerate(pictures)]
    assert judge.state_of(Outcome(kind=kind), made) is state


def test_each_of_kometas_errors_is_told_once_and_ordinary_warnings_are_not() -> None:
    lines = [
        LogLine(level="ERROR", text=" Overlay Error: no image "),
        LogLine(level="ERROR", text="Overlay Error: no image"),
        LogLine(level="WARNING", text="No Items found for 4K-HDR"),
        LogLine(level="WARNING", text="MDBList Warning: something"),
        LogLine(level="INFO", text="Finished Run"),
        LogLine(level="CRITICAL", text="Config Error: No libraries"),
    ]
    found = [(problem.severity, problem.what) for problem in judge.problems_of(lines, lambda _line: None)]
    assert found == [
        (Severity.ERROR, "Overlay Error: no image"),
        (Severity.WARNING, "MDBList Warning: something"),
        (Severity.ERROR, "Config Error: No libraries"),
    ]


def test_what_is_about_a_definition_is_told_with_its_place() -> None:
    lines = [
        LogLine(level="ERROR", text="Overlay Error: no offset", about="One"),
        LogLine(level="ERROR", text="Overlay Error: no offset", about="Two", shard=1),
        LogLine(level="ERROR", text="Overlay Error: no offset", about="One", shard=1),
        LogLine(level="ERROR", text="Overlay Error: no offset", about="of a default file"),
    ]
    places = {"One": ("overlays/own.yml", 3), "Two": ("overlays/own.yml", 9)}
    found = judge.problems_of(lines, lambda line: places.get(line.about))
    assert [(problem.file, problem.line) for problem in found] == [("overlays/own.yml", 3), ("overlays/own.yml", 9), ("", None)]
    engine = Problem(severity=Severity.ERROR, what="Overlay Error: no offset", source="kometa")
    assert [problem.line for problem in judge.each_once((engine, *found))] == [3, 9], "who knows no place adds nothing"
    assert judge.each_once((engine, engine)) == (engine,)


def test_what_is_about_an_item_is_told_with_it() -> None:
    lines = [LogLine(level="ERROR", text="Overlay Error: no poster", target=key, shard=shard) for key in ("1", "2") for shard in (0, 1)]
    found = judge.problems_of(lines, lambda _line: None)
    assert [problem.target for problem in found] == ["1", "2"]
    engine = Problem(severity=Severity.ERROR, what="Overlay Error: no poster", source="kometa")
    assert judge.each_once((engine, *found)) == found, "who knows no item adds nothing"
    made = judge.with_problems([Picture(target=target(key), state=PictureState.FAILED) for key in (1, 2, 3)], found)
    assert [picture.problems for picture in made] == [found[:1], found[1:], ()]


def test_changed_since_counts_new_different_and_vanished_overlays() -> None:
    old = [Picture(target=target(key), state=PictureState.RENDERED, after=blob("aa")) for key in (1, 2, 3)]
    new = [
        Picture(target=target(1), state=PictureState.RENDERED, after=blob("aa")),
        Picture(target=target(2), state=PictureState.RENDERED, after=blob("bb")),
        Picture(target=target(3), state=PictureState.UNTOUCHED),
        Picture(target=target(4), state=PictureState.RENDERED, after=blob("cc")),
        Picture(target=target(5), state=PictureState.FAILED),
    ]
    assert judge.changed_since(new, old) == ("2", "3", "4")
