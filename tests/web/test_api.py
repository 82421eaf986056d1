from __future__ import annotations

from datetime import UTC, datetime

import pytest

from sidecar.model import Health
from tests.web.site import Site


async def test_status_and_health(site: Site) -> None:
    async with site.session() as client:
        async with client.get("/api/v1/status") as answer:
            assert await answer.json() == {"state": "idle"}
            assert answer.headers["Cache-Control"] == "no-store"
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
    site.past[:] = [{"id": f"r{n}", "started": datetime(2026, 1, 1, tzinfo=UTC)} for n in (5, 4, 3, 2, 1)]
    async with site.session() as client:
        async with client.get("/api/v1/runs?limit=2") as answer:
            body = await answer.json()
            assert ([run["id"] for run in body["runs"]], body["next"]) == (["r5", "r4"], "r4")
        async with client.get("/api/v1/runs?limit=200&before=r4") as answer:
            body = await answer.json()
            assert ([run["id"] for run in body["runs"]], body["next"]) == (["r3", "r2", "r1"], None)


@pytest.mark.parametrize("limit", ["0", "201", "-1", "x", "²", "", "9" * 30])
async def test_a_bad_limit_is_named(site: Site, limit: str) -> None:
    async with site.session() as client, client.get("/api/v1/runs", params={"limit": limit}) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]["code"] == "bad_limit"


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


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/api/v1/nothing", 404), ("GET", "/api/v1/render", 405), ("PUT", "/api/v1/status", 405)]
)
async def test_errors_have_one_shape(site: Site, method: str, path: str, status: int) -> None:
    async with site.session() as client, client.request(method, path) as answer:
        # GET of a POST route falls through to the gallery, where there is no such file.
        assert answer.status == (404 if method == "GET" else status)
        error = (await answer.json())["error"]
        assert set(error) == {"code", "message"}


async def test_a_failing_part_is_one_answer_and_one_log_line(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    site.past[:] = [{"secret detail": 1}]  # a run without an id: the part behind the API fails
    async with site.session() as client, client.get("/api/v1/runs?before=r1") as answer:
        assert answer.status == 500
        assert "detail" not in await answer.text()
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert [record.name for record in caplog.records if record.levelname == "ERROR"] == ["sidecar.web.app"]
