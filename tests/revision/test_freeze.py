"""Freezing: same bytes, same id; never a torn file; nothing secret stored; assets and backups by Kometa's rules."""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import tempfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.errors import ConfigError, StoreError
from sidecar.model import FrozenFile, Level, Revision, Severity, Target
from sidecar.revision import Limits, ReadOptions, asset_poster, backup_poster, freeze, prune, read
from sidecar.revision.files import QUIET_NS, RACY, HashMemory, copy, read_bytes
from tests.revision.conftest import PLEX, Site, movie, show

OVERLAYS = "overlays:\n  A:\n    overlay: {name: A}\n    plex_all: true\n"


def places(revision: Revision, role: str | None = None) -> set[str]:
    return {file.path for file in revision.files if role is None or file.role == role}


def true_to_its_files(revision: Revision) -> bool:
    def right(file: FrozenFile) -> bool:
        path = revision.root / file.path
        return hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256 and path.stat().st_size == file.size

    there = {path.relative_to(revision.root).as_posix() for path in revision.root.rglob("*") if path.is_file()}
    return there == places(revision) and all(right(file) for file in revision.files)


@pytest.fixture
def simple(site: Site) -> Site:
    site.overlays(OVERLAYS)
    site.image("overlays/A.png")
    return site


def test_a_revision(simple: Site, tmp_path: Path) -> None:
    revision = freeze(simple.read(), [], tmp_path / "store")
    assert places(revision) == {"config/config.yml", "config/overlays/my.yml", "config/overlays/A.png"}
    assert revision.root == tmp_path / "store" / revision.id
    assert true_to_its_files(revision)
    assert {file.role for file in revision.files} == {"config", "overlay", "image"}
    assert all(not (revision.root / file.path).stat().st_mode & 0o222 for file in revision.files), "read-only"
    assert stat.S_IMODE((tmp_path / "store").stat().st_mode) == 0o700
    assert (revision.root / "config/overlays/my.yml").read_bytes() == (simple.dir / "overlays/my.yml").read_bytes()
    again = freeze(simple.read(), [], tmp_path / "store")
    assert again == revision


def test_unnamed_files_do_not_count(simple: Site, tmp_path: Path) -> None:
    before = freeze(simple.read(), [], tmp_path / "store").id
    simple.image("overlays/unused.png")
    simple.write("logs/meta.log", "x")
    simple.write("config.cache", "x")
    assert freeze(simple.read(), [], tmp_path / "store").id == before


@pytest.mark.parametrize("path", ["config.yml", "overlays/my.yml", "overlays/A.png"])
def test_any_byte_counts(path: str, simple: Site, tmp_path: Path) -> None:
    before = freeze(simple.read(), [], tmp_path / "store")
    file = simple.dir / path
    file.write_bytes(file.read_bytes() + b"\n")
    after = freeze(simple.read(), [], tmp_path / "store")
    assert after.id != before.id
    assert true_to_its_files(before)
    assert true_to_its_files(after)


def test_secrets_and_references_count_but_are_not_stored(site: Site, tmp_path: Path) -> None:
    ids = set()
    for token, key in (("first-token-1", "first-key-01"), ("second-token-2", "first-key-01"), ("first-token-1", "second-key-02")):
        site.write(
            "config.yml",
            f"plex: {{url: 'http://p', token: {token}}}\nmdblist:\n  apikey: <<key>>\n"
            "libraries: {A: {overlay_files: {default: x}}}\n",
        )
        revision = freeze(site.read(env={"KOMETA_KEY": key}), [], tmp_path / "store")
        ids.add(revision.id)
        stored = b"".join(path.read_bytes() for path in revision.root.rglob("*.yml"))
        assert token.encode() not in stored
        assert b"token: (redacted)" in stored.replace(b'"', b"")
    assert len(ids) == 3
    everything = [path.read_bytes() for path in (tmp_path / "store").rglob("*") if path.is_file()]
    assert not any(secret in content for content in everything for secret in (b"first-token-1", b"second-token-2", b"-key-0"))


names = st.text("abcdefgh", min_size=1, max_size=3)
contents = st.binary(max_size=30)
trees = st.dictionaries(names, contents, min_size=1, max_size=4)


def frozen_id(images: dict[str, bytes], store: Path) -> str:
    root = Path(tempfile.mkdtemp(dir=store))
    config = root / "config"
    (config / "images").mkdir(parents=True)
    # the overlay file names all that there might be: what is missing is missing in the same text
    listed = "".join(f"  {name}: {{overlay: {{name: text(x), file: config/images/{name}.png}}}}\n" for name in sorted({*images, "always"}))
    (config / "o.yml").write_text("overlays:\n" + listed)
    (config / "config.yml").write_text(PLEX + "libraries:\n  M: {overlay_files: {file: config/o.yml}}\n")
    for name, content in images.items():
        (config / "images" / f"{name}.png").write_bytes(content)
    try:
        return freeze(read(config, ReadOptions()), [], store / "store").id
    finally:
        shutil.rmtree(root)


