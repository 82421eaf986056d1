from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from sidecar.model import (
    Blob,
    BlockedWrite,
    EngineInfo,
    Health,
    Level,
    LogLine,
    Picture,
    PictureState,
    Problem,
    Run,
    RunState,
    Severity,
    Target,
)
from tests.web.site import Site, raw

START = datetime(2026, 11, 21, 1, 2, 3, tzinfo=UTC)


def run_id(number: int) -> str:
    return f"20261121T0102{number:05}-00000{number % 10}"


def a_run(number: int = 1, state: RunState = RunState.DONE, **more: Any) -> Run:
    target = Target(rating_key=101, level=Level.MOVIE, library="Movies", section=1, title="Heat", year=1995, why="4K")
    before = Blob(sha256="0" * 64, size=10, media_type="image/jpeg", width=1000, height=1500)
    after = Blob(sha256="a" * 64, size=20, media_type="image/webp", width=1000, height=1500)
    picture = Picture(
        target=target, state=PictureState.RENDERED, before=before, after=after, overlays=({"name": "4K", "box": [1, 2, 3, 4]},)
    )
    made: dict[str, Any] = {
        "id": run_id(number),
        "state": state,
        "reason": "edit",
        "started": START + timedelta(seconds=number),
        "ended": START + timedelta(seconds=number + 1),
        "seconds": 1.25,
        "revision": f"{number:064}",
        "engine": EngineInfo(kind="kometa", via="process", version="2.4.4", speedups={"memo": "on"}),
        "pictures": (picture, replace(picture, target=replace(target, rating_key=102), state=PictureState.UNTOUCHED, after=None)),
        "problems": (Problem(severity=Severity.WARNING, what="a font is missing", mend="put it there", file="overlays/my.yml", line=3),),
        "changed": ("101",),
    }
    return Run(**{**made, **more})


async def test_status_and_health(site: Site) -> None:
    site.parts[:] = [Health(part="plex", ok=False, detail="no answer")]
    body = await site.get("/status")
    assert (body["version"], body["rendering"], body["gateway"]) == ("1.2.3", None, {"forwarded": 7})
    assert body["health"] == [{"part": "plex", "ok": False, "detail": "no answer", "since": None}]
    site.parts.clear()
    async with site.session() as client:
        async with client.get("/api/v1/status") as answer:
            assert answer.headers["Cache-Control"] == "no-store"
        async with client.head("/api/v1/status") as answer:
            assert (answer.status, await answer.read()) == (200, b"")
        async with client.get("/healthz") as answer:
            assert answer.status == 200
        async with client.get("/readyz") as answer:
            assert (answer.status, await answer.json()) == (200, {"ready": True, "reasons": []})


async def test_not_ready_says_why(site: Site) -> None:
    since = datetime(2026, 11, 21, 1, 10, tzinfo=UTC)
    site.parts[:] = [Health(part="plex", ok=False, detail="no answer", since=since), Health(part="worker", ok=True)]
    async with site.session() as client, client.get("/readyz") as answer:
        assert answer.status == 503
        assert await answer.json() == {
            "ready": False,
            "reasons": [{"part": "plex", "detail": "no answer", "since": "2026-11-21T01:10:00Z"}],
        }


async def test_runs_are_paged(site: Site) -> None:
    for number in range(1, 6):
        await site.state.save_run(a_run(number, RunState.FAILED if number == 3 else RunState.DONE))
    seen, before = [], None
    for _ in range(3):
        body = await site.get("/runs", params={"limit": "2", **({"before": before} if before else {})})
        seen += [run["id"] for run in body["runs"]]
        before = body["next"]
    assert seen == [run_id(number) for number in (5, 4, 3, 2, 1)]
    assert before is None
    # A full last page is the last one too.
    assert (await site.get("/runs?limit=5"))["next"] is None
    assert [run["id"] for run in (await site.get("/runs?state=failed"))["runs"]] == [run_id(3)]
    first = (await site.get("/runs?limit=1"))["runs"][0]
    assert (first["started"], first["seconds"], first["engine"]) == ("2026-11-21T01:02:08Z", 1.25, "kometa")
    assert {name: first[name] for name in ("rendered", "changed", "targets", "warnings", "errors")} == {
        "rendered": 1,
        "changed": 1,
        "targets": 2,
        "warnings": 1,
        "errors": 0,
    }


BAD_QUERIES = (
    "limit=0",
    "limit=201",
    "limit=-1",
    "limit=x",
    "limit=²",
    "limit=",
    "limit=1.0",
    "limit=+1",
    "limit=1&limit=2",
    "limit=" + "9" * 30,
    "before=",
    "before=../etc",
    "before=a%00b",
    "before=%ED%A0%80",
    "before=" + "a" * 200,
    "before=.x",
    "before=a%0A",
    "state=nice",
    "more=1",
)


async def test_a_bad_query_is_named(site: Site) -> None:
    for query in BAD_QUERIES:
        error = (await site.get(f"/runs?{query}", 400))["error"]
        assert error["code"] == "bad_request", query
        assert query.partition("=")[0] in error["message"]


