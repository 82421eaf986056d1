"""systemd's own tools judge the units."""

from __future__ import annotations

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