@settings(max_examples=25, deadline=None)
@given(trees, trees)
def test_same_bytes_same_id_and_any_change_changes_it(first: dict[str, bytes], second: dict[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        store = Path(scratch)
        assert frozen_id(first, store) == frozen_id(dict(reversed(first.items())), store), "wherever it lies, in whatever order it was made"
        assert (frozen_id(first, store) == frozen_id(second, store)) == (first == second)


def test_contents_are_stored_once(simple: Site, tmp_path: Path) -> None:
    store = tmp_path / "store"
    first = freeze(simple.read(), [], store)
    simple.write("overlays/my.yml", OVERLAYS + "# more\n")
    second = freeze(simple.read(), [], store)
    images = [revision.root / "config/overlays/A.png" for revision in (first, second)]
    assert images[0].stat().st_ino == images[1].stat().st_ino
    assert len(list((store / ".objects").iterdir())) == 4


def test_hard_links_are_not_needed(simple: Site, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path, target: Path) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    revision = freeze(simple.read(), [], tmp_path / "store")
    assert true_to_its_files(revision)
    assert not (revision.root / "config/config.yml").stat().st_mode & 0o222


def test_prune(simple: Site, tmp_path: Path) -> None:
    store = tmp_path / "store"
    ids = []
    for number in range(3):
        simple.write("overlays/my.yml", f"{OVERLAYS}# {number}\n")
        ids.append(freeze(simple.read(), [], store).id)
    (store / ".tmp-left-behind").mkdir()
    (store / "notes").mkdir()
    assert prune(store, [ids[1]]) == 2
    assert sorted(path.name for path in store.iterdir()) == sorted([".objects", "notes", ids[1]])
    assert len(list((store / ".objects").iterdir())) == 3
    assert prune(tmp_path / "none", []) == 0


def test_limits(simple: Site, tmp_path: Path) -> None:
    simple.write("overlays/A.png", b"x" * 5000)
    for limits, setting, file in (
        (Limits(file_size=4000), "limits.file_size", "overlays/A.png"),
        (Limits(total_size=5100), "limits.total_size", "overlays/A.png"),
        (Limits(files=2), "limits.files", "config.yml"),
    ):
        with pytest.raises(ConfigError) as caught:
            freeze(simple.read(limits=limits), [], tmp_path / "store")
        (problem,) = caught.value.problems
        assert setting in problem.mend
        assert problem.file == file
        assert not list((tmp_path / "store").rglob(".tmp-*"))


def test_a_file_that_goes_away_is_named(simple: Site, tmp_path: Path) -> None:
    reading = simple.read()
    (simple.dir / "overlays/A.png").unlink()
    revision = freeze(reading, [], tmp_path / "store")
    assert [(problem.severity, problem.what) for problem in revision.problems] == [
        (Severity.ERROR, "'overlays/A.png' went away while it was read")
    ]
    assert true_to_its_files(revision)


def test_yaml_is_stored_as_it_was_read(simple: Site, tmp_path: Path) -> None:
    reading = simple.read()
    simple.write("overlays/my.yml", "overlays: {half")
    revision = freeze(reading, [], tmp_path / "store")
    assert (revision.root / "config/overlays/my.yml").read_text() == OVERLAYS


def test_an_unwritable_store(simple: Site, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("a file")
    with pytest.raises(StoreError, match="cannot be stored"):
        freeze(simple.read(), [], tmp_path / "store")


def test_a_damaged_store_is_mended(simple: Site, tmp_path: Path) -> None:
    revision = freeze(simple.read(), [], tmp_path / "store")
    for path in (revision.root / "config/overlays/A.png", tmp_path / "store/.objects" / revision.files[1].sha256):
        path.chmod(0o644)
        path.write_bytes(b"")
    again = freeze(simple.read(), [], tmp_path / "store")
    assert again.id == revision.id
    assert true_to_its_files(again)


def test_two_at_once_make_one(simple: Site, tmp_path: Path) -> None:
    results: list[Revision] = []
    threads = [threading.Thread(target=lambda: results.append(freeze(simple.read(), [], tmp_path / "store"))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len({revision.id for revision in results}) == 1
    assert len(results) == 4
    assert true_to_its_files(results[0])


# ── torn reads ───────────────────────────────────────────────────────────────────────────────────────────


def test_a_file_under_rewriting_is_never_torn(tmp_path: Path) -> None:
    file = tmp_path / "x"
    versions = [bytes([number]) * 300_000 for number in range(1, 4)]
    file.write_bytes(versions[0])
    stop = threading.Event()
    pauses = [0.0]

    def rewrite() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            with file.open("r+b") as out:
                last = time.monotonic()
                for start in range(0, 300_000, 30_000):
                    out.seek(start)
                    out.write(versions[number % 3][start : start + 30_000])
                    out.flush()
                    pauses.append(time.monotonic() - last)
                    last = time.monotonic()
            stop.wait(0.06)

    thread = threading.Thread(target=rewrite)
    thread.start()
    whole = torn = 0
    try:
        for number in range(12):
            try:
                if number % 2:
                    raw = read_bytes(file, most=10**6, name="x")
                else:
                    copy(file, tmp_path / "copy", most=10**6, name="x")
                    raw = (tmp_path / "copy").read_bytes()
                whole += raw in versions
                torn += raw not in versions
            except ConfigError as error:
                assert "keeps changing" in error.problems[0].what  # noqa: PT017 (either outcome is right, a torn file is not)
    finally:
        stop.set()
        thread.join()
    # A writer that was held up in the middle for longer (a starved machine) looks like one that has finished.
    assert torn == 0 or max(pauses) * 1e9 > QUIET_NS
    assert whole > 0


def test_special_files_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path):
        with pytest.raises(ConfigError, match="not a regular file"):
            read_bytes(path, most=10, name="x")
    with pytest.raises(FileNotFoundError):
        read_bytes(tmp_path / "none", most=10, name="x")


def test_hashes_are_remembered_only_of_files_at_rest(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("x")
    memory = HashMemory(most=1)
    memory.put(file.stat(), "young")
    assert memory.get(file.stat()) is None
    status = file.stat()
    old = os.stat_result((*status[:7], int(status.st_atime), int(status.st_mtime - RACY * 5), int(status.st_ctime - RACY * 5)))
    memory.put(old, "known")
    assert memory.get(old) == "known"


def test_unchanged_assets_are_not_read_again(simple: Site, tmp_path: Path) -> None:
    reading = simple.read()
    image = simple.dir / "overlays/A.png"
    revision = freeze(reading, [], tmp_path / "store")
    (frozen,) = [file for file in revision.files if file.role == "image"]
    reading.options.hashes.known[tuple(getattr(image.stat(), f"st_{name}") for name in ("dev", "ino", "size", "mtime_ns", "ctime_ns"))] = (
        frozen.sha256
    )
    image.chmod(0o644)
    os.utime(image, ns=(image.stat().st_atime_ns, image.stat().st_mtime_ns))
    assert freeze(simple.read(), [], tmp_path / "store").id == revision.id


# ── assets and backups ───────────────────────────────────────────────────────────────────────────────────


def assets(site: Site, settings: str = "", *, library: str = "Movies") -> None:
    site.config(f"settings: {{asset_directory: config/assets{settings}}}\nlibraries:\n  {library}: {{overlay_files: {{default: x}}}}\n")
    (site.dir / "assets").mkdir(exist_ok=True)


def frozen(site: Site, *targets: Target) -> Revision:
    return freeze(site.read(), targets, site.root / "store")


def test_assets_in_folders(site: Site) -> None:
    assets(site)
    for name in ("poster.jpg", "background.png", "logo.png", "square.webp", "other.png", "poster.txt", "Season01.jpg"):
        site.image(f"assets/Heat (1995)/{name}") if not name.endswith("txt") else site.write(f"assets/Heat (1995)/{name}", "x")
    site.image("assets/Other (2001)/poster.jpg")
    revision = frozen(site, movie())
    assert places(revision, "asset") == {
        f"config/assets/Heat (1995)/{name}" for name in ("poster.jpg", "background.png", "logo.png", "square.webp")
    }
    assert asset_poster(revision, movie()) == revision.root / "config/assets/Heat (1995)/poster.jpg"
    assert asset_poster(revision, movie(folder="Other (2001)")) is None, "not a target"
    assert frozen(site).id != revision.id, "assets count"


def test_assets_of_seasons_and_episodes(site: Site) -> None:
    assets(site, library="Shows")
    for name in ("poster.png", "Season01.png", "Season00.png", "S01E02.png", "Season01_background.png", "s01e03.png"):
        site.image(f"assets/Dark/{name}")
    targets = [
        show(),
        show(Level.SEASON, key=202, season=1),
        show(Level.SEASON, key=203, season=0),
        show(Level.EPISODE, key=204, season=1, episode=2),
    ]
    revision = frozen(site, *targets)
    found = [asset_poster(revision, target) for target in targets]
    assert [path.name if path else None for path in found] == ["poster.png", "Season01.png", "Season00.png", "S01E02.png"]
    assert "config/assets/Dark/Season01_background.png" in places(revision, "asset")
    assert asset_poster(revision, show(Level.EPISODE, season=1, episode=3)) is None


def test_flat_assets(site: Site) -> None:
    assets(site, ", asset_folders: false", library="Shows")
    for name in ("Dark.jpg", "Dark_Season01.jpg", "Dark_S01E02.jpg", "Dark_background.jpg", "Darker.jpg"):
        site.image(f"assets/{name}")
    targets = [show(), show(Level.SEASON, key=202, season=1), show(Level.EPISODE, key=204, season=1, episode=2)]
    revision = frozen(site, *targets)
    assert [path.name if (path := asset_poster(revision, target)) else None for target in targets] == [
        "Dark.jpg",
        "Dark_Season01.jpg",
        "Dark_S01E02.jpg",
    ]
    assert "config/assets/Darker.jpg" not in places(revision)


def test_deep_assets_and_the_first_directory_wins(site: Site) -> None:
    site.image("assets/H/Heat (1995)/poster.png")
    site.image("../more/Heat (1995)/poster.jpg")
    site.image("../more/Dune (2021)/poster.jpg")
    deep = movie(folder="Deep (2000)")
    site.image("assets/a/b/Deep (2000)/poster.png")
    site.config(
        f"settings: {{asset_directory: [config/assets, '{site.root}/more', config/none], asset_depth: 1}}\n"
        "libraries:\n  Movies: {overlay_files: {default: x}}\n",
    )
    revision = frozen(site, movie(), movie(102, "Dune (2021)"), deep)
    assert places(revision, "asset") == {"config/assets/H/Heat (1995)/poster.png", "config/.frozen/0/Dune (2021)/poster.jpg"}
    assert asset_poster(revision, movie()) == revision.root / "config/assets/H/Heat (1995)/poster.png"
    assert asset_poster(revision, movie(102, "Dune (2021)")) == revision.root / "config/.frozen/0/Dune (2021)/poster.jpg"
    assert asset_poster(revision, deep) is None


def test_exact_names_before_longer_ones(site: Site) -> None:
    assets(site)
    site.image("assets/Heat (1995)/poster.old.png")
    revision = frozen(site, movie())
    assert (asset_poster(revision, movie()) or Path()).name == "poster.old.png", "as Kometa, where there is no better"
    site.image("assets/Heat (1995)/poster.png")
    revision = frozen(site, movie())
    assert (asset_poster(revision, movie()) or Path()).name == "poster.png"


def test_images_renamed_by_their_shape(site: Site) -> None:
    assets(site, ", dimensional_asset_rename: true")
    site.image("assets/Heat (1995)/upright.png", (20, 30))
    site.image("assets/Heat (1995)/wide.jpg", (30, 20))
    site.image("assets/Heat (1995)/Season01.png", (20, 30))
    site.write("assets/Heat (1995)/broken.png", b"no picture")
    revision = frozen(site, movie())
    assert places(revision, "asset") == {"config/assets/Heat (1995)/poster.png", "config/assets/Heat (1995)/background.jpg"}
    assert (site.dir / "assets/Heat (1995)/upright.png").exists(), "the user's file keeps its name"
    assert asset_poster(revision, movie()) == revision.root / "config/assets/Heat (1995)/poster.png"


def test_targets_without_a_path_have_no_assets(site: Site) -> None:
    assets(site)
    site.image("assets/Heat (1995)/poster.png")
    assert not places(frozen(site, replace(movie(), locations=())), "asset")
    assert not places(frozen(site, movie(library="Other")), "asset")


def test_assets_that_are_links(site: Site) -> None:
    assets(site)
    real = site.image("assets/real.png")
    stray = site.image("../elsewhere/x.png")
    (site.dir / "assets/Heat (1995)").mkdir()
    (site.dir / "assets/Heat (1995)/poster.png").symlink_to(real)
    assert asset_poster(frozen(site, movie()), movie()) is not None
    (site.dir / "assets/Heat (1995)/poster.png").unlink()
    (site.dir / "assets/Heat (1995)/poster.png").symlink_to(stray)
    revision = frozen(site, movie())
    assert asset_poster(revision, movie()) is None
    assert "outside the allowed directories" in revision.problems[0].what


def test_backups(site: Site) -> None:
    site.config('libraries:\n  "Movies: 4K":\n    library_name: Movies\n    overlay_files: {default: x}\n')
    for name in ("101.jpg", "101.webp", "102.png", "999.png"):
        site.image(f"overlays/Movies 4K Original Posters/{name}")
    revision = frozen(site, movie(101), movie(102), movie(103))
    assert places(revision, "backup") == {
        f"config/overlays/Movies 4K Original Posters/{name}" for name in ("101.jpg", "101.webp", "102.png")
    }
    assert backup_poster(revision, movie(101)) == revision.root / "config/overlays/Movies 4K Original Posters/101.jpg"
    assert backup_poster(revision, movie(103)) is None
