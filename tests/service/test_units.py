"""systemd's own tools judge the units."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SYSTEMD = Path(__file__).parents[2] / "systemd"


@pytest.fixture
def units(tmp_path: Path) -> Path:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze")
    return Path(shutil.copytree(SYSTEMD, tmp_path / "systemd"))


def check(units: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([units / "check"], capture_output=True, text=True, timeout=60, check=False)


def test_the_units_are_valid_and_little_exposed(units: Path) -> None:
    done = check(units)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count(": ok; valid: yes") == len(list(units.glob("*.service")))


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("CapabilityBoundingSet=\n", "CapabilityBoundingSet=~\n", "too exposed"),
        ("Type=notify\n", "Type=sometimes\n", "valid: no"),
        ("ProtectSystem=strict\n", "ProtectSystm=strict\n", "valid: no"),
    ],
)
def test_a_weaker_or_broken_unit_is_found(units: Path, old: str, new: str, words: str) -> None:
    unit = units / "kometa-sidecar.service"
    text = unit.read_text()
    assert old in text
    unit.write_text(text.replace(old, new))
    done = check(units)
    assert done.returncode != 0
    assert words in done.stdout


def test_a_worker_that_was_not_enabled_is_not_started() -> None:
    """``Wants=`` would start it wherever its file lies, and without a Kometa for it it would fail again and again."""
    assert "kometa-sidecar-worker" not in (SYSTEMD / "kometa-sidecar.service").read_text()


def test_the_command_line_is_run_as_the_service_runs() -> None:
    unit = (SYSTEMD / "kometa-sidecar.service").read_text()
    command = (SYSTEMD / "kometa-sidecar").read_text()
    subprocess.run(["sh", "-n", SYSTEMD / "kometa-sidecar"], check=True)
    for line in ("User=kometa-sidecar", "Group=kometa-sidecar", "UMask=0027", "EnvironmentFile=-/etc/kometa-sidecar/environment"):
        assert f"\n{line}\n" in unit
        assert f"--property={line}" in command
    assert "\nEnvironment=KOMETA_SIDECAR_SETTINGS=/etc/kometa-sidecar/sidecar.yml\n" in unit
    assert "--setenv=KOMETA_SIDECAR_SETTINGS=/etc/kometa-sidecar/sidecar.yml" in command
    assert "StateDirectory=kometa-sidecar\n" in unit
    assert "--setenv=STATE_DIRECTORY=/var/lib/kometa-sidecar" in command
    assert os.access(SYSTEMD / "kometa-sidecar", os.X_OK)


def test_every_file_that_the_guide_copies_is_there() -> None:
    """docs/install.md, commands below /opt/kometa-sidecar, which is a clone of this."""
    root = SYSTEMD.parent
    named = re.findall(r"/opt/kometa-sidecar/((?:systemd|config)/\S+)", (root / "docs/install.md").read_text())
    assert len(named) >= 4
    for name in named:
        assert list(root.glob(name)), name
