"""Ignore rules, mounts and scans."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sidecar.watch.ignore import ignored
from sidecar.watch.mounts import fstype_of, needs_polling, parse_mountinfo, read_mounts
from sidecar.watch.scan import scan


@pytest.mark.parametrize(
    "path",
    [
        *(
            "logs/meta.log",
            "logs/Movies/library.log",
            "config.cache",
            "config.cache-journal",
            "config.cache-wal",
            "UUID",
            "missing/Movies.yml",
        ),
        *("overlays/temp.webp", "overlays/temp.png", "overlays/Movies Original Posters/temp.jpg"),
        *(".git/index", "overlays/.git/HEAD", "@eaDir/x", "4913", "overlays/5036", ".config.yml.swp", "config.yml~", ".#config.yml"),
        *("#config.yml#", ".goutputstream-AB12CD", "config.yml___jb_tmp___", "sedAbC123", "config.yml.vsctmp", ".DS_Store", ".nfs0001"),
    ],
)
def test_what_is_no_input_is_passed_over(path: str) -> None:
    assert ignored(path, config=True)


@pytest.mark.parametrize(
    "path",
    [
        *(
            "config.yml",
            "overlays/my.yml",
            "overlays/temperature.png",
            "overlays/temp/a.png",
            "assets/Heat (1995)/poster.jpg",
            "fonts/My.ttf",
        ),
        *(
            "overlays/Movies Original Posters/101.jpg",
            "overlays/logs/x.yml",
            "my_report.yml",
            "5000",
            "2024",
            "..data/config.yml",
            "a.cached.yml",
        ),
    ],
)
def test_what_may_be_input_is_not(path: str) -> None:
    assert not ignored(path, config=True)


def test_kometas_own_files_are_only_kometas_in_its_directory() -> None:
    assert not ignored("logs/meta.log", config=False)
    assert not ignored("UUID", config=False)
    assert ignored("x/.git/config", config=False)


MOUNTS = r"""
22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
23 22 0:5 / /proc rw - proc proc rw
40 22 0:44 / /mnt/nas rw,relatime shared:20 master:3 - nfs4 nas:/export rw,vers=4.2
41 40 0:45 /sub /mnt/nas/local rw - ext4 /dev/sdb1 rw
42 22 0:46 / /mnt/with\040blank rw - cifs //nas/share rw
43 22 0:47 / /mnt/pool rw - fuse.mergerfs pool rw
44 22 0:48 / /mnt/ntfs rw - fuseblk /dev/sdc1 rw
45 22 0:49 / /over rw - nfs old:/x rw
46 45 0:50 / /over rw - xfs /dev/sdd1 rw
a line that is none
"""


@pytest.mark.parametrize(
    ("path", "fstype", "polls"),
    [
        ("/srv/kometa", "ext4", False),
        ("/mnt/nas", "nfs4", True),
        ("/mnt/nas/kometa/config", "nfs4", True),
        ("/mnt/nas/local/config", "ext4", False),
        ("/mnt/nastier", "ext4", False),
        ("/mnt/with blank/x", "cifs", True),
        ("/mnt/pool/x", "fuse.mergerfs", True),
        ("/mnt/ntfs/x", "fuseblk", False),
        ("/over/x", "xfs", False),
    ],
)
def test_the_file_system_of_a_path(path: str, fstype: str, polls: bool) -> None:
    found = fstype_of(PurePosixPath(path), parse_mountinfo(MOUNTS))
    assert found == fstype
    assert needs_polling(found) is polls


def test_overlays_of_containers_are_not_polled() -> None:
    assert not needs_polling("overlay")
    assert not needs_polling("")
    assert fstype_of(PurePosixPath("/x"), ()) == ""


@given(st.text())
def test_no_mountinfo_breaks_the_parser(text: str) -> None:
    parse_mountinfo(text)


def test_our_own_mounts_can_be_read() -> None:
    assert any(mount.fstype == "proc" for mount in read_mounts())


def test_a_scan_sees_files_links_and_what_to_watch(tmp_path: Path) -> None:
    config, outside, shared = tmp_path / "config", tmp_path / "outside", tmp_path / "shared"
    for directory in (config / "overlays", config / "logs", outside / "deep", shared):
        directory.mkdir(parents=True)
    for file in (config / "config.yml", config / "overlays/a.yml", config / "logs/meta.log", outside / "deep/b.png", shared / "c.ttf"):
        file.write_text("x")
    (config / "art").symlink_to(outside)
    (config / "loop").symlink_to(config)
    (config / "broken").symlink_to(tmp_path / "nowhere" / "x.yml")
    (config / "self").symlink_to("self")
    os.mkfifo(config / "pipe")
    found = scan(config, [shared / "c.ttf", tmp_path / "later" / "d.yml"])
    assert set(found.files) == {config / "config.yml", config / "overlays/a.yml", outside / "deep/b.png", shared / "c.ttf"}
    assert found.interest.trees == {config, outside}
    assert found.interest.spots == {tmp_path, shared}
    assert found.links
    assert not found.cut
    wants = found.interest.wants
    for path in (
        config,
        config / "new.yml",
        outside / "x",
        shared / "c.ttf",
        tmp_path / "later",
        tmp_path / "nowhere",
        tmp_path / "outside",
    ):
        assert wants(path), path
    for path in (tmp_path / "other", shared / "d.ttf", config / "logs/meta.log", config / "config.yml~"):
        assert not wants(path), path


def test_a_scan_through_links_uses_real_paths(tmp_path: Path) -> None:
    real, other = tmp_path / "real", tmp_path / "other"
    for directory in (real, other):
        directory.mkdir()
        (directory / "config.yml").write_text("x")
    link = tmp_path / "link"
    link.symlink_to("real")
    found = scan(link)
    assert set(found.files) == {real / "config.yml"}
    assert found.interest.config == real
    assert found.interest.wants(link)


def test_a_scan_is_bounded_nearest_first_and_named_files_always_count(tmp_path: Path) -> None:
    config, named = tmp_path / "config", tmp_path / "named.yml"
    (config / "assets").mkdir(parents=True)
    for number in range(20):
        (config / "assets" / f"{number}.jpg").write_text("x")
    (config / "config.yml").write_text("x")
    named.write_text("x")
    found = scan(config, [named], most=5)
    assert found.cut
    assert {config / "config.yml", named} <= found.files.keys()
    assert len(found.files) == 6


def test_a_scan_of_nothing_waits_for_the_nearest_directory(tmp_path: Path) -> None:
    found = scan(tmp_path / "a" / "b")
    assert found.files == {}
    assert found.interest.spots == {tmp_path}
    assert found.interest.wants(tmp_path / "a")
