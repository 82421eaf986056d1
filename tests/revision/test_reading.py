"""Reading a config directory: what it names is found as Kometa finds it; what is missing or refused is named."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sidecar.errors import ConfigError
from sidecar.model import Level, Severity
from sidecar.revision.environment import parse_env, references, resolve
from sidecar.revision.overlay_files import safe_name
from tests.revision.conftest import PLEX, Site, told
from tests.somebody import somebody_else

FROM_ITS_OWN = "Write config/overlays/my.yml: Kometa looks from its own directory, not from the config directory."
ALL = "    plex_all: true\n"


def overlay(attributes: str, name: str = "A") -> str:
    return f"overlays:\n  {name}:\n    overlay: {{{attributes}}}\n{ALL}"


# ── config.yml ───────────────────────────────────────────────────────────────────────────────────────────


def test_what_this_user_may_not_look_at(open_dir: Path) -> None:
    """A config for the service's user that names a file of root's; then the config directory itself is closed."""
    site = Site(open_dir)
    place = site.write("../closed/x.yml", "overlays: {}")
    place.parent.chmod(0o700)
    site.write("config.yml", PLEX + f"libraries:\n  A:\n    overlay_files:\n    - file: {place}\n")
    told(site.read())
    with somebody_else():
        (line,) = told(site.read())
    assert line.startswith(f"config.yml:6 the overlay file '{place}' may not be read by this user (uid 65534) [Give it the right")
    site.dir.chmod(0o700)
    with somebody_else(), pytest.raises(ConfigError, match=r"config\.yml may not be looked at by this user \(uid 65534\)"):
        site.read()


@pytest.mark.parametrize(
    ("text", "what", "line"),
    [
        ("", "config.yml is empty", 1),
        ("# nothing\n", "config.yml is empty", 1),
        ("- a\n", "not a mapping", 1),
        ("just words\n", "not a mapping", None),
        (PLEX, "there are no libraries", None),
        (PLEX + "libraries:\n  Movies: {collection_files: x}\n", "no library has overlay_files", 3),
        (PLEX + "libraries:\n  Movies:\n    overlay_files: {default: x}\n  Movies: {}\n", "'Movies' is there twice", 6),
        ("libraries:\n  A:\n    overlay_files: {default: x}\n", "plex.url is missing", None),
        ("plex: {url: 'http://x'}\nlibraries:\n  A:\n    overlay_files: {default: x}\n", "plex.token is missing", 1),
        ("plex:\n  url: 10.0.0.2:32400\n  token: a\nlibraries: {A: {overlay_files: {default: x}}}\n", "not an http://", 2),
        ("plex:\n  url: env\n  token: env\nlibraries: {A: {overlay_files: {default: x}}}\n", "KOMETA_PLEX_URL is not set", 2),
        ("settings: [a]\n", "settings is not a mapping", 1),
    ],
)
def test_what_stops_a_render(text: str, what: str, line: int | None, site: Site) -> None:
    site.write("config.yml", text)
    with pytest.raises(ConfigError) as caught:
        site.read()
    (problem,) = caught.value.problems
    assert what in problem.what
    assert (problem.file, problem.line) == ("config.yml", line)
    assert problem.mend


def test_no_config(site: Site) -> None:
    with pytest.raises(ConfigError, match=r"there is no config\.yml in"):
        site.read()
    site.dir.rmdir()
    with pytest.raises(ConfigError, match="is not a directory"):
        site.read()


def test_the_file_itself_may_be_given(site: Site) -> None:
    from sidecar.revision import read

    site.overlays(overlay("name: blur(5)"))
    assert read(site.dir / "config.yml").config_dir == site.dir


def test_a_broken_overlay_file_stops(site: Site) -> None:
    site.overlays("overlays:\n  A: {overlay: {name: x}\n")
    with pytest.raises(ConfigError) as caught:
        site.read()
    assert caught.value.problems[0].place == "overlays/my.yml:2"


def test_an_empty_overlay_file_is_an_error_that_does_not_stop(site: Site) -> None:
    site.overlays("")
    assert told(site.read(), Severity.ERROR) == ["overlays/my.yml it holds no overlays [Add an 'overlays:' section.]"]


def test_servers(site: Site) -> None:
    site.write(
        "config.yml",
        """
