"""``doctor`` finds what is wrong, says how to mend it, and changes nothing."""

from __future__ import annotations

import gzip
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest

from sidecar import doctor
from sidecar.demo import DemoPlex, World
from sidecar.doctor import Finding, State, examine, verdict
from sidecar.engine.discover import discover
from sidecar.errors import CanaryFailed
from sidecar.gateway import Gateway
from sidecar.logs import Redactor
from sidecar.settings import load_settings
from tests.cold import STANDIN_INSTALL, KometaInstall
from tests.e2e.house import house
from tests.e2e.test_warm import config_of

SECRET = "demo-plex-token-that-is-secret"


async def found(config: Path, data: Path, tmp_path: Path, plex: DemoPlex | None, *, url: str = "", **settings: Any) -> list[Finding]:
    scratch = tmp_path / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir()
    chosen = load_settings(None, {}, {"data": str(data), "web": {"port": 0}, "engine": {"kind": "draft"}, **settings})
    env = {"KOMETA_PLEX_URL": plex.url if plex else url, "KOMETA_PLEX_TOKEN": plex.token if plex else SECRET, "PATH": "/usr/bin"}
    return [finding async for finding in examine(config, chosen, env, Redactor(), scratch)]


def of(findings: list[Finding], part: str) -> Finding:
    return next((f for f in reversed(findings) if f.part == part and f.state is not State.OK), next(f for f in findings if f.part == part))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return config_of("custom", tmp_path / "config")


async def test_all_is_well(kometa: KometaInstall, config: Path, data_dir: Path, tmp_path: Path) -> None:
    engine = {"kind": "process", "kometa_home": str(kometa.home), "kometa_python": str(kometa.python)}
    async with DemoPlex(World.sample()) as plex:
        findings = await found(config, data_dir, tmp_path, plex, engine=engine)
        assert plex.writes == []
        assert plex.mutations == []
    fontless = kometa.kind == "standin"  # it has no fonts, which the config asks for
    failed = [finding for finding in findings if finding.state is State.FAIL]
    assert [finding.part for finding in failed] == (["config"] if fontless else [])
    assert verdict(findings)["ok"] is not fontless
    assert {finding.part for finding in findings} == {
        *("version", "config", "disk", "daemon", "state", "port", "watching", "gateway", "policy", "engine", "plex-0", "targets")
    }
    assert "self-test" in of(findings, "gateway").says
    assert "owner's" in [f for f in findings if f.part == "plex-0"][1].says
    assert "items of 2 libraries" in of(findings, "targets").says
    assert f"Kometa {kometa.version}" in of(findings, "engine").says
    assert not data_dir.exists(), "the daemon's own directory is left alone"


async def test_beside_a_running_daemon(config: Path, data_dir: Path, tmp_path: Path) -> None:
    async with house(None, config, data_dir) as home:
        port = int(home.app.url.rsplit(":", 1)[1].rstrip("/"))
        findings = await found(config, data_dir, tmp_path, home.plex, web={"port": port})
        assert "running (process" in of(findings, "daemon").says
        assert "as it should be" in of(findings, "port").says


@pytest.mark.parametrize(
    ("kind", "says"), [("unauthorized", "refused the token"), ("maintenance", "503"), ("garbage", "not the XML"), ("redirect", "elsewhere")]
)
async def test_a_plex_that_does_not_answer_well(config: Path, data_dir: Path, tmp_path: Path, kind: str, says: str) -> None:
    async with DemoPlex(World.sample()) as plex:
        plex.fail(kind)
        findings = await found(config, data_dir, tmp_path, plex)
    bad = of(findings, "plex-0")
    assert bad.state is State.FAIL
    assert says in bad.says
    assert bad.mend
    assert of(findings, "targets").state is State.FAIL


