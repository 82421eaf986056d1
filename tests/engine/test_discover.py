"""Finding Kometa: pure, with the files that each case says there are."""

from __future__ import annotations

from pathlib import Path

import pytest

from sidecar.engine.discover import KometaPlace, discover
from tests.somebody import somebody_else

USER = Path("/home/me")


def look(files: set[str], env: dict[str, str] | None = None, **more: Path) -> tuple[KometaPlace | None, str]:
    found = discover(env or {}, USER, is_file=lambda path: str(path) in files, **more)
    return found.found, found.message


@pytest.mark.parametrize(
    ("files", "env", "more", "home", "python"),
    [
        ({"/opt/kometa/kometa.py", "/opt/kometa/.venv/bin/python"}, {}, {}, "/opt/kometa", "/opt/kometa/.venv/bin/python"),
        ({"/opt/kometa/kometa.py", "/opt/kometa-venv/bin/python"}, {}, {}, "/opt/kometa", "/opt/kometa-venv/bin/python"),
        ({"/home/me/Kometa/kometa.py", "/home/me/Kometa/kometa-venv/bin/python"}, {}, {}, "/home/me/Kometa", "kometa-venv/bin/python"),
        ({"/kometa.py", "/usr/local/bin/python3"}, {}, {}, "/", "/usr/local/bin/python3"),
        (
            {"/srv/k/kometa.py", "/srv/k/venv/bin/python", "/opt/kometa/kometa.py", "/usr/bin/python3"},
            {},
            {"config_dir": Path("/srv/k/config")},
            "/srv/k",
            "/srv/k/venv/bin/python",
        ),
        ({"/a/kometa.py", "/p/python", "/usr/bin/python3"}, {"KOMETA_HOME": "/a", "KOMETA_PYTHON": "/p/python"}, {}, "/a", "/p/python"),
        ({"/home/me/k/kometa.py", "/usr/bin/python3"}, {"KOMETA_HOME": "~/k"}, {}, "/home/me/k", "/usr/bin/python3"),
        (
            {"/a/kometa.py", "/b/kometa.py", "/p/python", "/q/python"},
            {"KOMETA_HOME": "/a", "KOMETA_PYTHON": "/p/python"},
            {"home": Path("/b"), "python": Path("/q/python")},
            "/b",
            "/q/python",
        ),
    ],
)
def test_found(files: set[str], env: dict[str, str], more: dict[str, Path], home: str, python: str) -> None:
    found, _ = look(files, env, **more)
    assert found is not None
    assert str(found.home) == home
    assert str(found.python).endswith(python)


def test_a_named_place_that_is_wrong_is_not_replaced_by_another() -> None:
    files = {"/opt/kometa/kometa.py", "/usr/bin/python3"}
    found, message = look(files, {"KOMETA_HOME": "/wrong"})
    assert found is None
    assert "/wrong/kometa.py (KOMETA_HOME): not there" in message
    found, message = look(files, {"KOMETA_PYTHON": "/wrong/python"})
    assert found is None
    assert "/opt/kometa/kometa.py: found, but none of these Pythons: /wrong/python (KOMETA_PYTHON)" in message


def test_what_was_looked_at_is_said_with_the_remedy() -> None:
    found, message = look(set(), config_dir=Path("/srv/k/config"))
    assert found is None
    for place in ("/srv/k", "/opt/kometa", "/opt/Kometa", "/home/me/Kometa", "/home/me/kometa", "/app"):
        assert f"{place}/kometa.py: not there" in message
    assert "Set KOMETA_HOME" in message


def test_on_real_files(tmp_path: Path) -> None:
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "kometa.py").touch()
    (tmp_path / "venv/bin/python").symlink_to("/usr/bin/env")
    found = discover({}, tmp_path / "nobody", config_dir=tmp_path / "config").found
    assert found == KometaPlace(tmp_path, tmp_path / "venv/bin/python")


def test_what_this_user_may_not_look_at_is_not_there(tmp_path: Path, open_dir: Path) -> None:
    """A Kometa of root's, say, whose virtual environment links to a Python below /root: the daemon runs as another."""
    (open_dir / "venv/bin").mkdir(parents=True)
    (open_dir / "kometa.py").touch()
    (tmp_path / "python").touch()
    (open_dir / "venv/bin/python").symlink_to(tmp_path / "python")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    with somebody_else():
        found = discover({}, tmp_path, config_dir=open_dir / "config").found
        assert found is None or found.python != open_dir / "venv/bin/python"
        assert "not readable" in discover({"KOMETA_HOME": str(closed)}, tmp_path).message
