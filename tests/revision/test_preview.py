"""What Kometa is given: overlays only, no secret, everything that shapes pixels; laid out so that it finds every file."""

from __future__ import annotations

import re
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from sidecar.errors import StoreError
from sidecar.model import PreviewConfig
from sidecar.revision import ReadOptions, config_text, freeze, materialise, preview, read
from sidecar.revision.connectors import SERVICES
from sidecar.revision.names import SETTINGS
from sidecar.revision.secrets import edit_urls, is_secret_key, stand_in, url_secrets
from sidecar.yamlfile import dump, parse
from tests.revision.conftest import PLEX, Site, movie

FULL = """
plex:
  url: http://10.0.0.2:32400
  token: plex-token-0001
  timeout: 45
  db_cache: 40
  clean_bundles: true
  empty_trash: weekly(sunday)
tmdb: {apikey: 0123456789abcdef0123456789abcdef, language: de, region: DE}
github: {token: ghp_AbCdEfGhIjKlMnOp1234}
omdb: {apikey: abcd1234}
mdblist: {apikey: mdblist-key-1}
trakt:
  client_id: trakt-client-id-1
  client_secret: trakt-client-secret-1
  pin: 12345678
  force_refresh: true
  authorization: {access_token: trakt-access-1, token_type: Bearer, expires_in: 7889238, refresh_token: trakt-refresh-1, scope: public}
mal:
  client_id: mal-client-id-1
  client_secret: mal-client-secret-1
  authorization: {access_token: mal-access-1, refresh_token: mal-refresh-1}
anidb: {language: en}
tautulli: {url: http://10.0.0.3:8181, apikey: tautulli-key-1}
radarr: {url: http://10.0.0.4:7878, token: radarr-token-1}
sonarr: {url: http://10.0.0.5:8989, token: sonarr-token-1}
simkl: {user_token: simkl-token-1}
webhooks: {error: https://discord.com/api/webhooks/1/discord-hook-1, changes: notifiarr}
notifiarr: {apikey: notifiarr-key-1}
gotify: {url: http://10.0.0.6, token: gotify-token-1}
ntfy: {url: http://10.0.0.7, token: ntfy-token-1, topic: x}
apprise: {config: config/apprise.yml}
playlist_files: [{default: playlist}]
settings:
  cache: true
  run_order: [overlays, metadata]
  asset_folders: false
  overlay_artwork_filetype: png
  overlay_artwork_quality: 77
  tvdb_language: deu
  show_missing: false
  playlist_sync_to_users: all
  run_again_delay: 5
  unknown_setting: 1
libraries:
  Movies:
    library_name: Films
    collection_files: [{default: basic}]
    metadata_files: [{file: config/m.yml}]
    image_files: [{file: config/i.yml}]
    operations: {assets_for_all: true}
    webhooks: {changes: https://discord.com/api/webhooks/2/discord-hook-2}
    radarr: {url: http://10.0.0.4:7878, token: radarr-token-2}
    schedule: weekly(monday)
    schedule_overlays: range(12/01-12/31)
    report_path: config/report.yml
    reapply_overlays: true
    reset_overlays: tmdb
    remove_overlays: false
    template_variables: {lang: fr, text: "<<reference>>"}
    settings: {overlay_artwork_quality: 60, run_order: [overlays], cache: true, asset_depth: 1}
    overlay_files:
      - default: ratings
        schedule: daily
        template_variables: {rating1: critic, horizontal_offset: 10}
      - pmm: resolution
        asset_directory: config/x
  Music: {collection_files: [{default: x}]}
"""

SECRETS = re.findall(r"[a-z]+(?:-[a-z]+)+-\d+|ghp_\w+|abcd1234|12345678|0123456789abcdef\w+|plex-token-0001", FULL)


def everything(config: PreviewConfig) -> str:
    """All that leaves for the renderer, or for a screen."""
    return dump(config.data) + "".join(config.files.values()) + repr(config.problems) + repr(config)


@pytest.fixture
def full(site: Site) -> Site:
    site.write("config.yml", FULL)
    return site


