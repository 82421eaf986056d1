"""docker-compose.yml, the Dockerfiles and what may be in an image, as they are written; and as compose understands them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ruamel.yaml import YAML

from sidecar import __version__
from sidecar.engine.cage import CACHE, EXCHANGE, Wish, payload
from sidecar.settings import load_settings
from tests.docker.image import ROOT


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    found: dict[str, Any] = YAML(typ="safe").load((ROOT / "docker-compose.yml").read_text())
    return found


def filled(text: str, **env: str) -> str:
    """``text`` as compose fills it in."""
    return re.sub(r"\$\{(\w+)(?::-([^}]*))?(?::\?[^}]*)?\}", lambda found: env.get(found[1], found[2] or ""), text)


@pytest.mark.parametrize("service", ["sidecar", "worker"])
def test_both_are_caged(compose: dict[str, Any], service: str) -> None:
    found = compose["services"][service]
    assert found["read_only"] is True
    assert found["cap_drop"] == ["ALL"]
    assert found["security_opt"] == ["no-new-privileges:true"]
    assert filled(found["user"]) == "1000:1000"
    assert not {"privileged", "cap_add", "devices", "pid", "userns_mode", "env_file"} & set(found)
    assert found["mem_limit"]
    assert found["pids_limit"]
    assert found["restart"] == "unless-stopped"
    assert found["healthcheck"]["test"][0] == "CMD"


def test_the_worker_has_no_network_and_no_secret(compose: dict[str, Any]) -> None:
    worker = compose["services"]["worker"]
    assert worker["network_mode"] == "none"
    assert not {"ports", "networks", "secrets", "links"} & set(worker)
    assert worker["volumes"] == ["exchange:/exchange", "cache:/cache"]
    assert set(worker["environment"]) == {"TZ"}


def test_nobody_gets_dockers_socket(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert not any("docker.sock" in str(volume) for volume in service["volumes"])


def test_the_config_is_only_read_and_the_gallery_needs_a_token(compose: dict[str, Any]) -> None:
    sidecar = compose["services"]["sidecar"]
    assert [filled(volume, KOMETA_CONFIG="/k") for volume in sidecar["volumes"]] == ["/k:/config:ro", "data:/data", "exchange:/exchange"]
    assert sidecar["secrets"] == ["web_token"]
    assert [filled(port) for port in sidecar["ports"]] == ["127.0.0.1:8420:8420"]


def test_compose_and_the_container_engine_agree(compose: dict[str, Any]) -> None:
    """Same image, same places, same limits: only who starts the worker differs."""
    worker = compose["services"]["worker"]
    engine = load_settings(None, {"HOME": "/h"}, {}).engine
    assert filled(worker["image"]) == engine.image
    host = payload(Wish(instance="0" * 12, image="i", exchange="/e", cache="/c", user=(1000, 1000)))["HostConfig"]
    assert {volume.partition(":")[2] for volume in worker["volumes"]} == {str(EXCHANGE), str(CACHE)}
    assert worker["command"][:4] == ["--socket", f"{EXCHANGE}/worker/worker.sock", "--cache", str(CACHE)]
    assert worker["pids_limit"] == host["PidsLimit"]
    assert {"4g": 4 * 1024**3}[worker["mem_limit"]] == host["Memory"] == engine.container_memory
    assert worker["memswap_limit"] == worker["mem_limit"]
    assert {place.partition(":")[0] for place in worker["tmpfs"]} == set(host["Tmpfs"])


def instructions(dockerfile: Path) -> dict[str, list[str]]:
    text = re.sub(r"\\\n\s*", " ", dockerfile.read_text())
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if line and not line.startswith("#"):
            name, _, rest = line.partition(" ")
            found.setdefault(name, []).append(rest.strip())
    return found


@pytest.mark.parametrize("dockerfile", ["Dockerfile", "renderer/Dockerfile"])
def test_images_are_pinned_and_run_as_nobody_in_particular(dockerfile: str) -> None:
    found = instructions(ROOT / dockerfile)
    assert found["USER"][-1] == "1000:1000"
    assert found["HEALTHCHECK"]
    pinned = dict(argument.split("=") for argument in found["ARG"])
    assert all(re.search(r"\d", value) for name, value in pinned.items() if name.endswith("TAG") or ":" in value)
    assert "latest" not in (ROOT / dockerfile).read_text()


def test_the_images_are_of_this_version(compose: dict[str, Any]) -> None:
    assert compose["services"]["sidecar"]["image"] == f"kometa-sidecar:{__version__}"
    assert f"kometa-sidecar:{__version__}" in (ROOT / "Dockerfile").read_text()
    worker = instructions(ROOT / "renderer" / "Dockerfile")
    assert worker["ARG"] == ["KOMETA_IMAGE=kometateam/kometa", "KOMETA_TAG=v2.4.4"]
    assert worker["ENTRYPOINT"] == ['["python3", "-m", "renderer", "--kometa", "/"]']


def test_an_image_gets_what_it_needs_and_no_more() -> None:
    lines = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]
    assert lines[0] == "*"
    let_in = {line[1:] for line in lines if line.startswith("!")}
    assert let_in == {"sidecar", "renderer", "config", "pyproject.toml", "README.md", "LICENSE"}
    assert all((ROOT / name).exists() for name in let_in)


def composes() -> list[str]:
    if shutil.which("docker") and not subprocess.run(["docker", "compose", "version"], capture_output=True, check=False).returncode:
        return ["docker", "compose"]
    return ["docker-compose"] if shutil.which("docker-compose") else []


def test_compose_takes_the_file() -> None:
    command = composes()
    if not command:
        pytest.skip("no docker compose")
    command += ["-f", str(ROOT / "docker-compose.yml"), "config"]
    env = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}
    refused = subprocess.run(command, env=env, capture_output=True, text=True, check=False, timeout=60)
    assert refused.returncode
    assert "KOMETA_CONFIG" in refused.stderr
    taken = subprocess.run(command, env={**env, "KOMETA_CONFIG": "/k"}, capture_output=True, text=True, check=False, timeout=60)
    assert taken.returncode == 0, taken.stderr
    understood = YAML(typ="safe").load(taken.stdout)["services"]
    assert understood["worker"]["network_mode"] == "none"
    assert understood["worker"]["read_only"] is understood["sidecar"]["read_only"] is True
