from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.web.site import Site, raw, running


@pytest.mark.parametrize(
    ("path", "kind", "cache"),
    [
        ("/", "text/html", "public, no-cache"),
        ("/index.html", "text/html", "public, no-cache"),
        ("/latest.json", "application/json", "public, no-cache"),
        ("/runs/r1/", "text/html", "public, no-cache"),
        ("/img/" + "a" * 64 + ".webp", "image/webp", "public, max-age=31536000, immutable"),
        ("/static/page.0123456789.css", "text/css", "public, max-age=31536000, immutable"),
    ],
)
async def test_serves_the_gallery_with_a_lifetime_by_what_it_is(site: Site, path: str, kind: str, cache: str) -> None:
    async with site.session() as client, client.get(path) as answer:
        assert answer.status == 200
        assert answer.content_type == kind
        assert answer.headers["Cache-Control"] == cache
        assert answer.headers["ETag"]


async def test_an_unchanged_page_is_not_sent_twice(site: Site) -> None:
    async with site.session() as client:
        async with client.get("/") as first:
            tag = first.headers["ETag"]
        async with client.get("/", headers={"If-None-Match": tag}) as second:
            assert second.status == 304
            assert second.headers["Content-Security-Policy"].startswith("default-src 'self'")


async def test_a_directory_without_its_slash_redirects_relatively(site: Site) -> None:
    async with site.session() as client, client.get("/runs/r1", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (302, "r1/")


@pytest.mark.parametrize(
    "target",
    [
        "/../secret.txt",
        "/%2e%2e/secret.txt",
        "/..%2fsecret.txt",
        "/runs/../../secret.txt",
        "/runs/..%2f..%2fsecret.txt",
        "//etc/passwd",
        "/%2fetc/passwd",
        "/..%5csecret.txt",
        "/index.html%00.txt",
        "/link.html",
        "/away/index.html",
        "/away/",
        "/.index.html.part",
        "/runs/./r1/../../../secret.txt",
        "/index.html/",
        "/nothing",
    ],
)
async def test_nothing_but_plain_files_of_the_gallery(site: Site, target: str) -> None:
    status, text = await raw(site.port, f"GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
    assert status in (400, 404)
    assert "SECRET" not in text
    assert "unfinished" not in text


async def test_special_files_are_refused(site: Site) -> None:
    os.mkfifo(site.gallery / "pipe.html")
    async with site.session() as client, client.get("/pipe.html") as answer:
        assert answer.status == 404


async def test_before_anything_is_published(tmp_path: Path) -> None:
    async with running(Site(tmp_path / "none")) as site, site.session() as client:
        async with client.get("/") as answer:
            assert answer.status == 503
            assert answer.headers["Retry-After"] == "2"
        async with client.get("/readyz") as answer:
            assert answer.status == 503
            assert (await answer.json())["reasons"] == [{"part": "gallery", "detail": "nothing is published yet"}]