def test_no_secret_is_left(full: Site) -> None:
    assert len(SECRETS) >= 24
    reading = full.read()
    config = preview(reading)
    left = [secret for secret in SECRETS if secret in everything(config) or secret in repr(reading.problems)]
    assert not left
    assert "10.0.0." not in everything(config)


def test_placeholders_lead_back_only_to_their_own_host(full: Site) -> None:
    by_secret = {placeholder.secret.get_secret_value(): placeholder for placeholder in preview(full.read()).placeholders}
    assert {
        name: by_secret[name].hosts for name in ("abcd1234", "mdblist-key-1", "trakt-access-1", "0123456789abcdef0123456789abcdef")
    } == {
        "abcd1234": ("www.omdbapi.com",),
        "mdblist-key-1": ("api.mdblist.com", "mdblist.com"),
        "trakt-access-1": ("api.trakt.tv",),
        "0123456789abcdef0123456789abcdef": ("api.themoviedb.org", "image.tmdb.org"),
    }
    assert {placeholder.connector for placeholder in by_secret.values()} == {"tmdb", "github", "omdb", "mdblist", "trakt", "mal"}
    assert re.fullmatch("[0-9a-f]{32}", by_secret["0123456789abcdef0123456789abcdef"].text)
    assert "plex-token-0001" not in by_secret, "the gateway puts Plex's token in by itself"


def test_what_is_kept_and_what_goes(full: Site) -> None:
    data: Any = preview(full.read()).data
    assert set(data) == {"libraries", "plex", "settings", "tmdb", "github", "omdb", "mdblist", "trakt", "mal", "anidb"}
    assert set(data["libraries"]) == {"Movies"}
    library = data["libraries"]["Movies"]
    assert set(library) == {
        "library_name",
        "overlay_files",
        "settings",
        "template_variables",
        "reapply_overlays",
        "reset_overlays",
        "remove_overlays",
    }
    assert library["overlay_files"] == [
        {"default": "ratings", "template_variables": {"rating1": "critic", "horizontal_offset": 10}},
        {"pmm": "resolution"},
    ]
    assert library["settings"] == {"overlay_artwork_quality": 60, "asset_depth": 1}
    assert library["template_variables"] == {"lang": "fr", "text": "<<reference>>"}
    assert data["plex"] == {
        "url": "http://plex-0.plex.invalid:32400",
        "timeout": 45,
        "db_cache": None,
        "clean_bundles": False,
        "empty_trash": False,
        "optimize": False,
        "verify_ssl": True,
    }
    assert (data["tmdb"]["language"], data["tmdb"]["region"]) == ("de", "DE")
    assert data["trakt"]["force_refresh"] is None
    assert data["trakt"]["authorization"]["token_type"] == "Bearer"
    assert data["trakt"]["pin"], "so that a refused authorization fails at once instead of asking for a pin"
    assert "code=" in data["mal"]["localhost_url"]


def test_every_setting_is_written_out(full: Site) -> None:
    data: Any = preview(full.read()).data
    assert set(data["settings"]) == set(SETTINGS)
    changed = {key: value for key, value in data["settings"].items() if value != SETTINGS[key]}
    assert changed == {
        "cache": False,
        "asset_folders": False,
        "overlay_artwork_filetype": "png",
        "overlay_artwork_quality": 77,
        "tvdb_language": "deu",
        "show_missing": False,
    }
    assert data["settings"]["run_order"] == ["operations", "metadata", "collections", "overlays"]


def test_the_same_seed_gives_the_same_placeholders(full: Site) -> None:
    assert preview(full.read()) == preview(full.read())
    other = preview(read(full.dir, ReadOptions()))
    assert {p.text for p in other.placeholders}.isdisjoint(p.text for p in preview(full.read()).placeholders)


