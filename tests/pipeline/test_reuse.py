"""What is rendered and what is reused, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from sidecar.model import (
    Blob,
    EngineInfo,
    FrozenFile,
    Level,
    LibraryPlan,
    Picture,
    PictureState,
    PreviewConfig,
    Problem,
    Revision,
    Run,
    RunState,
    Severity,
    Target,
)
from sidecar.pipeline.reuse import Sorted, Trust, sort_out, sources

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
DAY = date(2026, 11, 21)
ENGINE = EngineInfo(kind="kometa", via="process", version="2.4.4", pillow="12.0", layout="raqm")
PLEX = {"plex-0": "epoch"}
MOVIES, SHOWS = ("plex-0", "Movies"), ("plex-0", "Shows")
HEARD = Trust({"plex-0": NOW - timedelta(days=30)})
TARGETS = tuple(
    Target(rating_key=key, level=Level.MOVIE, library=library, section=1, title=str(key), thumb=f"/t/{key}")
    for key, library in ((1, "Movies"), (2, "Movies"), (3, "Shows"))
)


def file(path: str, sha: str, *libraries: str) -> FrozenFile:
    return FrozenFile(path=path, sha256=sha, size=1, origin=Path("/x"), role="overlay", libraries=frozenset(libraries))


def revision(*files: FrozenFile) -> Revision:
    plans = (LibraryPlan(name="Movies", key="Movies"), LibraryPlan(name="Shows", key="Serien"))
    ours = (file("config/config.yml", "c"), file("config/m.yml", "m", "Movies"), file("config/s.yml", "s", "Serien"), *files)
    return Revision(id="r", root=Path("/r"), files=ours, libraries=plans, servers=())


def preview(**more: Any) -> PreviewConfig:
    data = {"libraries": {"Movies": {"overlay_files": ["m"]}, "Serien": {"overlay_files": ["s"]}}, "settings": {"cache": False}, **more}
    return PreviewConfig(data=data, placeholders=(), connectors=frozenset(), hosts=frozenset())


def known(**other: Any) -> dict[tuple[str, str], str]:
    given: dict[str, Any] = {
        "revision": revision(),
        "preview": preview(),
        "meanings": {},
        "targets": TARGETS,
        "engine": ENGINE,
        "plex": PLEX,
        "day": DAY,
    }
    return sources(**{**given, **other})


def good(now: dict[tuple[str, str], str], **more: Any) -> Run:
    blob = Blob(sha256="a" * 64, size=1, media_type="image/webp")
    pictures = tuple(
        Picture(
            target=target,
            state=PictureState.RENDERED,
            after=blob,
            source=now[target.server, target.library],
            rendered=NOW - timedelta(hours=1),
        )
        for target in TARGETS
    )
    return Run(id="last", state=RunState.DONE, reason="edit", started=NOW, pictures=pictures, **more)


def parts(now: dict[tuple[str, str], str], last: Run | None, *, asked: bool = False, at: datetime = NOW, trust: Trust = HEARD) -> Sorted:
    return sort_out(TARGETS, now, last, asked, at, trust=trust)


def rendered(found: Sorted) -> list[int]:
    assert sorted([target.id for target in found.render] + [picture.target.id for picture in found.reused]) == ["1", "2", "3"]
    return [target.rating_key for target in found.render]


def test_the_same_sources_are_the_same_pictures() -> None:
    now = known()
    assert now == known()
    found = parts(now, good(now))
    assert rendered(found) == []
    assert {(p.state, p.run, p.reason) for p in found.reused} == {
        (PictureState.REUSED, "last", "nothing that it depends on changed"),
    }
    again = parts(now, replace(good(now), id="later", pictures=found.reused))
    assert {p.run for p in again.reused} == {"last"}, "the run that rendered it, however often it was reused"


@pytest.mark.parametrize(
    ("other", "keys", "why"),
    [
        ({"revision": revision(file("config/other.png", "o", "Serien"))}, [3], "overlay files, images or fonts changed"),
        ({"revision": revision(file("config/shared.png", "o", "Movies", "Serien"))}, [1, 2, 3], "overlay files, images or fonts changed"),
        ({"revision": revision(file("config/unknown.png", "o"))}, [1, 2, 3], "overlay files, images or fonts changed"),
        ({"meanings": {"config/m.yml": "other"}}, [1, 2], "overlay files, images or fonts changed"),
        ({"outside": "another mode"}, [1, 2, 3], "what other hosts may be asked changed"),
        ({"preview": replace(preview(), hosts=frozenset({"new.example"}))}, [1, 2, 3], "what other hosts may be asked changed"),
        ({"preview": preview(settings={"cache": True})}, [1, 2, 3], "config.yml changed"),
        ({"preview": preview(libraries={"Movies": {}, "Serien": {"overlay_files": ["s"]}})}, [1, 2], "config.yml changed"),
        ({"targets": (*TARGETS[:2], replace(TARGETS[2], thumb="/t/new"))}, [3], "the items previewed changed"),
        ({"targets": (TARGETS[0], TARGETS[2])}, [1, 2], "the items previewed changed"),
        ({"engine": replace(ENGINE, pillow="13.0")}, [1, 2, 3], "Kometa or its Pillow changed"),
        ({"engine": replace(ENGINE, build="edited")}, [1, 2, 3], "Kometa or its Pillow changed"),
        ({"plex": {"plex-0": "later"}}, [1, 2, 3], "Plex changed"),
        ({"plex": {}}, [1, 2, 3], "nobody can say whether Plex has changed"),
        ({"day": date(2026, 11, 22), "plex": {"plex-0": "later"}}, [1, 2, 3], "Plex and the date changed"),
    ],
)
def test_each_part_counts(other: dict[str, Any], keys: list[int], why: str) -> None:
    found = parts(known(**other), good(known()))
    assert rendered(found) == keys
    assert {found.why[target.server, target.library] for target in found.render} == {why}


def test_config_yml_itself_and_comments_do_not_count() -> None:
    changed = revision()
    files = tuple(
        replace(entry, sha256="edited") if entry.path in ("config/config.yml", "config/m.yml") else entry for entry in changed.files
    )
    meaning = {"config/m.yml": "says the same"}
    before = known(meanings=meaning)
    assert rendered(parts(known(revision=replace(changed, files=files), meanings=meaning), good(before))) == []


def test_what_was_asked_for_is_rendered() -> None:
    now = known()
    assert rendered(parts(now, good(now), asked=True)) == [1, 2, 3]


def test_without_a_good_picture_of_all_a_library_is_rendered() -> None:
    now = known()
    assert rendered(parts(now, None)) == [1, 2, 3]
    last = good(now)
    failed = replace(last.pictures[0], state=PictureState.FAILED)
    found = parts(now, replace(last, pictures=(failed, *last.pictures[1:])))
    assert rendered(found) == [1, 2]
    assert found.why[MOVIES] == "there is no good picture of it yet"
    assert rendered(parts(now, replace(last, pictures=last.pictures[1:]))) == [1, 2]


def test_a_picture_is_carried_on_for_a_day() -> None:
    now = known()
    last = good(now)
    old = replace(last.pictures[2], rendered=NOW - timedelta(hours=25))
    found = parts(now, replace(last, pictures=(*last.pictures[:2], old)))
    assert rendered(found) == [3]
    assert found.why[SHOWS] == "it was rendered more than a day ago"
    assert rendered(parts(now, replace(last, pictures=(*last.pictures[:2], replace(old, rendered=None))))) == [3]


@pytest.mark.parametrize(
    ("trust", "minutes", "why"),
    [
        (HEARD, 23 * 60, ""),
        (Trust({}), 14, ""),
        (Trust({}), 15, "Plex's notifications were not heard all the time since"),
        (Trust({"plex-0": NOW - timedelta(minutes=20)}), 19, ""),
        (Trust({"plex-0": NOW - timedelta(minutes=20)}), 21, "Plex's notifications were not heard all the time since"),
        (Trust({"other": NOW - timedelta(days=1)}), 60, "Plex's notifications were not heard all the time since"),
        (Trust(HEARD.heard, timedelta(minutes=5)), 4, ""),
        (Trust(HEARD.heard, timedelta(minutes=5)), 6, "it was rendered longer ago than other hosts' answers are kept"),
        (Trust(HEARD.heard, timedelta(0)), 0, "it was rendered longer ago than other hosts' answers are kept"),
    ],
)
def test_for_how_long_a_picture_is_carried_on(trust: Trust, minutes: int, why: str) -> None:
    """Where only the libraries' time stamps vouch for Plex, a picture is believed for no longer than one of its answers is."""
    now = known()
    last = good(now)
    last = replace(last, pictures=tuple(replace(picture, rendered=NOW - timedelta(minutes=minutes)) for picture in last.pictures))
    found = parts(now, last, trust=trust)
    assert rendered(found) == ([1, 2, 3] if why else [])
    assert set(found.why.values()) == {why}


def test_what_was_drawn_while_a_host_was_away_is_not_carried_on() -> None:
    found = parts(known(), None)
    refused = Problem(severity=Severity.WARNING, what="refused", source="egress")
    away = replace(refused, passing=True)
    assert found.source_of(MOVIES, []) == found.source_of(MOVIES, [refused]) == known()[MOVIES]
    assert found.source_of(MOVIES, [refused, away]) == ""


def test_problems_stay_with_their_pictures() -> None:
    def problem(what: str, source: str = "kometa", library: str = "") -> Problem:
        return Problem(severity=Severity.WARNING, what=what, source=source, library=library)

    now = known()
    movies, shows, start, config = (
        problem("m", library="Movies"),
        problem("s", library="Shows"),
        problem("a connector failed"),
        problem("c", "config"),
    )
    last = good(now, problems=(movies, shows, start, config))
    assert parts(now, last).problems == (movies, shows, start), "the config's own are found anew"
    half = parts(known(meanings={"config/m.yml": "other"}), last)
    assert half.problems == (shows,), "the others are met again by what is rendered"
    assert parts(now, last, asked=True).problems == ()