async def test_one_run(site: Site) -> None:
    await site.state.save_run(a_run(1))
    await site.state.save_run(a_run(2, RunState.FAILED, engine=None))
    body = await site.get(f"/runs/{run_id(1)}")
    assert body["id"] == run_id(1)
    assert body["renderer"]["speedups"] == {"memo": "on"}
    assert body["changed_targets"] == ["101"]
    assert body["page"] == f"runs/{run_id(1)}/"
    assert (await site.get("/runs/latest"))["id"] == run_id(2)
    assert (await site.get("/runs/shown"))["id"] == run_id(1)


async def test_a_forgotten_run_is_gone_at_once(site: Site) -> None:
    await site.state.save_run(a_run(1))
    await site.get(f"/runs/{run_id(1)}")
    await site.get(f"/runs/{run_id(1)}/targets")
    await site.state.forget_runs([run_id(1)])
    for part in ("", "/targets", "/logs", "/review"):
        await site.get(f"/runs/{run_id(1)}{part}", 404)


async def test_targets_of_a_run(site: Site) -> None:
    await site.state.save_run(a_run())
    body = await site.get("/runs/latest/targets")
    heat, other = body["targets"]
    assert (heat["id"], heat["label"], heat["state"], heat["changed"], heat["why"]) == ("101", "Heat (1995)", "rendered", True, "4K")
    assert heat["after"] == {
        "sha256": "a" * 64,
        "url": f"img/{'a' * 64}.webp",
        "bytes": 20,
        "media_type": "image/webp",
        "width": 1000,
        "height": 1500,
    }
    assert heat["overlays"] == [{"name": "4K", "box": [1, 2, 3, 4]}]
    assert (other["state"], other["after"], other["changed"]) == ("untouched", None, False)


async def test_the_run_in_progress_is_told_as_it_is_now(site: Site) -> None:
    """The database knows it only as it began: every picture waits."""
    now = a_run(state=RunState.RENDERING, ended=None)
    begun = replace(now, pictures=tuple(replace(picture, state=PictureState.WAITING, after=None) for picture in now.pictures))
    await site.state.save_run(begun)
    states = [target["state"] for target in (await site.get("/runs/latest/targets"))["targets"]]
    assert states == ["waiting", "waiting"]
    site.current = now
    states = [target["state"] for target in (await site.get("/runs/latest/targets"))["targets"]]
    assert states == ["rendered", "untouched"]
    # Once it has ended, what was saved counts.
    site.current = None
    await site.state.save_run(replace(now, state=RunState.DONE, ended=START))
    assert (await site.get(f"/runs/{run_id(1)}"))["state"] == "done"


async def test_captures_of_a_run(site: Site) -> None:
    blocked = tuple(
        BlockedWrite(
            run_id="r", server="plex-0", method="PUT", path=f"/library/{n}", meaning=f"edit {n}", answered=200, at=START, expected=n != 2
        )
        for n in range(1, 6)
    )
    await site.state.save_run(a_run(blocked=blocked))
    body = await site.get("/runs/latest/captures?limit=2")
    assert [capture["target"] for capture in body["pictures"]] == ["101"]
    assert [(write["number"], write["meaning"], write["expected"]) for write in body["writes"]] == [
        (1, "edit 1", True),
        (2, "edit 2", False),
    ]
    body = await site.get(f"/runs/latest/captures?limit=3&after={body['next']}")
    assert ([write["number"] for write in body["writes"]], body["next"]) == ([3, 4, 5], None)


async def test_problems(site: Site) -> None:
    await site.state.save_run(a_run())
    [problem] = (await site.get(f"/runs/{run_id(1)}/problems"))["problems"]
    assert problem == {
        "severity": "warning",
        "what": "a font is missing",
        "mend": "put it there",
        "file": "overlays/my.yml",
        "line": 3,
        "source": "",
        "target": None,
    }
    assert await site.get("/problems") == {"run": None, "problems": [], "health": []}
    site.doing["latest"] = run_id(1)
    site.notes.append(Problem(severity=Severity.ERROR, what="the database was damaged", source="store"))
    site.parts[:] = [Health(part="plex", ok=False, detail="away"), Health(part="disk", ok=True)]
    body = await site.get("/problems")
    assert [problem["what"] for problem in body["problems"]] == ["the database was damaged", "a font is missing"]
    assert (body["run"], [part["part"] for part in body["health"]]) == (run_id(1), ["plex"])


async def test_no_such_run(site: Site) -> None:
    (site.data / "logs").mkdir()
    (site.data / "logs" / "20261121T010200009-000009.jsonl").write_text("{}\n")  # a log alone is no run
    for name in ("20261121T010200009-000009", "latest", "shown", "..%2F..%2Fetc", "a%00b", ".x"):
        for part in ("", "/targets", "/captures", "/problems", "/logs", "/logs/stream"):
            assert (await site.get(f"/runs/{name}{part}", 404))["error"]["code"] == "not_found"


async def test_render_is_asked_for_and_limited(site: Site) -> None:
    async with site.session() as client:
        statuses = []
        for _ in range(8):
            async with client.post("/api/v1/render") as answer:
                statuses.append(answer.status)
                retry = answer.headers.get("Retry-After")
        assert statuses == [202] * 6 + [429] * 2
        assert int(retry or 0) >= 1
    assert site.asked.renders == 6


