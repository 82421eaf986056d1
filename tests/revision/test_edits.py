"""What was edited between two revisions."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sidecar.model import Revision
from sidecar.revision import edit_between, freeze
from sidecar.revision.edits import MOST_FILES, MOST_LINES
from tests.revision.conftest import Site


def frozen(site: Site) -> Revision:
    return freeze(site.read(), [], site.root / "store")


def same(text: str) -> str:
    return text


def test_a_changed_line_is_shown_with_its_file(site: Site) -> None:
    site.overlays("overlays:\n  4K:\n    plex_all: true\n    overlay: {name: text(4K)}\n")
    first = frozen(site)
    site.write("overlays/my.yml", "overlays:\n  4K:\n    plex_all: true\n    overlay: {name: text(UHD)}\n")
    second = frozen(site)
    edit = edit_between(site.root / "store", first.id, second.id, same)
    assert edit is not None
    assert (edit.before, edit.after, edit.more) == (first.id, second.id, 0)
    [file] = edit.files
    assert (file.path, file.kind, file.added, file.removed) == ("overlays/my.yml", "changed", 1, 1)
    assert file.diff.startswith("--- a/overlays/my.yml\n+++ b/overlays/my.yml\n@@ ")
    assert "-    overlay: {name: text(4K)}\n" in file.diff
    assert "+    overlay: {name: text(UHD)}\n" in file.diff
    assert edit_between(site.root / "store", second.id, second.id, same).files == ()  # type: ignore[union-attr]


def test_no_secret_is_in_a_diff(site: Site) -> None:
    overlays = "libraries: {Movies: {overlay_files: [{file: config/overlays/my.yml}]}}\n"
    site.write("overlays/my.yml", "overlays: {A: {plex_all: true, overlay: {name: text(A)}}}\n")
    site.config(
        f"trakt: {{client_secret: first-secret-0001, pin: '12345678'}}\n{overlays}",
        plex="plex: {url: 'http://10.0.0.2:32400', token: old-token-0001}\n",
    )
    first = frozen(site)
    site.config(
        f"trakt: {{client_secret: other-secret-0002, pin: '87654321'}}\n{overlays}",
        plex="plex: {url: 'http://10.0.0.2:32400', token: new-token-0002}\n",
    )
    site.write(
        "overlays/my.yml",
        "overlays: {A: {plex_all: true, overlay: {name: A, url: 'https://x.example/a.png?apikey=qwertyuiop'}}}\n# new-token-0002\n",
    )
    second = frozen(site)
    edit = edit_between(site.root / "store", first.id, second.id, lambda text: text.replace("x.example", "(redacted)"))
    assert edit is not None
    text = "".join(file.diff for file in edit.files)
    assert "+overlays: {A: " in text
    for secret in ("first-secret", "other-secret", "12345678", "87654321", "old-token", "new-token", "qwertyuiop", "x.example"):
        assert secret not in text
    assert [file.path for file in edit.files] == ["overlays/my.yml"], "only masked secrets changed in config.yml"


def test_pictures_come_and_go_without_text_and_config_comes_first(site: Site) -> None:
    site.overlays("overlays:\n  A:\n    plex_all: true\n    overlay: {name: A, file: config/overlays/a.png}\n")
    site.image("overlays/a.png")
    first = frozen(site)
    site.overlays(
        "overlays:\n  A:\n    plex_all: true\n    overlay: {name: A, file: config/overlays/b.png}\n", more="settings: {cache: false}\n"
    )
    site.image("overlays/b.png")
    second = frozen(site)
    edit = edit_between(site.root / "store", first.id, second.id, same)
    assert edit is not None
    assert [(file.path, file.kind, bool(file.diff)) for file in edit.files] == [
        ("config.yml", "changed", True),
        ("overlays/my.yml", "changed", True),
        ("overlays/a.png", "removed", False),
        ("overlays/b.png", "added", False),
    ]


def tree(root: Path, name: str, files: dict[str, bytes]) -> str:
    for path, data in files.items():
        file = root / name / "config" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    (root / name).mkdir(exist_ok=True)
    return name


def test_long_edits_are_cut_and_say_so(tmp_path: Path) -> None:
    lines = "".join(f"line {n}\n" for n in range(5000)).encode()
    many = {f"overlays/{n:03}.yml": b"a\n" for n in range(MOST_FILES + 7)}
    old = tree(tmp_path, "old", {"long.yml": b"", "large.yml": b"a\n"})
    new = tree(tmp_path, "new", {"long.yml": lines, "large.yml": b"b\n" * 200_000, **many})
    edit = edit_between(tmp_path, old, new, same)
    assert edit is not None
    assert edit.more == 9
    found = {file.path: file for file in edit.files}
    assert found["overlays/000.yml"].diff == "--- /dev/null\n+++ b/overlays/000.yml\n@@ -0,0 +1 @@\n+a\n"
    assert found["large.yml"].diff == ""
    assert found["long.yml"].added == 5000
    assert found["long.yml"].diff.count("\n") == MOST_LINES + 1
    assert "4603 more lines" in found["long.yml"].diff


def test_kometas_own_backups_are_no_edit_and_lost_revisions_have_none(tmp_path: Path) -> None:
    old = tree(tmp_path, "old", {"config.yml": b"a\n"})
    new = tree(tmp_path, "new", {"config.yml": b"a\n", "overlays/Movies Original Posters/1.png": b"\x89PNG"})
    edit = edit_between(tmp_path, old, new, same)
    assert edit is not None
    assert edit.files == ()
    assert edit_between(tmp_path, "gone", new, same) is None
    assert edit_between(tmp_path, "", new, same) is None


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=200))
def test_any_bytes_can_be_compared(one: bytes, other: bytes) -> None:
    with tempfile.TemporaryDirectory(prefix="ks-") as folder:
        old, new = tree(Path(folder), "old", {"a.yml": one}), tree(Path(folder), "new", {"a.yml": other})
        edit = edit_between(Path(folder), old, new, same)
        assert edit is not None
        assert [file.kind for file in edit.files] == (["changed"] if one != other else [])
        for file in edit.files:
            body = [line for line in file.diff.split("\n")[2:] if line]
            assert sum(line.startswith("+") for line in body) == file.added
            assert sum(line.startswith("-") for line in body) == file.removed
