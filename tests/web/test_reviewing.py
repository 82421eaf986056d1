"""Approving over HTTP, on real pictures, a real comparison and a real database."""

from __future__ import annotations

import io
import json
from typing import Any

from aiohttp import CookieJar
from PIL import Image
from pydantic import SecretStr

from sidecar.model import Level, Picture, PictureState, Run, RunState, Target
from tests.web.site import Site, running
from tests.web.test_api import a_run, run_id
from tests.web.test_events import read_event

TOKEN = "correct horse battery"


def target(key: int, title: str) -> Target:
    return Target(rating_key=key, level=Level.MOVIE, library="Movies", section=1, title=title)


async def rendered(site: Site, number: int, **colours: str) -> Run:
    """A good run whose target ``tKEY`` has that colour; saved and compared."""
    pictures = []
    for name, colour in colours.items():
        out = io.BytesIO()
        Image.new("RGB", (100, 150), colour).save(out, "PNG")
        blob = await site.blobs.put(out.getvalue())
        pictures.append(Picture(target=target(int(name[1:]), f"Movie {name}"), state=PictureState.RENDERED, after=blob))
    run = a_run(number, pictures=tuple(pictures), changed=())
    await site.state.save_run(run)
    await site.reviews.compare(run.id)
    return run


async def test_a_run_is_compared_approved_and_taken_back(site: Site) -> None:
    await rendered(site, 1, t101="red", t102="red")
    assert (await site.get("/baselines")) == {"baselines": []}
    decided = await site.ask("POST", "/approve", json={})
    assert (decided["verdict"], decided["run"], decided["targets"], decided["newer"]) == ("approved", run_id(1), ["101", "102"], "")

    await rendered(site, 2, t101="navy", t102="red")
    review = await site.get("/runs/latest/review")
    assert [(each["target"], each["status"], each["against"]) for each in review["targets"]] == [
        ("101", "changed", "baseline"),
        ("102", "unchanged", "baseline"),
    ]
    difference = review["targets"][0]["difference"]
    assert (difference["fraction"], difference["boxes"]) == (1.0, [[0, 0, 100, 150]])
    assert difference["mask"]["url"].startswith("img/")
    assert (review["previous"], review["counts"]["changed"]) == (run_id(1), 1)
    assert (await site.get("/runs?limit=1"))["runs"][0]["counts"]["changed"] == 1
    whole = await site.get("/runs/latest")
    assert (whole["counts"], whole["edit"]) == (review["counts"], (await site.get("/runs?limit=1"))["runs"][0]["edit"])

    body = {"run": run_id(2), "targets": ["101", "102"], "who": "Ada"}
    decided = await site.ask("POST", "/approve", json=body)
    assert decided["targets"] == ["101"]
    assert decided["skipped"] == [{"target": "102", "reason": "approved already"}]
    standing = {each["target"]: each["baseline"] for each in (await site.get("/baselines"))["baselines"]}
    assert (standing["101"]["run"], standing["101"]["who"], standing["102"]["run"]) == (run_id(2), "Ada", run_id(1))

    undone = await site.ask("POST", "/undo", json={"batch": decided["batch"]})
    assert (undone["verdict"], undone["targets"]) == (None, ["101"])
    standing = {each["target"]: each["baseline"] for each in (await site.get("/baselines"))["baselines"]}
    assert standing["101"]["run"] == run_id(1)
    newest, *_ = (await site.get("/decisions?target=101"))["decisions"]
    assert (newest["who"], newest["undone_by"]) == ("Ada", "this machine")
    assert len((await site.get("/decisions?limit=1"))["decisions"]) == 1

    assert (await site.ask("POST", "/reject", json={"targets": ["101"]}))["targets"] == ["101"]
    last = {each["target"]: each["last"] for each in (await site.get("/baselines"))["baselines"]}
    assert last["101"]["verdict"] == "rejected"


async def test_reviewing_an_old_run_says_that_there_is_a_newer(site: Site) -> None:
    await rendered(site, 1, t101="red")
    await rendered(site, 2, t101="navy")
    assert (await site.ask("POST", "/approve", json={"run": run_id(1)}))["newer"] == run_id(2)