async def test_cancel(site: Site) -> None:
    assert await site.ask("POST", "/cancel") == {"cancelled": False}
    site.asked.rendering = True
    assert await site.ask("POST", "/cancel") == {"cancelled": True}


ERRORS = (
    ("GET", "/api/v1/nothing", 404, None),
    ("GET", "/api/v1/", 404, None),
    ("GET", "/api", 404, None),
    ("POST", "/api/v2/status", 404, None),
    ("GET", "/api/v1/runs/", 404, None),
    ("GET", "/api/v1/render", 405, "POST"),
    ("PUT", "/api/v1/status", 405, "GET,HEAD"),
    ("OPTIONS", "/api/v1/status", 405, "GET,HEAD"),
    ("TRACE", "/api/v1/runs", 405, "GET,HEAD"),
    ("HEAD", "/api/v1/events", 405, "GET"),
    ("POST", "/healthz", 405, "GET,HEAD"),
    ("GET", "/nothing.json", 404, None),
)


async def test_errors_have_one_shape(site: Site) -> None:
    async with site.session() as client:
        for method, path, status, allow in ERRORS:
            async with client.request(method, path) as answer:
                assert (answer.status, answer.headers.get("Allow")) == (status, allow), path
                assert answer.content_type == "application/json"
                assert answer.headers["X-Content-Type-Options"] == "nosniff"
                if method != "HEAD":
                    error = (await answer.json())["error"]
                    assert set(error) == {"code", "message"}
                    assert all(isinstance(value, str) and value for value in error.values())


async def test_a_big_body_is_refused_in_the_same_shape(site: Site) -> None:
    status, text = await raw(
        site.port,
        b"POST /login HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/x-www-form-urlencoded\r\n"
        b"Content-Length: 100000\r\n\r\n" + b"a" * 100_000,
    )
    assert status == 413
    assert "Content-Security-Policy" in text


async def test_a_failing_part_is_one_answer_and_one_log_line(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.doing["health"] = "secret detail"  # the part behind the API fails
    async with site.session() as client, client.get("/api/v1/status") as answer:
        assert answer.status == 500
        assert set((await answer.json())["error"]) == {"code", "message"}
        assert "detail" not in await answer.text()
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert [record.name for record in caplog.records if record.levelname == "ERROR"] == ["sidecar.web.app"]


async def test_a_lost_database_is_said_in_words(site: Site) -> None:
    await site.state.close()
    error = (await site.get("/runs", 503))["error"]
    assert error == {"code": "unavailable", "message": "the state database is closed"}


SECRETS = ("tok-abcdef123456", 'quo"ted\\secret', "h\u00e4sslich/gehe+im")


def told(value: str) -> LogLine:
    return LogLine(level="ERROR", text=f"asked with {value} and failed", source=f"{value}.py:1")


async def test_no_answer_holds_a_secret(site: Site) -> None:
    """A secret that got into every text of a run, its log and the daemon's words: not one answer repeats it."""
    text = " ".join(SECRETS)
    problem = Problem(severity=Severity.ERROR, what=text, mend=text, file=text)
    target = Target(rating_key=101, level=Level.MOVIE, library=text, section=1, title=text, why=text, show_title=text)
    report = {"name": text, text: [text, {"deep": (text, 1)}], "n": 1.5, "none": None}
    await site.state.save_run(
        a_run(
            reason=text,
            pictures=(
                Picture(target=target, state=PictureState.RENDERED, overlays=(report,), left_out=(report,), problems=(problem,)),
                Picture(target=replace(target, level=Level.SEASON, rating_key=102), state=PictureState.FAILED),
            ),
            problems=(problem,),
            engine=EngineInfo(kind="kometa", via="process", version="2.4.4", speedups={"memo": text}),
            blocked=(BlockedWrite(run_id="r", server="plex-0", method="PUT", path=text, meaning=text, answered=200, at=START),),
        )
    )
    log = site.logs.open(run_id(1))
    log.write(told(text))
    site.doing.update(latest=run_id(1), config=text)
    site.parts[:] = [Health(part="plex", ok=False, detail=text)]
    site.notes.append(problem)
    paths = ["status", "runs", "problems"] + [f"runs/latest{part}" for part in ("", "/targets", "/captures", "/problems", "/logs")]
    async with site.session() as client:
        for saved in (False, True):
            for known in (False, True):
                if known:
                    site.redact.learn(SECRETS)
                for path in (*(f"/api/v1/{path}" for path in paths), "/readyz"):
                    async with client.get(path) as answer:
                        body = await answer.text()
                        assert answer.status in (200, 503), body
                        shown = json.dumps(json.loads(body), ensure_ascii=False)
                        assert ("(redacted)" in shown) is known, path
                        for secret in SECRETS:
                            held = secret in shown or json.dumps(secret, ensure_ascii=False)[1:-1] in shown
                            assert held is not known, path
            if not saved:
                site.redact._secrets = ()  # forgotten: so the file holds them
                await log.save()
