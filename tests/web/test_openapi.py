"""The OpenAPI document says what the server does: checked by asking the server everything that the document allows, and what not."""

from __future__ import annotations

import asyncio
import re
import sys
import typing
from pathlib import Path
from typing import Any

from pydantic import BaseModel, PlainSerializer, SecretStr

from sidecar.model import BlockedWrite, Health, LogLine, RunState
from sidecar.web.api import shapes
from tests.web.site import Site, running
from tests.web.test_api import START, a_run, run_id
from tests.web.test_reviewing import rendered

TOKEN = "correct horse battery"


async def furnished(site: Site) -> None:
    """Runs in several states, a log, a problem, a part that is away."""
    blocked = BlockedWrite(run_id="r", server="plex-0", method="PUT", path="/library/1", meaning="edit", answered=200, at=START)
    await site.state.save_run(a_run(1, RunState.INVALID, engine=None, pictures=(), changed=()))
    await site.state.save_run(a_run(2, blocked=(blocked,)))
    await rendered(site, 3, t101="red", t102="navy")
    await rendered(site, 4, t101="green", t102="navy")
    log = site.logs.open(run_id(4))
    for level in ("INFO", "WARNING"):
        log.write(LogLine(level=level, text=f"a line at {level}"))
    await log.save()
    site.parts[:] = [Health(part="plex", ok=False, detail="no answer", since=START), Health(part="worker", ok=True)]
    site.doing.update(latest=run_id(4), shown=run_id(4), engine="kometa", engine_version="2.4.4")


async def test_schemathesis_finds_no_fault(site_files: Path, tmp_path: Path) -> None:
    async with running(Site(site_files), token=SecretStr(TOKEN)) as site:
        await furnished(site)
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "schemathesis.cli", "run", f"{site.url}/api/v1/openapi.json"),
            *("--header", f"Authorization: Bearer {TOKEN}", "--seed", "1", "--max-examples", "10", "--checks", "all"),
            *("--exclude-checks", "ignored_auth"),  # wrong tokens are slowed down with 429: see the test below
            *("--exclude-path", "/api/v1/events", "--request-timeout", "10", "--no-color"),  # that stream has no end
            cwd=tmp_path,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        text = output.decode("utf-8", "replace")
        assert process.returncode == 0, text
        assert re.search(r"\d+ passed", text), text
    assert site.asked.renders > 0


def has_bare_text(kind: Any) -> bool:
    """Whether the annotation holds a ``str`` that goes out as it is, and is no id or hash of a given pattern."""
    if typing.get_origin(kind) is typing.Annotated:
        kind, *notes = typing.get_args(kind)
        if any(isinstance(note, PlainSerializer) or getattr(note, "pattern", None) for note in notes):
            return False
    return kind is str or any(has_bare_text(part) for part in typing.get_args(kind))


OWN_WORDS = {
    "Engine": {"speedups"},
    "Edit": {"before", "after"},
    "FileEdit": {"kind"},
    "Moment": {"state", "revision"},
    "Review": {"counts"},
    "Fault": {"code"},
    "Job": {"job", "cron"},
    "PartHealth": {"part"},
    "Picture": {"url", "media_type"},
    "Problem": {"source"},
    "Run": {"counts", "engine", "revision", "page"},
    "RunItem": {"counts", "engine", "revision"},
    "Schedule": {"time_zone"},
    "Status": {"version", "engine", "gateway"},
    "Target": {"server", "level"},
}
"""By shape: the fields that hold words of ours."""


def test_no_text_from_elsewhere_goes_out_as_it_is() -> None:
    bare = {
        shape.__name__: found
        for shape in vars(shapes).values()
        if isinstance(shape, type) and issubclass(shape, shapes.Shape)
        if (found := {name for name, kind in typing.get_type_hints(shape, include_extras=True).items() if has_bare_text(kind)})
    }
    assert bare == OWN_WORDS


async def test_every_operation_needs_the_token(site_files: Path) -> None:
    async with running(Site(site_files), token=SecretStr(TOKEN)) as site:
        await furnished(site)
        async with site.session() as client:
            async with client.get("/api/v1/openapi.json", headers={"Authorization": f"Bearer {TOKEN}"}) as answer:
                document = await answer.json()
            assert document["security"] == [{"bearer": []}, {"cookie": []}]
            for path, methods in document["paths"].items():
                for method in methods:
                    async with client.request(method, path.format(run="latest", target="101", sha256="0" * 64)) as answer:
                        assert (answer.status, (await answer.json())["error"]["code"]) == (401, "login_needed"), path
        assert (site.asked.renders, site.asked.cancels) == (0, 0)


async def test_the_document_is_of_this_server(site: Site) -> None:
    document = await site.get("/openapi.json")
    assert document["openapi"].startswith("3.1.")
    assert document["servers"] == [{"url": "/"}]
    assert document["security"] == []
    for path, methods in document["paths"].items():
        for method in methods:
            async with site.session() as client, client.options(path.format(run="latest", target="101")) as answer:
                assert method.upper() in answer.headers["Allow"].split(","), path


def test_models_are_all_described() -> None:
    models = [value for value in vars(shapes).values() if isinstance(value, type) and issubclass(value, BaseModel)]
    assert [model.__name__ for model in models if not model.__doc__] == []