@pytest.mark.parametrize(
    ("overlay", "connectors", "hosts"),
    [
        ("plex_all: true", set(), set()),
        ("overlay: {name: 'text(<<mdb_imdb_rating>>)'}", {"mdblist"}, {"api.mdblist.com"}),
        ("overlay: {name: 'text(<<trakt_rating>>)'}", {"trakt"}, {"api.trakt.tv"}),
        ("overlay: {name: 'text(<<omdb_rating>>)'}", {"omdb"}, {"www.omdbapi.com"}),
        ("overlay: {name: 'text(<<mal_rating>>)'}", {"mal"}, {"api.myanimelist.net"}),
        ("imdb_chart: top_movies", set(), {"www.imdb.com", "api.graphql.imdb.com"}),
        ("letterboxd_list: https://letterboxd.com/x/list/y", set(), {"letterboxd.com"}),
        ("tautulli_popular: 10", {"tautulli"}, {"10.0.0.3"}),
        ("radarr_all: true", {"radarr"}, {"10.0.0.4"}),
        ("overlay: {name: x, url: 'https://cdn.example.net/x.png'}", set(), {"cdn.example.net"}),
    ],
)
def test_connectors_are_kept_where_overlays_need_them(overlay: str, connectors: set[str], hosts: set[str], site: Site) -> None:
    site.write("config.yml", FULL[: FULL.index("libraries:")] + "libraries:\n  M: {overlay_files: {file: config/o.yml}}\n")
    site.write("o.yml", f"overlays:\n  A: {{{overlay}}}\n")
    config = preview(site.read())
    assert config.connectors - {"tmdb", "github"} == connectors
    assert config.hosts >= {"api.themoviedb.org", "image.tmdb.org", "raw.githubusercontent.com", *hosts}
    unneeded = {host for service in SERVICES.values() for host in service.hosts} - {"api.github.com"} - config.hosts
    assert len(unneeded) > 10, "hosts of services that nothing names are not open"


def test_what_cannot_be_judged_is_kept(full: Site) -> None:
    assert {"omdb", "mdblist", "trakt", "mal", "anidb"} <= preview(full.read()).connectors, (
        "Kometa's own files, and no Kometa to read them from"
    )
    full.write("config.yml", FULL.replace("default: ratings", "default: resolution"))
    home = full.kometa()
    assert preview(full.read(kometa_home=home)).connectors == {"tmdb", "github"}
    assert {"plex.tv", "app.plex.tv"}.isdisjoint(host for service in SERVICES.values() for host in service.hosts)


def test_a_missing_tmdb_key_is_said(site: Site) -> None:
    site.config("libraries: {A: {overlay_files: {default: x}}}\n", plex="plex: {url: 'http://x', token: abc}\n")
    (problem,) = preview(site.read()).problems
    assert problem.what == "tmdb.apikey is missing"


def test_secrets_in_urls(site: Site) -> None:
    site.config(
        "libraries:\n  M:\n    overlay_files:\n      - url: 'https://me:pass%20word@files.example/x.yml?apikey=query-key&v=1'\n"
        "      - file: config/o.yml\n",
    )
    site.write(
        "o.yml",
        "# https://t0ken-user@git.example/y\noverlays:\n  A: {overlay: {name: A, url: 'http://cdn.example/a.png?X-Plex-Token=abc123&w=1'}}\n",
    )
    config = preview(site.read())
    (url,) = [entry["url"] for entry in config.data["libraries"]["M"]["overlay_files"] if "url" in entry]  # type: ignore[index]
    assert re.fullmatch(r"https://me:\w{16}@files\.example/x\.yml\?apikey=[\w-]{16}&v=1", url)
    assert re.search(r"a\.png\?X-Plex-Token=\w{16}&w=1'", config.files["config/o.yml"])
    assert {(p.secret.get_secret_value(), p.hosts) for p in config.placeholders if p.connector == "url"} == {
        ("pass word", ("files.example",)),
        ("query-key", ("files.example",)),
        ("abc123", ("cdn.example",)),
        ("t0ken-user", ("git.example",)),
    }
    assert {"files.example", "cdn.example"} <= config.hosts


secret_texts = st.text("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~!$*()", min_size=8, max_size=40).filter(
    lambda text: text.strip("-_.~!$*()") != "" and not text.lower().startswith(("none", "null", "true", "env")),
)
SPOTS = (
    "tmdb.apikey",
    "plex.token",
    "trakt.client_secret",
    "trakt.authorization.access_token",
    "webhooks.error",
    "notifiarr.apikey",
    "libraries.M.radarr.token",
    "libraries.M.template_variables.api_key",
    "libraries.M.overlay_files.url",
)


