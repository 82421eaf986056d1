"""The command line as a person or a script meets it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from sidecar import __version__, cli
from tests.somebody import somebody_else

CONFIG = """\
plex: {url: 'http://127.0.0.1:9', token: abcdefghijklmnop}
tmdb: {apikey: demo}
libraries:
  Movies:
    overlay_files:
      - file: config/my.yml
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    directory = tmp_path / "config"
    directory.mkdir()
    (directory / "config.yml").write_text(CONFIG)
    (directory / "my.yml").write_text("overlays:\n  A:\n    plex_all: true\n    overlay: {name: text(A)}\n")
    return directory


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["version"]) == 0
    assert capsys.readouterr().out == f"kometa-sidecar {__version__}\n"


def test_check_passes_a_sound_config(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["check", str(config)]) == 0
    assert "0 errors" in capsys.readouterr().out


def test_check_names_file_line_and_remedy(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (config / "config.yml").write_text(CONFIG.replace("my.yml", "mine.yml"))
    assert cli.run(["check", str(config), "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    (problem,) = [problem for problem in result["problems"] if problem["severity"] == "error"]
    assert (problem["file"], problem["line"]) == ("config.yml", 6)
    assert "mine.yml" in problem["what"]
    assert problem["mend"]


@pytest.mark.parametrize("command", ["run", "render", "check"])
def test_a_directory_that_is_not_there(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run([command, str(tmp_path / "nowhere"), "--data", str(tmp_path / "data")]) == 1
    assert "there is no directory" in capsys.readouterr().err


def test_wrong_settings_name_the_nearest_key(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = tmp_path / "sidecar.yml"
    settings.write_text("web:\n  prot: 1\n")
    assert cli.run(["check", str(config), "--settings", str(settings)]) == 1
    told = capsys.readouterr().err
    assert f"{settings}:2" in told
    assert "Did you mean 'port'?" in told


def test_render_says_when_plex_is_away(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["render", str(config), "--once", "--json", "--engine", "draft", "--data", str(tmp_path / "data")]) == 1
    streams = capsys.readouterr()
    assert streams.out == ""
    assert "Plex at http://127.0.0.1:9 is not reachable" in streams.err
    assert "abcdefghijklmnop" not in streams.err


def test_the_demo_renders_once_and_prints_one_line_of_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["demo", "--once", "--engine", "draft", "--data", str(tmp_path / "data")]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    result = json.loads(line)
    assert (result["engine"], result["state"], result["errors"]) == ("draft", "done", 0)
    assert result["pictures"] == result["targets"] > 10
    assert Path(result["gallery"]).is_file()


def test_doctor_says_what_fails(config: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No Plex answers there: exit 1, a line for it, and the same as JSON."""
    arguments = ["doctor", str(config), "--data", str(tmp_path / "data"), "--engine", "draft"]
    assert cli.run(arguments) == 1
    out, err = capsys.readouterr()
    assert "fail  plex-0    Plex (plex-0) is not reachable" in out
    assert "ok    gateway" in out
    assert "→ start Plex" in err
    assert cli.run([*arguments, "--json"]) == 1
    result = json.loads(capsys.readouterr().out)
    assert result["ok"] is False
    assert ("plex-0", "fail") in [(finding["part"], finding["state"]) for finding in result["findings"]]
    assert "abcdefghijklmnop" not in out + err


@pytest.mark.parametrize(
    "command",
    [
        "run CLOSED",
        "render CLOSED",
        "check CLOSED",
        "check CONFIG",
        "doctor CONFIG",
        "run CONFIG",
        "backup",
        "restore FILE",
        "approve",
        "notifications",
    ],
)
def test_what_belongs_to_another_user_is_told_as_such(
    command: str, config: Path, open_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """As somebody's own shell meets the directories of the service's user."""
    closed = open_dir / "closed"
    (closed / "data").mkdir(parents=True)
    (closed / "data/state.db").touch()
    (closed / "config").mkdir()
    shutil.copytree(config, open_dir / "config")
    closed.chmod(0o700)
    words = {"CLOSED": str(closed / "config"), "CONFIG": str(open_dir / "config"), "FILE": str(closed / "backup.tar.gz")}
    given = [words.get(word, word) for word in command.split()]
    if command != "check CONFIG":
        given += ["--data", str(closed / "data")]
    cli.run(
        ["doctor", str(config), "--engine", "draft", "--data", str(open_dir / "mine")]
    )  # imports what it needs, before these files are out of sight
    capsys.readouterr()
    with somebody_else():
        status = cli.run(given)
    told = "".join(capsys.readouterr())
    assert status == (0 if command == "check CONFIG" else 1)
    if status:
        assert str(closed) in told
        assert "may not" in told or "Permission denied" in told or "cannot be written" in told or "may write" in told
