"""Shared fixtures: which Kometa, the demo's servers, short directories; and why a test was skipped.

``kometa`` runs a test twice: against the stand-in (always) and against a real Kometa (KOMETA_HOME and KOMETA_PYTHON).
"""

from __future__ import annotations

import logging
import os
import shutil
import socket
import subprocess
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import hypothesis
import pytest

from tests.cold import STANDIN_INSTALL, KometaInstall

if TYPE_CHECKING:
    from sidecar.demo import DemoHosts, DemoPlex, World

# How long an example takes says how busy the machine is, and nothing of the code.
hypothesis.settings.register_profile("any-machine", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("any-machine")

REQUIREMENTS: Final = "arrapi, cloudscraper, lxml, num2words, pathvalidate, PIL, plexapi, psutil, ruamel.yaml, schedule, tenacity, tmdbapis"
"""Modules that kometa.py cannot do without."""

BROWSERS: Final = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slow", action="store_true", help="run the tests that take minutes, too")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the slow tests out unless asked for, with a reason that the line of skipped tests counts."""
    if not config.getoption("--slow"):
        for item in items:
            if "slow" in item.keywords:
                item.add_marker(pytest.mark.skip(reason="takes minutes: run with --slow"))


def real_install() -> KometaInstall | str:
    """The real Kometa that the environment names, or why there is none."""
    home = os.environ.get("KOMETA_HOME", "")
    if not home:
        return "KOMETA_HOME is not set"
    root = Path(home).resolve()
    if not (root / "kometa.py").is_file():
        return "KOMETA_HOME has no kometa.py"
    beside = (root / ".venv/bin/python", root / "venv/bin/python")
    named = os.environ.get("KOMETA_PYTHON") or next((str(path) for path in beside if path.exists()), "python3")
    python = shutil.which(named)
    if python is None or subprocess.run([python, "-c", f"import {REQUIREMENTS}"], capture_output=True, timeout=60, check=False).returncode:
        return "KOMETA_PYTHON has no Kometa requirements"
    return KometaInstall(home=root, python=Path(python), kind="real")


@pytest.fixture(scope="session")
def real_kometa() -> KometaInstall:
    """The real Kometa; the test is skipped, with the reason, where there is none. Mark such a test ``kometa``."""
    found = real_install()
    if isinstance(found, str):
        pytest.skip(found)
    return found


@pytest.fixture(scope="session")
def standin() -> KometaInstall:
    """Our own stand-in for Kometa, run by this Python."""
    return STANDIN_INSTALL


@pytest.fixture(params=["standin", pytest.param("real", marks=pytest.mark.kometa)], scope="session")
def kometa(request: pytest.FixtureRequest) -> KometaInstall:
    """Each Kometa there is: the stand-in, and the real one or a skip with the reason."""
    install: KometaInstall = request.getfixturevalue("standin" if request.param == "standin" else "real_kometa")
    return install


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    """Commands set up logging for the whole process: the next test is to hear what it would hear alone."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture
def short_dir() -> Iterator[Path]:
    """An empty directory whose path leaves room for unix sockets (107 bytes)."""
    path = Path(tempfile.mkdtemp(prefix="ks-", dir="/tmp"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def open_dir(short_dir: Path) -> Path:
    """Likewise, and anybody may look into it."""
    short_dir.chmod(0o755)
    return short_dir


@pytest.fixture
def data_dir(short_dir: Path) -> Path:
    """A free directory for the daemon's data; not made yet."""
    return short_dir / "data"


@pytest.fixture
def world() -> World:
    """What the demo's libraries hold."""
    from sidecar.demo import World

    return World.sample()


@pytest.fixture
async def demo_plex(world: World) -> AsyncIterator[DemoPlex]:
    """A running demo Plex: it refuses nothing and records everything."""
    from sidecar.demo import DemoPlex

    async with DemoPlex(world) as plex:
        yield plex


@pytest.fixture
async def demo_hosts(world: World) -> AsyncIterator[DemoHosts]:
    """The demo's stand-ins for every other host that Kometa insists on."""
    from sidecar.demo import DemoHosts

    async with DemoHosts(world) as hosts:
        yield hosts


@pytest.fixture(scope="session")
def chromium() -> Path:
    """A Chromium to drive; CHROMIUM names it where it is not on the PATH. Mark such a test ``browser``."""
    found = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, BROWSERS)), None)
    if not found or not Path(found).exists():
        pytest.skip("no Chromium")
    return Path(found)


@pytest.fixture(scope="session")
def docker_daemon() -> str:
    """The API version of a Docker daemon that answers. Mark such a test ``docker``."""
    import docker
    from docker.errors import DockerException

    host = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
    if host.startswith("unix://"):
        with socket.socket(socket.AF_UNIX) as probe:  # the docker package leaves a socket open where nobody listens
            if probe.connect_ex(host.removeprefix("unix://")):
                pytest.skip("no Docker daemon")
    client = docker.from_env(version="1.41", timeout=5)  # with a version given it does not ask the daemon yet
    try:
        return str(client.api.version(api_version=False)["ApiVersion"])
    except (DockerException, OSError):
        pytest.skip("no Docker daemon")
    finally:
        client.close()


def skip_line(reasons: Counter[str]) -> str:
    """``skipped 12: 9 KOMETA_HOME is not set; 3 no Docker daemon``; ``skipped 0`` where all ran."""
    told = "; ".join(f"{count} {reason}" for reason, count in reasons.most_common())
    return f"skipped {reasons.total()}: {told}" if told else "skipped 0"


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> Generator[None]:
    """Say how many tests were skipped and why, last but pytest's closing line."""
    yield
    reports = terminalreporter.stats.get("skipped", [])
    reasons = Counter(str(report.longrepr[2]).removeprefix("Skipped: ") for report in reports if isinstance(report.longrepr, tuple))
    terminalreporter.write_line(skip_line(reasons))