def planted(spots: set[str], secret: str) -> dict[str, Any]:
    data: dict[str, Any] = {
        "plex": {"url": "http://10.0.0.2:32400", "token": "some-other-token"},
        "libraries": {"M": {"overlay_files": [{"file": "config/o.yml", "template_variables": {"note": "x"}}]}},
    }
    for spot in spots:
        *path, last = spot.split(".")
        if spot.endswith("overlay_files.url"):
            data["libraries"]["M"]["overlay_files"].append({"url": f"https://user:{secret}@example.org/x.yml"})
            continue
        holder = data
        for step in path:
            holder = holder.setdefault(step, {})
        holder[last] = f"https://hooks.example/{secret}" if spot == "webhooks.error" else secret
    return data


@settings(max_examples=60, deadline=None)
@given(secret_texts, st.sets(st.sampled_from(SPOTS), min_size=1), st.booleans())
def test_a_secret_planted_anywhere_is_not_in_what_kometa_gets(secret: str, spots: set[str], elsewhere: bool) -> None:
    data = planted(spots, secret)
    bare = spots - {"webhooks.error"}
    if elsewhere and bare:
        data["libraries"]["M"]["overlay_files"][0]["template_variables"]["note"] = f"see {secret} here"
        data["settings"] = {"custom_repo": f"https://example.net/{secret}/"}
    with tempfile.TemporaryDirectory() as scratch:
        config = Path(scratch) / "config"
        config.mkdir()
        (config / "config.yml").write_text(dump(data), encoding="utf-8")
        comment = f"# {secret}\n" if elsewhere and bare else ""
        (config / "o.yml").write_text(f"{comment}overlays: {{A: {{overlay: {{name: blur(5)}}}}}}\n", encoding="utf-8")
        reading = read(config, ReadOptions())
        made = preview(reading)
        assume(not any(secret in host for host in made.hosts))  # one that reads like a part of a host's name
        assert secret not in everything(made)
        assert secret not in repr(reading.problems)
        revision = freeze(reading, [], Path(scratch) / "store")
        home = Path(scratch) / "home"
        materialise(revision, made, home, token="grant")
        written = [path.read_text(encoding="utf-8") for root in (home, revision.root) for path in root.rglob("*") if path.is_file()]
        assert len(written) > 3
        assert not any(secret in text for text in written)


@given(st.text(min_size=1, max_size=60), st.binary(min_size=1, max_size=8))
def test_stand_ins(secret: str, seed: bytes) -> None:
    text = stand_in(secret, seed)
    assert secret not in text
    assert len(text) == max(len(secret), 16)
    assert text == stand_in(secret, seed)
    assert re.fullmatch(r"[A-Za-z0-9._-]+", text), "safe in URLs, headers and YAML"


@pytest.mark.parametrize(
    ("secret", "shape"),
    [
        ("0aF9" * 4, r"\w{16}"),
        ("DEADBEEF" * 4, r"[0-9A-F]{32}"),
        ("123456", r"\d{16}"),
        ("ab-CD_12.xyzqwert", r"[a-z]{2}-[A-Z]{2}_\d{2}\.[a-z]{8}"),
    ],
)
def test_stand_ins_have_the_shape(secret: str, shape: str) -> None:
    assert re.fullmatch(shape, stand_in(secret, b"x"))


@pytest.mark.parametrize(
    "key", ["token", "apikey", "api_key", "client_id", "client_secret", "pin", "access_token", "password", "authorization", "X-Plex-Token"]
)
def test_secret_keys(key: str) -> None:
    assert is_secret_key(key)


@pytest.mark.parametrize("key", ["token_type", "pinned", "spin", "tokens_used", "url", "key_name", "secretary", "timeout"])
def test_other_keys(key: str) -> None:
    assert not is_secret_key(key)


