"""Notifications for people: over the API, on the command line, in the gallery's health."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from sidecar.cli import run as command
from sidecar.letters import NewLetter
from sidecar.model import Health
from sidecar.settings import Destination
from sidecar.store import State
from sidecar.web.health import readiness
from tests.notify.kit import Receiver
from tests.web.site import Site, running


def told(receiver: Receiver, name: str = "script") -> Destination:
    return Destination.model_validate({"name": name, "url": SecretStr(f"{receiver.url}/s3cr3t"), "private": True})


async def given_up(state: State) -> None:
    await state.post([NewLetter(id=f"e:{at}:script", destination="script", event="e", body={"title": f"t{at}"}) for at in range(3)])
    for letter in await state.claim():
        await state.settle(letter.id, error="script: HTTP 400")


async def test_over_the_api(tmp_path: Path, receiver: Receiver) -> None:
    (tmp_path / "gallery").mkdir()
    async with running(Site(tmp_path / "gallery", notifications=[told(receiver)])) as site:
        await given_up(site.state)
        found = await site.get("/notifications?limit=2")
        (destination,) = found["destinations"]
        assert (destination["name"], destination["kind"], destination["well"], destination["dead"]) == ("script", "webhook", True, 3)
        assert [(letter["id"], letter["state"], letter["error"]) for letter in found["letters"]] == [
            ("e:2:script", "dead", "script: HTTP 400"),
            ("e:1:script", "dead", "script: HTTP 400"),
        ]
        assert "s3cr3t" not in json.dumps(found)
        assert await site.ask("POST", "/notifications/replay", json={"letters": ["e:1:script"]}) == {"replayed": 1}
        assert await site.ask("POST", "/notifications/replay", json={"letters": None}) == {"replayed": 2}
        assert await site.ask("POST", "/notifications/replay", json={"letters": []}) == {"replayed": 0}
        assert site.telling.notifier is not None
        await site.telling.notifier.outbox.step()
        assert [json.loads(body)["title"] for _, body, _ in receiver.got] == ["t0", "t1", "t2"]
        receiver.statuses = [500]
        failed = await site.ask("POST", "/notifications/test", json={"destination": "script"})
        assert failed == {"results": [{"destination": "script", "ok": False, "error": "script: HTTP 500"}]}
        assert (await site.ask("POST", "/notifications/test", json={}))["results"][0]["ok"] is True
        error = await site.ask("POST", "/notifications/test", 404, json={"destination": "nobody"})
        assert error["error"]["code"] == "not_found"


def on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, Any]:
    settings = tmp_path / "sidecar.yml"
    status = command(["notifications", *words, "--json", "--quiet", "--settings", str(settings), "--data", str(tmp_path / "data")])
    out = capsys.readouterr().out
    return status, json.loads(out) if out else None


def test_on_the_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Against nobody: the port is closed. (The receiver of other tests runs on a loop that this command may not share.)"""
    (tmp_path / "sidecar.yml").write_text(
        "notifications:\n- {name: script, url: 'http://127.0.0.1:9/s3cr3t', private: true}\n- {name: inside, url: 'http://10.0.0.1/x'}\n"
    )
    status, found = on_the_command_line(tmp_path, capsys)
    assert status == 0
    assert [each["name"] for each in found["destinations"]] == ["script", "inside"]
    assert on_the_command_line(tmp_path, capsys, "replay") == (0, {"replayed": 0})
    status, found = on_the_command_line(tmp_path, capsys, "test", "script")
    assert (status, found) == (1, {"results": {"script": "script: ClientConnectorError"}})
    status, found = on_the_command_line(tmp_path, capsys, "test", "inside")
    assert status == 1
    assert "private: true" in found["results"]["inside"]
    status, found = on_the_command_line(tmp_path, capsys, "test", "nobody")
    assert (status, found) == (1, None)


def test_a_lost_destination_does_not_keep_the_daemon_from_being_ready() -> None:
    parts = [Health(part="notifications (script)", ok=False, detail="HTTP 404"), Health(part="plex", ok=True)]
    assert readiness(parts, published=True, full=True, redact=str) == (True, {"ready": True, "reasons": []})
    assert not readiness([Health(part="plex", ok=False)], published=True, full=True, redact=str)[0]