async def test_no_plex_at_all(config: Path, data_dir: Path, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        findings = await found(config, data_dir, tmp_path, None, url=f"http://127.0.0.1:{free.getsockname()[1]}")
    assert "not reachable" in of(findings, "plex-0").says
    assert SECRET not in repr(findings)


async def test_a_token_without_rights_and_a_clock_that_is_wrong(
    config: Path, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with DemoPlex(World.sample()) as plex:
        send = plex._send

        def without(request: Any, answer: Any) -> Any:
            response = send(request, answer)
            response.headers["Date"] = "Wed, 01 Jan 2020 00:00:00 GMT"
            return response

        monkeypatch.setattr(plex, "_send", without)
        monkeypatch.setattr("sidecar.demo.plex.server.gzip", _Plain)
        findings = await found(config, data_dir, tmp_path, plex)
    rights = [finding for finding in findings if finding.part == "plex-0"]
    assert "lacks rights on: Movies, Shows" in rights[1].says
    assert rights[1].state is State.FAIL
    assert "clock" in rights[2].says


class _Plain:
    """Packs nothing of what it is given but the rights."""

    @staticmethod
    def compress(body: bytes, _level: int, mtime: int) -> bytes:
        return gzip.compress(body.replace(b'allowSync="1"', b'allowSync="0"'), 1, mtime=mtime)


async def test_a_config_that_is_wrong(config: Path, data_dir: Path, tmp_path: Path) -> None:
    (config / "config.yml").write_text("libraries: [\n")
    async with DemoPlex(World.sample()) as plex:
        findings = await found(config, data_dir, tmp_path, plex)
    assert of(findings, "config").state is State.FAIL
    assert "config.yml" in of(findings, "config").says
    assert verdict(findings)["ok"] is False


async def test_a_library_that_is_not_there(config: Path, data_dir: Path, tmp_path: Path) -> None:
    text = (config / "config.yml").read_text()
    assert "  Movies:" in text
    (config / "config.yml").write_text(text.replace("  Movies:", "  Moviez:"))
    async with DemoPlex(World.sample()) as plex:
        findings = await found(config, data_dir, tmp_path, plex)
    assert "Moviez" in of(findings, "targets").says


async def test_nothing_to_preview(config: Path, data_dir: Path, tmp_path: Path) -> None:
    async with DemoPlex(World.sample()) as plex:
        findings = await found(config, data_dir, tmp_path, plex, targets={"per_library": 0})
    assert of(findings, "targets").state is State.WARN


async def test_an_engine_that_is_not_there(config: Path, data_dir: Path, tmp_path: Path) -> None:
    empty = tmp_path / "no-kometa"
    empty.mkdir()
    async with DemoPlex(World.sample()) as plex:
        findings = await found(config, data_dir, tmp_path, plex, engine={"kind": "process", "kometa_home": str(empty)})
    assert of(findings, "engine").state is State.FAIL
    broken = tmp_path / "broken"
    shutil.copytree(STANDIN_INSTALL.home, broken)
    (broken / "modules").rename(broken / "modules-gone")
    (broken / "modules").mkdir()
    assert discover({}, Path("/"), config_dir=config, home=broken, python=STANDIN_INSTALL.python)
    async with DemoPlex(World.sample()) as plex:
        engine = {"kind": "process", "kometa_home": str(broken), "kometa_python": str(STANDIN_INSTALL.python)}
        findings = await found(config, data_dir, tmp_path, plex, engine=engine)
    assert of(findings, "engine").state is State.FAIL


async def test_a_port_in_use(config: Path, data_dir: Path, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        async with DemoPlex(World.sample()) as plex:
            findings = await found(config, data_dir, tmp_path, plex, web={"port": taken.getsockname()[1]})
    assert of(findings, "port").state is State.FAIL


async def test_a_gateway_that_lets_something_through(config: Path, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def leaky(_self: Gateway) -> None:
        raise CanaryFailed("the gateway let a write through")

    monkeypatch.setattr(Gateway, "canary", leaky)
    async with DemoPlex(World.sample()) as plex:
        findings = await found(config, data_dir, tmp_path, plex)
    assert of(findings, "gateway").state is State.FAIL
    assert "let a write through" in of(findings, "gateway").says


async def test_disk_and_watches(config: Path, data_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "FREE", (0, 1 << 62))
    monkeypatch.setattr(doctor, "WATCHES", 1 << 62)
    async with DemoPlex(World.sample()) as plex:
        findings = await found(config, data_dir, tmp_path, plex)
        assert of(findings, "disk").state is State.WARN
        assert of(findings, "watching").state is State.WARN
        monkeypatch.setattr(doctor, "FREE", (1 << 62, 1 << 62))
        assert of(await found(config, data_dir, tmp_path, plex), "disk").state is State.FAIL
    file = tmp_path / "a file"
    file.write_text("")
    (finding,) = doctor._data(file / "below")
    assert finding.state is State.FAIL


async def test_none_of_the_libraries(config: Path, data_dir: Path, tmp_path: Path) -> None:
    async with DemoPlex(World.sample()) as plex:
        findings = await found(config, data_dir, tmp_path, plex, targets={"libraries": ["None of them"]})
    assert "none of the libraries" in of(findings, "targets").says