def test_urls_are_edited_in_place() -> None:
    text = "a http://u:p@h/x?key=1&w=1 b https://h.net/1?token=t#1 1 http://<<var>>/x?token=<<t>>"
    assert edit_urls(text, lambda secret, host: f"[{secret}|{host}]") == (
        "a http://u:[p|h]@h/x?key=[1|h]&w=1 b https://h.net/1?token=[t|h.net]#1 1 http://<<var>>/x?token=<<t>>"
    )
    assert url_secrets("http://[bad?token=x http://a%20b@h") == {"x", "a b"}


# ── folders, servers, paths ──────────────────────────────────────────────────────────────────────────────


def test_folders_become_their_files_and_share_their_variables(site: Site) -> None:
    site.config(
        "libraries:\n  M:\n    overlay_files:\n      - folder: config/a\n      - folder: config/a\n"
        "        file: config/b.yml\n        template_variables: {x: 1}\n"
    )
    for name in ("a/1.yml", "a/2.yml", "b.yml"):
        site.write(name, "overlays: {A: {overlay: {name: blur(5)}}}\n")
    reading = site.read()
    order = [f"config/a/{path.name}" for path in reading.libraries[0].folders[0]]
    entries: Any = preview(reading).data["libraries"]
    entries = entries["M"]["overlay_files"]
    assert [entry["file"] for entry in entries] == [*order, "config/b.yml", *order]
    assert sorted(order) == ["config/a/1.yml", "config/a/2.yml"]
    assert entries[0]["template_variables"] is entries[1]["template_variables"], "Kometa's queues write into it"
    assert all(entry["template_variables"] is entries[2]["template_variables"] for entry in entries[2:])
    again = parse(dump(preview(reading).data).encode(), "x").data["libraries"]["M"]["overlay_files"]
    assert again[3]["template_variables"] is again[4]["template_variables"], "and so it is read back"


def test_other_servers(site: Site, tmp_path: Path) -> None:
    site.config(
        "libraries:\n  A: {overlay_files: {default: x}}\n"
        "  B: {overlay_files: {default: x}, plex: {url: 'http://10.0.0.9:32400', token: other-plex-token, timeout: 5, optimize: true}}\n",
    )
    reading = site.read()
    config = preview(reading)
    assert "other-plex-token" not in everything(config)
    materialise(freeze(reading, [], tmp_path / "store"), config, tmp_path / "home", token="grant-1", plex_url="http://127.0.0.1:5")
    data = parse((tmp_path / "home/config/config.yml").read_bytes(), "x").data
    assert (data["plex"]["url"], data["plex"]["token"]) == ("http://127.0.0.1:5", "grant-1")
    assert "plex" not in data["libraries"]["A"]
    other = data["libraries"]["B"]["plex"]
    assert (other["url"], other["token"], other["timeout"], other["optimize"]) == ("http://plex-1.plex.invalid:32400", "grant-1", 5, False)


def test_the_home_holds_all_and_only_copies(site: Site, tmp_path: Path) -> None:
    home_of_kometa = site.kometa()
    site.image("../shared/4k.png")
    site.image("overlays/A.png")
    site.image("assets/Heat (1995)/poster.png")
    site.image("overlays/Movies Original Posters/101.png")
    site.overlays(
        "# kept as it is\noverlays:\n  A: {overlay: {name: A}}\n"
        f"  B:   {{overlay: {{name: '{site.root}/shared/4k.png', file: '{site.root}/shared/4k.png'}}}}  # why\n"
        "  C: {overlay: {name: text(x), font: /fonts/Inter-Medium.ttf}}\n",
        more=f"settings: {{asset_directory: [config/assets, config/empty, '{site.root}/shared']}}\n",
    )
    reading = site.read(kometa_home=home_of_kometa)
    revision, config = freeze(reading, [movie()], tmp_path / "store"), preview(reading)
    home = tmp_path / "home"
    written = materialise(revision, config, home, token="grant-1", kometa_home=home_of_kometa)
    assert written == home / "config/config.yml"
    assert {path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file() and "fonts" not in path.parts} == {
        "config/config.yml",
        "config/UUID",
        "config/.frozen/0/4k.png",
        "config/overlays/my.yml",
        "config/overlays/A.png",
        "config/assets/Heat (1995)/poster.png",
        "config/overlays/Movies Original Posters/101.png",
    }
    assert (home / "fonts/Inter-Medium.ttf").is_file()
    assert (home / "config/overlays/my.yml").read_text() == (
        "# kept as it is\noverlays:\n  A: {overlay: {name: A}}\n"
        f"  B:   {{overlay: {{name: '{site.root}/shared/4k.png', file: 'config/.frozen/0/4k.png'}}}}  # why\n"
        '  C: {overlay: {name: text(x), font: "fonts/Inter-Medium.ttf"}}\n'
    )
    data = parse(written.read_bytes(), "x").data
    assert data["settings"]["asset_directory"] == ["config/assets", "config/empty", "config/.frozen/0"]
    assert (home / "config/empty").is_dir(), "Kometa leaves out asset directories that are not there"
    assert written.stat().st_mode & 0o777 == 0o600
    for file in revision.files:
        if (home / file.path).exists():
            assert (home / file.path).stat().st_ino != (revision.root / file.path).stat().st_ino
            assert (home / file.path).stat().st_mode & 0o200, "Kometa writes"
    assert (site.dir / "overlays/my.yml").read_text().startswith("# kept"), "the user's directory is as it was"


