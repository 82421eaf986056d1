"""The worker's quick pictures: taken if they are ordinary small files, and nothing else is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sidecar.pipeline import render


def test_an_ordinary_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"\xff\xd8\xff and more")
    assert render._small_file(tmp_path / "a.jpg") == b"\xff\xd8\xff and more"


def test_anything_else_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "MOST_QUICK", 10)
    secret = tmp_path / "secret"
    secret.write_bytes(b"secret")
    (tmp_path / "link.jpg").symlink_to(secret)
    (tmp_path / "folder.jpg").mkdir()
    (tmp_path / "long.jpg").write_bytes(b"x" * 11)
    os.mkfifo(tmp_path / "pipe.jpg")
    (tmp_path / "way").symlink_to(tmp_path)
    for place in ("link.jpg", "folder.jpg", "long.jpg", "pipe.jpg", "gone.jpg", "way/secret", "no/such.jpg"):
        with pytest.raises(OSError):  # of several kinds
            render._small_file(tmp_path / place)