async def test_a_timeline(site: Site) -> None:
    for number, colour in enumerate(("red", "red", "navy"), 1):
        await rendered(site, number, t101=colour)
    body = await site.get("/targets/101/timeline")
    assert [(moment["run"], moment["runs"], moment["last_run"]) for moment in body["moments"]] == [
        (run_id(3), 1, run_id(3)),
        (run_id(1), 2, run_id(2)),
    ]
    assert len((await site.get("/targets/101/timeline?limit=1"))["moments"]) == 1
    assert (await site.get("/targets/999/timeline", 404))["error"]["code"] == "not_found"


async def test_what_cannot_be_decided(site: Site) -> None:
    assert (await site.ask("POST", "/approve", 404, json={}))["error"]["code"] == "not_found"
    assert (await site.ask("POST", "/undo", 409, json={}))["error"]["code"] == "conflict"
    await rendered(site, 1, t101="red")
    await site.state.save_run(a_run(2, RunState.FAILED))
    for body in ({"run": run_id(7)}, {"targets": ["7"]}, {"group": "g7"}):
        await site.ask("POST", "/approve", 404, json=body)
    await site.ask("POST", "/undo", 404, json={"batch": "20261121T010203000-abcdef"})
    assert "only the pictures" in (await site.ask("POST", "/approve", 409, json={"run": run_id(2)}))["error"]["message"]
    assert (await site.get(f"/runs/{run_id(2)}/review", 404))["error"]["code"] == "not_compared"


async def test_a_bad_body_is_named(site: Site) -> None:
    await rendered(site, 1, t101="red")
    for body in (
        "",
        "{",
        "[]",
        '"x"',
        '{"run": 1}',
        '{"run": "../x"}',
        '{"targets": "101"}',
        '{"targets": [101]}',
        '{"more": 1}',
        '{"who": "a\\nb"}',
    ):
        for verb in ("approve", "reject"):
            if body:
                error = (await site.ask("POST", f"/{verb}", 400, data=body, headers={"Content-Type": "application/json"}))["error"]
                assert error["code"] == "bad_request"
                assert "101" not in error["message"]  # what was sent is not sent back
    error = await site.ask("POST", "/approve", 415, data="run=x", headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert error["error"]["code"] == "not_json"
    big = json.dumps({"targets": ["1" * 90] * 1000})
    assert (await site.ask("POST", "/approve", 413, data=big, headers={"Content-Type": "application/json"}))["error"]["code"] == "too_large"
    coded = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    assert (await site.ask("POST", "/approve", 400, data="abcd", headers=coded))["error"]["code"] == "bad_request"
    assert (await site.get("/baselines"))["baselines"] == []
    await site.ask("POST", "/approve")  # no body is an empty one
    assert len((await site.get("/baselines"))["baselines"]) == 1


async def test_who_decided_is_kept(site_files: Any) -> None:
    async with running(Site(site_files), token=SecretStr(TOKEN), trusted_proxies=["127.0.0.1"]) as site:
        await rendered(site, 1, t101="red")
        bearer = {"Authorization": f"Bearer {TOKEN}", "X-Forwarded-For": "192.168.1.7"}
        await site.ask("POST", "/approve", headers=bearer)
        async with site.session() as client:
            assert isinstance(client.cookie_jar, CookieJar)
            await client.post("/login", data={"token": TOKEN, "next": ""})
            async with client.post("/api/v1/reject", json={"targets": ["101"]}, headers={"Origin": site.url}) as answer:
                assert answer.status == 200
            # The cookie alone, from another site, decides nothing.
            for headers in ({}, {"Origin": "https://evil.example"}, {"Origin": site.url, "Sec-Fetch-Site": "cross-site"}):
                async with client.post("/api/v1/undo", json={}, headers=headers) as answer:
                    assert answer.status == 403
        decisions = (await site.get("/decisions", headers=bearer))["decisions"]
        assert [each["who"] for each in decisions] == ["gallery, 127.0.0.1", "API, 192.168.1.7"]


async def test_a_decision_is_told(site: Site) -> None:
    await rendered(site, 1, t101="red")
    async with site.session() as client, client.get("/api/v1/events") as stream:
        await site.ask("POST", "/approve")
        await site.showcase.flush()
        while (event := await read_event(stream))["event"] != "decided":
            pass
        assert json.loads(event["data"])["targets"] == ["101"]