def test_a_home_in_use_is_refused(site: Site, tmp_path: Path) -> None:
    site.config("libraries: {A: {overlay_files: {default: x}}}\n")
    reading = site.read()
    revision = freeze(reading, [], tmp_path / "store")
    materialise(revision, preview(reading), tmp_path / "home", token="a")
    with pytest.raises(StoreError, match="cannot be laid out"):
        materialise(revision, preview(reading), tmp_path / "home", token="a")
    shutil.rmtree(tmp_path / "home")
    (tmp_path / "home").mkdir()
    materialise(revision, preview(reading), tmp_path / "home", token="a")


@pytest.mark.parametrize("token", ["a", "-x", "12", "0x1f", "1e5", "null", "_", "Yes", "a-_9Z"])
def test_a_config_made_once_serves_any_token(site: Site, tmp_path: Path, token: str) -> None:
    site.config("libraries: {A: {plex: {url: http://other:1, token: t}, overlay_files: {default: x}}, B: {overlay_files: {default: x}}}\n")
    reading = site.read()
    made = preview(reading)
    text = config_text(made)
    written = materialise(freeze(reading, [], tmp_path / "store"), made, tmp_path / "home", token=token, text=text)
    data = parse(written.read_bytes(), "x").data
    assert data["plex"]["token"] == token
    assert data["libraries"]["A"]["plex"]["token"] == token
    assert "token" not in str(data["libraries"]["B"])
    with pytest.raises(ValueError, match="token"):
        text.with_token(f"{token}'")


def test_line_ends_survive(site: Site, tmp_path: Path) -> None:
    site.config("libraries: {A: {overlay_files: {file: config/o.yml}}}\n")
    site.write("o.yml", b"\xef\xbb\xbfoverlays:\r\n  A: {overlay: {name: blur(5)}}\r\n")
    reading = site.read()
    materialise(freeze(reading, [], tmp_path / "store"), preview(reading), tmp_path / "home", token="a")
    assert (tmp_path / "home/config/o.yml").read_bytes() == b"overlays:\r\n  A: {overlay: {name: blur(5)}}\r\n"


def test_data_survives_the_way_to_kometa(site: Site, tmp_path: Path) -> None:
    """Types and texts of template variables: a colour stays a text, a number a number."""
    variables = {
        "color": "#00FF00",
        "size": 55,
        "offset": -3,
        "ratio": 1.5,
        "on": True,
        "none": None,
        "yes": "yes",
        "zero": "007",
        "e": "1e3",
        "u": "é: #",
    }
    site.write("config.yml", PLEX + dump({"libraries": {"A": {"overlay_files": [{"default": "x", "template_variables": variables}]}}}))
    reading = site.read()
    path = materialise(freeze(reading, [], tmp_path / "store"), preview(reading), tmp_path / "home", token="a")
    assert parse(path.read_bytes(), "x").data["libraries"]["A"]["overlay_files"][0]["template_variables"] == variables
