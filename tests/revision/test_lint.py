"""What Kometa passes silently is said, with the nearest known name."""

from __future__ import annotations

import json
import re

import pytest

from sidecar.model import Severity
from sidecar.revision.names import LIBRARY, OVERLAY, SETTINGS, TEXT_VARIABLES, TOP_LEVEL
from tests.cold import KometaInstall
from tests.revision.conftest import Site, told


def test_unknown_names_in_config(site: Site) -> None:
    site.config(
        "setings: {}\nsettings: {asset_folder: true, cache: true}\nlibraries:\n  Movies:\n"
        "    overlay_file: x\n    settings: {overlay_artwork_quallity: 1}\n"
        "    overlay_files:\n      - default: x\n        template_varibles: {}\n      - template_variables: {a: 1}\n"
        "  Other:\n    colection_files: x\n",
    )
    assert told(site.read()) == [
        "config.yml:3 Kometa knows no section 'setings' [Did you mean 'settings'?]",
        "config.yml:4 Kometa knows no setting 'asset_folder' [Did you mean 'asset_folders'?]",
        "config.yml:7 Kometa knows no library key 'overlay_file' [Did you mean 'overlay_files'?]",
        "config.yml:8 Kometa knows no setting 'overlay_artwork_quallity' [Did you mean 'overlay_artwork_quality'?]",
        "config.yml:11 Kometa knows no such key of an overlay file 'template_varibles' [Did you mean 'template_variables'?]",
        "config.yml:12 this entry names no overlay file [Add default:, file:, folder:, git:, repo: or url:.]",
        "config.yml:14 Kometa knows no library key 'colection_files' [Did you mean 'collection_files'?]",
    ]


def test_unknown_names_in_overlay_files(site: Site) -> None:
    site.overlays(
        "overlay: {}\noverlays:\n  A:\n    overlay:\n"
        "      name: text(<<titel>> <<runtimeH>> <<originally_available[%Y]>>)\n      font_colour: red\n"
        "  B:\n    template: {name: t, rating: x}\ntemplates:\n  t:\n    optional: [extra]\n    default: {suffix: '!'}\n"
        "    overlay: {name: text(<<rating>><<extra>><<suffix>><<season_numbr0>><<overlay_name>>), vertical_ofset: 1, <<key>>: 1}\n",
    )
    assert told(site.read()) == [
        "overlays/my.yml:1 Kometa knows no section of overlay files 'overlay' [Did you mean 'overlays'?]",
        "overlays/my.yml:6 Kometa knows no overlay attribute 'font_colour' [Did you mean 'font_color'?]",
        "overlays/my.yml:5 Kometa knows no text variable <<titel>> [Did you mean 'title'?]",
        "overlays/my.yml:13 Kometa knows no overlay attribute 'vertical_ofset' [Did you mean 'vertical_offset'?]",
        "overlays/my.yml:13 Kometa knows no text variable <<season_numbr0>> [Did you mean 'season_number0'?]",
    ]


def test_variables_of_foreign_templates_are_not_judged(site: Site) -> None:
    site.overlays(
        "external_templates: {default: templates}\noverlays:\n  A: {template: {name: standard}, overlay: {name: text(<<something>>)}}\n"
    )
    assert not [line for line in told(site.read()) if "something" in line]


def test_overlays_that_are_taken_off(site: Site) -> None:
    site.config("libraries:\n  Movies:\n    remove_overlays: true\n    overlay_files: {default: x}\n")
    (line,) = told(site.read(), Severity.WARNING)
    assert line.startswith("config.yml:5 remove_overlays is true: Kometa takes overlays off")


def test_a_fault_in_a_shared_file_is_told_once(site: Site) -> None:
    site.config("libraries:\n  A: {overlay_files: {file: config/o.yml}}\n  B: {overlay_files: {file: config/o.yml}}\n")
    site.write("o.yml", "overlays: {A: {overlay: {name: nope, colour: red}}}\n")
    assert len(told(site.read())) == 2


@pytest.mark.kometa
def test_our_names_are_kometas(real_kometa: KometaInstall) -> None:
    """Every name that the real Kometa's source reads there is in our tables, and none more."""
    home = real_kometa.home
    config = (home / "modules/config.py").read_text(encoding="utf-8")
    blocks = re.findall(r"check_for_attribute\((.*?)\)", config.replace("\n", " "))
    found = {match.group(1) for block in blocks if 'parent="settings"' in block and (match := re.search(r'self\.data,\s*"(\w+)"', block))}
    assert found - {"assets_for_all", "assets_for_all_collections"} == set(SETTINGS)
    assert set(re.findall(r'"(\w+)" in lib\b', config)) <= LIBRARY
    sections = set(re.findall(r'parent="(\w+)"', config)) | {"libraries", "playlist_files"}
    assert sections <= TOP_LEVEL
    overlay = (home / "modules/overlay.py").read_text(encoding="utf-8")
    assert set(re.findall(r'self\.data\["(\w+)"\]', overlay)) <= OVERLAY
    schema = (home / "json-schema/config-schema.json").read_text(encoding="utf-8") if (home / "json-schema").is_dir() else "{}"
    assert set(json.loads(schema).get("properties", {})) <= TOP_LEVEL
    assert len(TEXT_VARIABLES) > 150