plex: {url: "http://10.0.0.2:32400/", token: one, timeout: 30}
settings: {verify_ssl: false}
libraries:
  A: {overlay_files: {default: x}}
  B: {overlay_files: {default: x}, plex: {url: "https://b:32400", token: two, verify_ssl: true}}
  C: {overlay_files: {default: x}, plex: {token: three}}
  D: {overlay_files: {default: x}, plex: {url: "https://b:32400/", token: two}}
  E: {overlay_files: {default: x}, plex: {timeout: 5}}
  F: {collection_files: x, plex: {url: "http://unused", token: four}}
""",
    )
    reading = site.read()
    assert [(s.name, s.url, s.token.get_secret_value(), s.timeout, s.verify_ssl) for s in reading.servers] == [
        ("plex-0", "http://10.0.0.2:32400", "one", 30.0, False),
        ("plex-1", "https://b:32400", "two", 30.0, True),
        ("plex-2", "http://10.0.0.2:32400", "three", 30.0, False),
    ]
    assert {library.plan.key: library.plan.server for library in reading.libraries} == {
        "A": "plex-0",
        "B": "plex-1",
        "C": "plex-2",
        "D": "plex-1",
        "E": "plex-0",
    }


def test_only_the_wanted_libraries(site: Site) -> None:
    site.config("libraries:\n  A: {overlay_files: {default: x}}\n  b: {library_name: Films, overlay_files: {default: x}}\n")
    assert [library.plan.name for library in site.read().libraries] == ["A", "Films"]
    assert [library.plan.key for library in site.read(libraries=("Films",)).libraries] == ["b"]
    assert told(site.read(libraries=("A", "Flims"))) == [
        "config.yml:3 the library 'Flims' that targets.libraries names is not in config.yml [Did you mean 'Films'?]",
    ]
    with pytest.raises(ConfigError, match="none of the libraries to preview"):
        site.read(libraries=("Flims",))


# ── <<references>> ───────────────────────────────────────────────────────────────────────────────────────


def test_references_come_from_the_environment_and_dotenv(site: Site) -> None:
    site.config(
        "settings: {custom_repo: <<my-repo>>, tvdb_language: <<NONE>>, sync_mode: x<<MY_REPO>>}\n"
        "libraries:\n  A:\n    template_variables: {text: <<my-repo>>}\n    overlay_files: {default: x}\n",
    )
    site.write(".env", "# comment\nKOMETA_MY_REPO=https://example.net/a/  # trailing\nexport KOMETA_OTHER='x'\n")
    reading = site.read()
    assert reading.data["settings"] == {
        "custom_repo": "https://example.net/a/",
        "tvdb_language": None,
        "sync_mode": "xhttps://example.net/a/",
    }
    assert reading.data["libraries"]["A"]["template_variables"] == {"text": "<<my-repo>>"}, "left to Kometa's templates"
    (line,) = [line for line in told(reading) if "NONE" in line]
    assert line.startswith("config.yml:3 <<NONE>> is not known [Set KOMETA_NONE in the sidecar's environment")
    assert site.read(env={"KOMETA_MY_REPO": "wins"}).data["settings"]["custom_repo"] == "wins"


def test_plex_from_the_environment(site: Site) -> None:
    site.config("libraries: {A: {overlay_files: {default: x}}}\n", plex="plex: {url: env, token: ENV}\n")
    (server,) = site.read(env={"KOMETA_PLEX_URL": "http://p:1", "PMM_PLEX_TOKEN": "t"}).servers
    assert (server.url, server.token.get_secret_value()) == ("http://p:1", "t")


def test_dotenv() -> None:
    text = '\ufeffA=1\n B = two words \nexport C="q # \\" \\n é" # c\nD=\'single $x\'\n#E=5\nF=\nnonsense\nA=3\n'
    assert parse_env(text) == {"A": "3", "B": "two words", "C": 'q # " \n é', "D": "single $x", "F": ""}


def test_names_of_references() -> None:
    env = {
        "KOMETA_PLEX_TOKEN": "k",
        "PMM_PLEX_TOKEN": "p",
        "PMM_OLD": "o",
        "KOMETA_SIDECAR_WEB__TOKEN": "never",
        "KOMETA_BLANK": " ",
        "PATH": "x",
    }
    assert references(env) == {"plex-token": "k", "PLEX_TOKEN": "k", "old": "o", "OLD": "o"}


def test_resolving_leaves_everything_else() -> None:
    missed: list[str] = []
    data = {"a": ["<<x>> and <<y>>", 1, None], "b": "<<y>>"}
    assert resolve(data, {"x": "X"}, lambda where, name: missed.append(f"{where} {name}")) == {"a": ["X and <<y>>", 1, None], "b": None}
    assert missed == ["('a', 0) y", "('b',) y"]


# ── what overlay files name ──────────────────────────────────────────────────────────────────────────────


def test_images_by_file_and_by_name(site: Site) -> None:
    site.overlays(
        "overlays:\n"
        "  A: {overlay: {name: text(x), file: config/images/a.png, horizontal_offset: 0, vertical_offset: 0}}\n"
        "  B: {overlay: {name: 'b: c'}}\n"
        "  C: {overlay: plain}\n"
        "  D: {plex_all: true}\n"
        "  E: {overlay: {name: text(<<title>>)}}\n"
        "  F: {overlay: {name: blur(20)}}\n"
        "  G: {overlay: {name: remote, url: 'https://example.net/g.png'}}\n",
    )
    for path in ("images/a.png", "overlays/b c.png", "overlays/plain.png", "overlays/D.png", "overlays/unused.png"):
        site.image(path)
    reading = site.read()
    assert site.named(reading) == {
        "config/overlays/my.yml": "overlay",
        "config/images/a.png": "image",
        "config/overlays/b c.png": "image",
        "config/overlays/plain.png": "image",
        "config/overlays/D.png": "image",
    }
    assert not reading.rewrites
    assert not reading.problems
    assert reading.hosts == {"example.net"}


@pytest.mark.parametrize(
    ("name", "safe"), [("a:b/c", "abc"), ("CON", "CON_"), ("aux.txt", "aux_.txt"), ("x. ", "x"), ("Größe", "Größe"), ("..", "..")]
)
def test_safe_names(name: str, safe: str) -> None:
    assert safe_name(name) == safe


def test_missing_files_are_named_with_their_line(site: Site) -> None:
    site.overlays("overlays:\n  A:\n    overlay:\n      name: A\n      file: config/images/fourk.png\n  B: {overlay: {name: nope}}\n")
    site.image("images/four_k.png")
    site.config(
        "libraries:\n  Movies:\n    overlay_files:\n      - file: config/overlays/my.yml\n      - file: config/overlays/mine.yml\n"
        "      - overlays/my.yml\n"
    )
    assert told(site.read(), Severity.ERROR) == [
        "config.yml:7 the overlay file 'config/overlays/mine.yml' is not there [Did you mean 'my.yml'?]",
        f"config.yml:8 the overlay file 'overlays/my.yml' is not there [{FROM_ITS_OWN}]",
        "overlays/my.yml:5 the image 'config/images/fourk.png' is not there [Did you mean 'four_k.png'?]",
        "overlays/my.yml:6 the image 'config/overlays/nope.png' is not there [Put it at overlays/nope.png, or correct the path.]",
    ]


def test_paths_of_a_container_and_of_elsewhere(site: Site) -> None:
    outside = site.image("../shared/badges/4k.png")
    site.image("images/a.png")
    site.image("../mnt/b.png")
    site.overlays(
        "overlays:\n"
        "  A: {overlay: {name: A, file: /config/images/a.png}}\n"
        "  B: {overlay: {name: B, file: /assets/b.png}}\n"
        f"  C: {{overlay: {{name: C, file: {outside}}}}}\n"
        "  D: {overlay: {name: D, file: shared/badges/4k.png}}\n"
        "  E: {overlay: {name: E, file: ./config/../config/images/a.png}}\n",
    )
    reading = site.read(path_map={"/assets": site.root / "mnt", "/config": site.dir})
    assert not reading.problems
    assert set(site.named(reading)) == {
        "config/overlays/my.yml",
        "config/images/a.png",
        "config/.frozen/0/b.png",
        "config/.frozen/1/4k.png",
    }
    assert reading.rewrites == {
        "/config/images/a.png": "config/images/a.png",
        "./config/../config/images/a.png": "config/images/a.png",
        "/assets/b.png": "config/.frozen/0/b.png",
        str(outside): "config/.frozen/1/4k.png",
        "shared/badges/4k.png": "config/.frozen/1/4k.png",
    }
    assert outside in reading.watch


def test_slash_config_is_the_config_directory_where_it_is_not_here(site: Site) -> None:
    assert not Path("/config").exists()
    site.image("images/a.png")
    site.overlays(overlay("name: A, file: /config/images/a.png"))
    assert "config/images/a.png" in site.named(site.read())


def test_every_form_of_overlay_files(site: Site) -> None:
    site.config(
        "libraries:\n  Movies:\n    template_variables: {font: config/fonts/lib.ttf}\n    overlay_files:\n"
        "      - config/one.yml\n      - file: config/two\n      - folder: config/more\n      - git: someone/file\n      - repo: x\n"
        "      - url: https://example.org/x.yml\n      - git: PMM/overlays/resolution\n      - pmm: resolution\n"
        "      - default: overlays/resolution\n",
    )
    for path in ("one.yml", "two.yaml", "more/a.yml", "more/b.yaml", "more/c.txt"):
        site.write(path, overlay("name: blur(5)"))
    site.write("fonts/lib.ttf", "font")
    reading = site.read(kometa_home=site.kometa())
    assert set(site.named(reading)) == {
        "config/one.yml",
        "config/two.yaml",
        "config/more/a.yml",
        "config/more/b.yaml",
        "config/fonts/lib.ttf",
    }
    assert [entry.kind for entry in reading.libraries[0].entries] == [
        "file",
        "file",
        "file",
        "file",
        "git",
        "repo",
        "url",
        "default",
        "default",
        "default",
    ]
    assert told(reading) == ["config.yml:11 repo: needs settings.custom_repo, which is not set [Set settings.custom_repo.]"]
    assert reading.hosts == {"raw.githubusercontent.com", "api.github.com", "example.org"}
    assert not reading.judged


def test_external_templates_are_read_too(site: Site) -> None:
    site.overlays(
        "external_templates:\n  file: config/templates/t.yml\n  template_variables: {key: hdr}\n"
        "overlays:\n  A: {template: {name: t}, plex_all: true}\n",
    )
    site.write("templates/t.yml", "templates:\n  t:\n    overlay: {name: x, file: config/images/<<key>>.png}\n")
    site.image("images/hdr.png")
    site.image("images/dv.png")
    site.image("images/deep/other.png")
    reading = site.read()
    assert set(site.named(reading)) == {
        "config/overlays/my.yml",
        "config/templates/t.yml",
        "config/images/hdr.png",
        "config/images/dv.png",
    }, "all that may match, for a template's variable may come from anywhere"
    assert not reading.problems


def test_variables_that_hold_directories(site: Site) -> None:
    site.image("../art/set one/4k.png")
    site.image("../art/set one/deep/hdr.png")
    site.overlays(
        f"templates:\n  t:\n    default: {{dir: '{site.root}/art/set one/'}}\n    overlay: {{name: x, file: <<dir>>deep/<<key>>.png}}\n"
        "overlays:\n  A: {template: {name: t, key: hdr}, plex_all: true}\n",
    )
    reading = site.read()
    assert reading.rewrites == {f"{site.root}/art/set one/": "config/.frozen/0/"}
    assert "config/.frozen/0/deep/hdr.png" in site.named(reading), "so that the variable's new value leads there"


def test_patterns_without_a_match_are_said(site: Site) -> None:
    site.overlays(
        "templates:\n  t:\n    overlay: {name: x, file: config/imgs/<<key>>.png}\n"
        "overlays:\n  A: {template: {name: t, key: hdr}, plex_all: true}\n",
    )
    assert [line.split(" [")[0] for line in told(site.read()) if "matches" in line] == [
        "overlays/my.yml:3 no file here matches 'config/imgs/<<key>>.png'",
    ]


def test_overlay_names_of_templates_find_images(site: Site) -> None:
    site.overlays(
        "templates:\n  t:\n    overlay: {name: <<overlay_name>>, file: <<file>>}\n    optional: [file]\n"
        "overlays:\n  Gold: {template: {name: t}, plex_all: true}\n  Silver: {template: {name: t}, plex_all: true}\n",
    )
    site.image("overlays/Gold.png")
    site.image("overlays/Bronze.png")
    reading = site.read()
    assert set(site.named(reading)) == {"config/overlays/my.yml", "config/overlays/Gold.png"}
    assert not reading.problems


def test_fonts(site: Site) -> None:
    home = site.kometa()
    site.write("fonts/Mine.ttf", "font")
    site.write("../fonts/Beside.ttf", "font")
    names = [
        "fonts/Inter-Medium.ttf",
        "Inter-Medium.ttf",
        "/fonts/Inter-Medium.ttf",
        f"{home}/fonts/Roboto-Medium.ttf",
        "config/fonts/Mine.ttf",
    ]
    lost = ["fonts/Beside.ttf", "fonts/Intr-Medium.ttf", "Comic Sans.ttf", "config/fonts/None.ttf"]
    site.overlays(
        "overlays:\n" + "".join(f"  T{i}:\n    overlay: {{name: text(x), font: '{name}'}}\n" for i, name in enumerate(names + lost))
    )
    reading = site.read(kometa_home=home)
    assert {place for place in site.named(reading) if "ttf" in place} == {"config/fonts/Mine.ttf", "config/.frozen/0/Beside.ttf"}
    assert reading.rewrites == {
        "/fonts/Inter-Medium.ttf": "fonts/Inter-Medium.ttf",
        f"{home}/fonts/Roboto-Medium.ttf": "fonts/Roboto-Medium.ttf",
        "fonts/Beside.ttf": "config/.frozen/0/Beside.ttf",
    }
    assert [line.split(" [")[0] for line in told(reading)] == [
        "overlays/my.yml:15 the font 'fonts/Intr-Medium.ttf' is not there",
        "overlays/my.yml:17 the font 'Comic Sans.ttf' is none of Kometa's; it is looked for among the fonts of the system that renders",
        "overlays/my.yml:19 the font 'config/fonts/None.ttf' is not there",
    ]
    assert [line.split(" [")[0] for line in told(site.read())] == ["overlays/my.yml:19 the font 'config/fonts/None.ttf' is not there"], (
        "without a Kometa nothing is known of its fonts"
    )


def test_defaults_are_known_where_kometa_is(site: Site) -> None:
    site.config("libraries:\n  Movies:\n    overlay_files:\n      - default: resolutoin\n")
    assert told(site.read(kometa_home=site.kometa())) == [
        "config.yml:6 Kometa has no overlay file 'resolutoin' of its own [Did you mean 'resolution'?]",
    ]
    assert told(site.read()) == []


def test_values_that_only_look_like_paths(site: Site) -> None:
    site.overlays(
        "overlays:\n  A:\n    overlay: {name: 'text(/10)', horizontal_offset: 0}\n"
        "    variables: {post: '/10', slash: '/', b: /etc/hostname}\n"
    )
    reading = site.read()
    assert set(site.named(reading)) == {"config/overlays/my.yml"}
    assert not reading.rewrites


# ── links ────────────────────────────────────────────────────────────────────────────────────────────────


def test_links_out_of_the_allowed_directories_are_refused(site: Site) -> None:
    secret = site.image("../elsewhere/secret.png")
    (site.dir / "images").mkdir()
    (site.dir / "images/a.png").symlink_to(secret)
    site.overlays(overlay("name: A, file: config/images/a.png"))
    reading = site.read()
    assert "config/images/a.png" not in site.named(reading)
    ((line),) = told(reading, Severity.ERROR)
    assert line.startswith(f"overlays/my.yml:3 'images/a.png' is a link that leads to {secret}, outside the allowed directories")
    assert f"Add {secret.parent} to roots" in line
    allowed = site.read(roots=(site.root / "elsewhere",))
    assert "config/images/a.png" in site.named(allowed)
    assert secret in allowed.watch, "the link's end is watched, for it lies outside"


def test_links_within_and_whole_linked_directories(site: Site) -> None:
    site.image("pictures/real.png")
    (site.dir / "images").symlink_to("pictures", target_is_directory=True)
    site.overlays(overlay("name: A, file: config/images/real.png"))
    assert "config/images/real.png" in site.named(site.read())


def test_a_config_that_is_a_link(site: Site) -> None:
    site.write("../git/config.yml", PLEX + "libraries: {A: {overlay_files: {default: x}}}\n")
    (site.dir / "config.yml").symlink_to(site.root / "git/config.yml")
    with pytest.raises(ConfigError, match=r"config\.yml is a link that leads to"):
        site.read()
    assert site.read(roots=(site.root / "git",)).config_dir == site.dir


def test_links_beside_a_named_file_do_not_lead_on(site: Site) -> None:
    site.write("../elsewhere/x.png", "x")
    (site.root / "named").mkdir()
    (site.root / "named/x.png").symlink_to(site.root / "elsewhere/x.png")
    site.overlays(overlay(f"name: A, file: {site.root}/named/x.png"))
    assert "outside the allowed directories" in told(site.read(), Severity.ERROR)[0]


def test_files_that_are_no_pictures_are_refused_outside(site: Site) -> None:
    site.overlays(overlay("name: A, file: /etc/hostname"))
    reading = site.read()
    assert set(site.named(reading)) == {"config/overlays/my.yml"}
    assert "is refused: it is no image" in told(reading, Severity.ERROR)[0]


def test_pipes_are_refused(site: Site) -> None:
    site.config("libraries: {A: {overlay_files: {file: config/pipe.yml}}}\n")
    os.mkfifo(site.dir / "pipe.yml")
    assert "is not there" in told(site.read())[0]


# ── levels and assets ────────────────────────────────────────────────────────────────────────────────────

OWN = {Level.MOVIE, Level.SHOW, Level.ARTIST}


@pytest.mark.parametrize(
    ("text", "variables", "levels"),
    [
        ("overlays: {A: {plex_all: true}}", "{}", OWN),
        ("overlays: {A: {builder_level: season}, B: {overlay_level: episode}}", "{}", {Level.SEASON, Level.EPISODE}),
        ("overlays: {A: {builder_level: season}, B: {plex_all: true}}", "{}", {Level.SEASON, *OWN}),
        ("templates: {t: {builder_level: episode}}\noverlays: {A: {template: {name: t}}}", "{}", {Level.EPISODE}),
        (
            "templates: {t: {builder_level: <<builder_level>>}}\noverlays: {A: {template: [{name: t, builder_level: season}]}}",
            "{}",
            {Level.SEASON},
        ),
        (
            "templates: {t: {default: {builder_level: season}}}\noverlays: {A: {template: {name: t}}}",
            "{builder_level: episode}",
            {Level.EPISODE},
        ),
        (
            "external_templates: {template_variables: {builder_level: season}}\noverlays: {A: {template: {name: s}}, B: {}}",
            "{}",
            {Level.SEASON, *OWN},
        ),
        (
            "templates: {t: {conditionals: {x: {conditions: [{builder_level: episode}]}}}}\noverlays: {A: {template: {name: t}}}",
            "{}",
            OWN,
        ),
        ("templates: {t: {}}\noverlays: {A: {template: {name: t}, builder_level: album}}", "{builder_level: episode}", {Level.ALBUM}),
    ],
)
def test_levels(text: str, variables: str, levels: set[Level], site: Site) -> None:
    site.config(f"libraries:\n  Shows:\n    overlay_files:\n      - file: config/x.yml\n        template_variables: {variables}\n")
    site.write("x.yml", text)
    assert site.read().libraries[0].plan.levels == levels


def test_levels_of_defaults(site: Site) -> None:
    home = site.kometa()
    for entry, levels in (
        ("{default: resolution}", OWN),
        ("{default: episode_info}", {Level.EPISODE}),
        ("{default: resolution, template_variables: {builder_level: season}}", {Level.SEASON}),
    ):
        site.config(f"libraries:\n  Shows:\n    overlay_files: {entry}\n")
        assert site.read(kometa_home=home).libraries[0].plan.levels == levels


def test_asset_directories(site: Site) -> None:
    (site.dir / "assets").mkdir()
    (site.root / "elsewhere").mkdir()
    site.config(
        f"settings: {{asset_directory: [config/assets, '{site.root}/elsewhere', /none], asset_folders: false, asset_depth: 2}}\n"
        "libraries:\n  A: {overlay_files: {default: x}}\n  B:\n    overlay_files: {default: x}\n"
        "    settings: {asset_directory: config/assets, asset_folders: true}\n",
    )
    reading = site.read()
    first, second = (library.plan for library in reading.libraries)
    assert (first.asset_directories, first.asset_folders, first.asset_depth) == ((site.dir / "assets", site.root / "elsewhere"), False, 2)
    assert (second.asset_directories, second.asset_folders) == ((site.dir / "assets",), True)
    assert [line.split(" [")[0] for line in told(reading)] == ["config.yml:3 the asset directory '/none' is not there"]
    assert site.root / "elsewhere" in reading.watch
    assert reading.directories == {site.root / "elsewhere": "config/.frozen/0"}
