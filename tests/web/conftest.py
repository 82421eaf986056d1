from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.web.site import Site, running


@pytest.fixture
def site_files(tmp_path: Path) -> Path:
    """A gallery's directory, with things beside and in it that must not get out."""
    root = tmp_path / "gallery"
    for name, text in {
        "index.html": "<!doctype html><title>first page</title>",
        "latest.json": json.dumps({"schema": 1}),
        "img/" + "a" * 64 + ".webp": "picture",
        "static/page.0123456789.css": "body{}",
        "runs/r1/index.html": "run one",
        ".index.html.part": "unfinished",
    }.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    (tmp_path / "secret.txt").write_text("SECRET")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/index.html").write_text("SECRET")
    (root / "link.html").symlink_to(tmp_path / "secret.txt")
    (root / "away").symlink_to(tmp_path / "other")
    return root


@pytest.fixture
async def site(site_files: Path) -> AsyncIterator[Site]:
    async with running(Site(site_files)) as served:
        yield served
