"""A Docker daemon that runs containers, worker images made for the test, and what is left behind."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sidecar.engine.docker_api import DEFAULT, Docker
from tests.cold import KometaInstall
from tests.docker.image import worker_image


@pytest.fixture
def docker(docker_daemon: str, short_dir: Path) -> Iterator[Docker]:
    """The daemon; no container that shares something of ``short_dir`` may be left on it. Others may be testing beside us."""

    def ours() -> list[str]:
        command = ["docker", "ps", "-aq", "--no-trunc", "--filter", "label=kometa-sidecar.instance"]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        found = []
        for container in listed:
            told = subprocess.run(["docker", "inspect", container], capture_output=True, text=True, check=False)  # it may be gone by now
            found += [container] if f"{short_dir}/" in told.stdout else []
        return found

    yield Docker(os.environ.get("DOCKER_HOST") or DEFAULT)
    left = ours()
    for container in left:
        subprocess.run(["docker", "rm", "-f", container], capture_output=True, check=False)
    assert not left


@pytest.fixture(scope="session")
def image_of(docker_daemon: str) -> Callable[[KometaInstall], str]:
    """The name of the worker image of a Kometa; made once."""
    made: dict[str, str] = {}

    def image(kometa: KometaInstall) -> str:
        if kometa.kind not in made:
            made[kometa.kind] = worker_image(kometa)
        return made[kometa.kind]

    return image
