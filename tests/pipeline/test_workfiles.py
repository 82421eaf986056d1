"""What a worker leaves in its directories (quick pictures, backups of posters): taken if it is an ordinary small file there."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sidecar.pipeline import workfiles


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A directory that is reached through a link itself, as a data directory may be."""
    (tmp_path / "real" / "home").mkdir(parents=True)
    (tmp_path / "work").symlink_to(tmp_path / "real")
    return tmp_path / "work"


def test_an_ordinary_file_is_read(root: Path) -> None:
    (root / "home" / "a.jpg").write_bytes(b"\xff\xd8\xff and more")
    assert workfiles.read(root, root / "home" / "a.jpg", 100) == b"\xff\xd8\xff and more"


def test_anything_else_is_refused(root: Path, tmp_path: Path) -> None:
    home, outside = root / "home", tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (home / "link.jpg").symlink_to(outside / "secret")
    (home / "folder.jpg").mkdir()
    (home / "long.jpg").write_bytes(b"x" * 11)
    os.mkfifo(home / "pipe.jpg")
    (home / "way").symlink_to(outside)
    (home / "near").symlink_to(home)
    (home / "inside.jpg").write_bytes(b"x")
    for place in (
        "link.jpg",
        "folder.jpg",
        "long.jpg",
        "pipe.jpg",
        "gone.jpg",
        "way/secret",
        "near/inside.jpg",
        "../../outside/secret",
        "no/such.jpg",
    ):
        with pytest.raises(OSError):  # of several kinds
            workfiles.read(root, home / place, 10)
