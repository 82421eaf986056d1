"""Settings: every layer, every refusal with its place and remedy."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from sidecar.errors import SettingsError
from sidecar.settings import Settings, is_loopback, kometa_environment, load_settings
from sidecar.settings import load as load_module

SAMPLE = Path(__file__).parents[2] / "config" / "sidecar.yml"

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        file = tmp_path / "sidecar.yml"
        file.write_text(text, encoding="utf-8")
        return file

    return write


def load(file: Path | None = None, env: Mapping[str, str] | None = None, overrides: Mapping[str, object] | None = None) -> Settings:
    return load_settings(file, {"HOME": "/home/someone", **(env or {})}, overrides or {})


def refused(
    file: Path | None = None, env: Mapping[str, str] | None = None, overrides: Mapping[str, object] | None = None
) -> list[tuple[str, str, str]]:
    with pytest.raises(SettingsError) as caught:
        load(file, env, overrides)
    return [(problem.place, problem.what, problem.mend) for problem in caught.value.problems]


def test_nothing_given_is_enough() -> None:
    settings = load()
    assert settings.data == Path("/home/someone/.local/share/kometa-sidecar")
    assert (settings.web.host, settings.web.port, settings.web.token) == ("127.0.0.1", 8420, None)
    assert (settings.engine.kind, settings.engine.deadline, settings.targets.per_library) == ("auto", 300.0, 8)
    assert 1 <= settings.engine.shard_count <= 8


@pytest.mark.parametrize(
    ("env", "data"),
    [
        ({"STATE_DIRECTORY": "/var/lib/kometa-sidecar:/var/lib/other"}, "/var/lib/kometa-sidecar"),
        ({"XDG_DATA_HOME": "/data"}, "/data/kometa-sidecar"),
        ({"KOMETA_SIDECAR_DATA": "/mine", "STATE_DIRECTORY": "/var/lib/x"}, "/mine"),
    ],
)
def test_the_data_directory(env: dict[str, str], data: str) -> None:
    assert load(env=env).data == Path(data)


def test_later_layers_win(write: Write, tmp_path: Path) -> None:
    file = write("web: {port: 1, base_url: 'http://file'}\nlog: {level: debug}\ntargets: {per_library: 3}\n")
    settings = load(
        file, {"KOMETA_SIDECAR_WEB__PORT": "2", "KOMETA_SIDECAR_LOG__LEVEL": "error"}, {"web": {"port": 3, "host": None}, "log": {}}
    )
    assert (settings.web.port, settings.log.level, settings.targets.per_library, settings.web.base_url) == (3, "error", 3, "http://file")


def test_relative_paths_are_relative_to_the_file(write: Write, tmp_path: Path) -> None:
    settings = load(write("data: state\nroots: [links, /abs, ~/x]\npath_map: {/assets: assets}\ngateway: {cache_dir: c}\n"))
    assert settings.data == tmp_path / "state"
    assert settings.roots == (tmp_path / "links", Path("/abs"), Path("~/x").expanduser())
    assert settings.path_map == {"/assets": tmp_path / "assets"}
    assert settings.gateway.cache_dir == tmp_path / "c"


def test_blank_keys_and_sections_mean_defaults(write: Write) -> None:
    assert load(write("web:\nengine:\n  kometa_home:\n  deadline:\n")) == load()


def test_lists_and_mappings_from_the_environment() -> None:
    settings = load(
        env={
            "KOMETA_SIDECAR_TARGETS__LIST": '[{"rating_key": 5}, {title: Dark, season: 1, episode: 2}]',
            "KOMETA_SIDECAR_TARGETS__SEASONS": "4",
            "KOMETA_SIDECAR_TARGETS__EPISODES": "false",
            "KOMETA_SIDECAR_PATH_MAP": "{/assets: /mnt/assets}",
            "KOMETA_SIDECAR_ENGINE__KOMETA_HOME": "/5",
            "KOMETA_SIDECAR_ENGINE__FALLBACK": "no",
            "KOMETA_SIDECAR_SETTINGS": "/etc/sidecar.yml",
        },
    )
    assert [target.rating_key for target in settings.targets.listed] == [5, None]
    assert settings.targets.listed[1].episode == 2
    assert (settings.targets.seasons, settings.targets.episodes) == (4, False)
    assert settings.path_map == {"/assets": Path("/mnt/assets")}
    assert settings.engine.kometa_home == Path("/5")
    assert settings.engine.fallback is False


@pytest.mark.parametrize(
    ("text", "seconds", "size"),
    [("45", 45.0, 1024), ("500ms", 0.5, 1024), ("5m", 300.0, "1KiB"), ("2h", 7200.0, "0.001 MB")],
)
def test_durations_and_sizes(text: str, seconds: float, size: int | str, write: Write) -> None:
    settings = load(write(f"engine: {{deadline: {text}}}\nlimits: {{file_size: {size}}}\n"))
    assert settings.engine.deadline == seconds
    assert settings.limits.file_size in (1000, 1024)


@pytest.mark.parametrize(
    ("text", "line", "what", "mend"),
    [
        ("web:\n  prot: 1\n", 2, "no setting web.prot", "Did you mean 'port'?"),
        ("data: x\nwach: {}\n", 2, "no setting wach", "Did you mean 'watch'?"),
        ("web:\n  port: abc\n", 2, "web.port: 'abc' is refused", "A port number"),
        ("web:\n  host: 127.0.0.1\n  port: 70000\n", 3, "web.port: 70000 is refused", "A port number"),
        ("engine:\n  kind: containers\n", 2, "engine.kind: 'containers'", "auto"),
        ("engine: {deadline: 5 parsecs}\n", 1, "not a quantity", "Seconds"),
        ("engine:\n\n  deadline: 0\n", 3, "engine.deadline", "Seconds"),
        ("targets:\n  list:\n    - {title: A}\n    - {year: 1999}\n", 4, "one of rating_key, guid or title", "list of targets"),
        ("targets:\n  list:\n    - {title: A, episode: 1}\n", 3, "episode needs season", ""),
        ("targets:\n  list:\n    - {titel: A}\n", 3, "no setting targets.list.0.titel", "Did you mean 'title'?"),
        ("targets: {seasons: maybe}\n", 1, "targets.seasons: 'maybe'", "true"),
        ("path_map: {/a: 5}\n", 1, "path_map./a", "Kometa's path"),
        ("web: {base_url: 'ftp://x'}\n", 1, "web.base_url", "https://"),
        ("web: {base_url: 'http://[::1'}\n", 1, "none that can be asked", "https://"),
        ("web: {base_url: 'http://x:99999/'}\n", 1, "none that can be asked", "https://"),
        ("web: {host: a..b, token: a long enough one}\n", 1, "web.host", "127.0.0.1"),
        ("gateway: {host_map: {a: nonsense}}\n", 1, "http://", "Host name"),
        ("gateway: {host_map: {a: 'http://x:99999'}}\n", 1, "none that can be asked", "Host name"),
        ("web: 5\n", 1, "web: it is a section", "Write its settings below it, indented. Known here: base_path"),
        ("schedule: off\n", 1, "schedule: 'off' is refused: it is a section", "Known here: backups"),
        ("targets: [5]\n", 1, "targets: it is a section", "Known here: episodes"),
        ("notifications:\n  - 5\n", 2, "notifications.0: it is a section", "Known here: content_type"),
        ("notifications: {name: x}\n", 1, "notifications: it is a list", "A list of whom to tell"),
        ("path_map: 4\n", 1, "path_map: 4 is refused: it is a mapping", "Kometa's path to this machine's"),
        ("web:\n\tport: 1\n", 2, "tab", "spaces"),
        ("web: {port: 1\n", 1, "bracket", "Close"),
        ("- a\n", None, "not a mapping", "key: value"),
    ],
)
def test_refusals_name_line_and_remedy(text: str, line: int | None, what: str, mend: str, write: Write) -> None:
    file = write(text)
    places = [
        (found_what, found_mend) for place, found_what, found_mend in refused(file) if place == (f"{file}:{line}" if line else str(file))
    ]
    assert any(what in found_what and mend in found_mend for found_what, found_mend in places), refused(file)


def test_every_fault_is_told_at_once(write: Write) -> None:
    assert len(refused(write("web: {port: x}\nlog: {level: loud}\nfoo: 1\n"), {"KOMETA_SIDECAR_WEB__PROT": "1"})) == 4


def test_a_wrong_variable_is_named_with_its_neighbour() -> None:
    assert refused(env={"KOMETA_SIDECAR_WEB__PROT": "1"}) == [
        ("KOMETA_SIDECAR_WEB__PROT", "there is no such setting", "Did you mean KOMETA_SIDECAR_WEB__PORT?"),
    ]
    ((place, what, _),) = refused(env={"KOMETA_SIDECAR_WEB__PORT": "many"})
    assert place == "KOMETA_SIDECAR_WEB__PORT"
    assert "web.port: 'many'" in what
    ((place, _, _),) = refused(overrides={"web": {"port": "x"}})
    assert place == "command line"


def test_a_part_of_a_section_on_the_command_line_takes_no_blame_for_the_rest(write: Write) -> None:
    file = write("web:\n  token: short\n")
    ((place, what, _),) = refused(file, {"KOMETA_SIDECAR_WEB__HOST": "127.0.0.1"}, overrides={"web": {"port": 8477}})
    assert (place, what) == (f"{file}:2", "web.token: it is too short")


def test_an_unreadable_file(tmp_path: Path) -> None:
    ((place, what, mend),) = refused(tmp_path / "none.yml")
    assert place == str(tmp_path / "none.yml")
    assert "No such file" in what
    assert "default" in mend


def test_another_address_needs_a_token() -> None:
    ((_, what, mend),) = refused(overrides={"web": {"host": "0.0.0.0"}})
    assert "web.token is not set" in what
    assert "KOMETA_SIDECAR_WEB__TOKEN" in mend
    assert load(overrides={"web": {"host": "0.0.0.0", "token": "a long enough one"}}).web.host == "0.0.0.0"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "[::1]", "localhost"])
def test_loopback(host: str) -> None:
    assert is_loopback(host)
    assert load(overrides={"web": {"host": host}}).web.token is None


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.2", "example.net", ""])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


def token_of(settings: Settings) -> str | None:
    return settings.web.token.get_secret_value() if settings.web.token else None


def test_secrets_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    credentials, docker = tmp_path / "credentials", tmp_path / "secrets"
    credentials.mkdir()
    docker.mkdir()
    monkeypatch.setattr("sidecar.settings.secrets.RUN_SECRETS", docker)
    (docker / "web_token").write_text("from-run-secrets\n")
    assert token_of(load()) == "from-run-secrets"
    (credentials / "web_token").write_text("from-credentials\r\n")
    env = {"CREDENTIALS_DIRECTORY": str(credentials)}
    assert token_of(load(env=env)) == "from-credentials"
    (tmp_path / "named").write_text("from-named-file")
    env["KOMETA_SIDECAR_WEB__TOKEN_FILE"] = str(tmp_path / "named")
    assert token_of(load(env=env)) == "from-named-file"
    assert token_of(load(env={"KOMETA_SIDECAR_WEB__TOKEN": "1234567890123"})) == "1234567890123"
    assert token_of(load(env=env, overrides={"web": {"token": "from-command-line"}})) == "from-command-line"


def test_a_secret_is_never_told(write: Write, tmp_path: Path) -> None:
    file = write(
        "web: {token: short-one}\n"
        "notifications:\n- name: a\n  url: ftp://hooks.example/s3cr3t-path\n  headers: {Authorization: [Bearer-abc]}\n"
    )
    with pytest.raises(SettingsError) as caught:
        load(file)
    told = repr(caught.value.problems) + str(caught.value)
    assert not any(secret in told for secret in ("short-one", "s3cr3t-path", "Bearer-abc"))
    destination = {"name": "a", "url": "https://h/x", "headers": {"A": "secret value"}, "secret": "signing key of 16"}
    settings = load(overrides={"web": {"token": "correct horse battery"}, "notifications": [destination]})
    assert "battery" not in repr(settings)
    assert "signing" not in repr(settings)
    assert set(settings.secrets) == {"correct horse battery", "https://h/x", "secret value", "signing key of 16"}


def test_missing_and_oversized_secret_files(tmp_path: Path) -> None:
    ((place, what, _),) = refused(env={"KOMETA_SIDECAR_WEB__TOKEN_FILE": str(tmp_path / "none")})
    assert place == "KOMETA_SIDECAR_WEB__TOKEN_FILE"
    assert "cannot be read" in what
    (tmp_path / "large").write_bytes(b"x" * 70_000)
    ((_, what, _),) = refused(env={"KOMETA_SIDECAR_WEB__TOKEN_FILE": str(tmp_path / "large")})
    assert "65,536 bytes" in what


def test_the_environment_of_kometas_references(tmp_path: Path) -> None:
    (tmp_path / "kometa_plex_token").write_text("from-credential\n")
    (tmp_path / "kometa_tmdbkey").write_text("overridden")
    (tmp_path / "file").write_text("from-file\n")
    env = {
        "CREDENTIALS_DIRECTORY": str(tmp_path),
        "KOMETA_TMDBKEY": "from-env",
        "KOMETA_TRAKT_FILE": str(tmp_path / "file"),
        "KOMETA_SIDECAR_WEB__TOKEN": "never",
        "PATH": "/bin",
    }
    assert kometa_environment(env) == {"KOMETA_PLEX_TOKEN": "from-credential", "KOMETA_TMDBKEY": "from-env", "KOMETA_TRAKT": "from-file"}
    with pytest.raises(SettingsError):
        kometa_environment({"KOMETA_TRAKT_FILE": str(tmp_path / "none")})


def test_the_sample_says_the_defaults(tmp_path: Path) -> None:
    """config/sidecar.yml, each setting uncommented, is what one gets without it; and none is forgotten."""
    lines = SAMPLE.read_text(encoding="utf-8").splitlines()
    settings = [line[1:] for line in lines if re.match(r"#(?:  |\w)", line) and not line.startswith("#data")]
    file = tmp_path / "sidecar.yml"
    file.write_text("\n".join(settings), encoding="utf-8")
    loaded = load(file)
    assert len(loaded.targets.listed) == 4
    assert len(loaded.review.rules) == 3
    assert [each.what for each in loaded.notifications] == ["discord", "webhook"]
    examples = {
        "targets": loaded.targets.model_copy(update={"listed": ()}),
        "review": loaded.review.model_copy(update={"rules": ()}),
        "notifications": (),
        "path_map": {},
    }
    bare = loaded.model_copy(update=examples)
    assert bare == load()
    written = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    known = {where for where, _ in load_module._fields()} - {("data",)}
    assert {(section, key) for section, keys in written.items() if isinstance(keys, dict) and section != "path_map" for key in keys} | {
        (section,) for section, keys in written.items() if not isinstance(keys, dict) or section == "path_map"
    } == known


@pytest.mark.parametrize("text", ["gateway: {mode: replay}\n", "gateway: {recording: /tmp/r}\n"])
def test_a_recording_goes_with_its_mode(tmp_path: Path, text: str) -> None:
    file = tmp_path / "sidecar.yml"
    file.write_text("data: /tmp/d\n" + text)
    with pytest.raises(SettingsError, match=r"gateway\.recording names the directory"):
        load_settings(file, {}, {})


def test_a_secrets_directory_that_may_not_be_entered_is_as_good_as_none(tmp_path: Path) -> None:
    """systemd can leave one for a service none of whose credentials exist. Root may enter any: so as another user, in a child."""
    (tmp_path / "web_token").write_text("a-token-of-some-length")
    tmp_path.chmod(0)
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if os.geteuid() == 0:
                os.setresuid(65534, 65534, 65534)
            status = 0 if load_settings(None, {"HOME": "/", "CREDENTIALS_DIRECTORY": str(tmp_path)}, {}).web.token is None else 2
        finally:
            os._exit(status)
    _, ended = os.waitpid(child, 0)
    tmp_path.chmod(0o700)
    assert os.waitstatus_to_exitcode(ended) == 0
