"""Reads a Kometa config directory: config.yml, the overlay files it names, and every local file that those name."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sidecar.errors import ConfigError
from sidecar.model import Level, Problem, Severity
from sidecar.revision import libraries, lint
from sidecar.revision.collect import Collector
from sidecar.revision.environment import parse_env, references, resolve
from sidecar.revision.files import read_bytes
from sidecar.revision.overlay_files import OWN_LEVELS, collect_document, collect_scalar, hosts_in, known_values, levels_in, mapping
from sidecar.revision.places import Finder, Places
from sidecar.revision.reading import Entry, LibraryReading, Reading, ReadOptions
from sidecar.revision.secrets import keyed_secrets, redacted, secrets_of, standable
from sidecar.sight import is_closed, is_dir, is_file
from sidecar.yamlfile import Document, Where, nearest, scalars

CONFIG = "config.yml"
MOST_YAML = 2 * 1024 * 1024
"""Bytes of one YAML file."""

_LEVEL = re.compile(r"^\s*(?:builder|overlay|collection)_level:\s*(movie|show|season|episode|artist|album|track)\s*$", re.MULTILINE)


def read(config_dir: Path, options: ReadOptions | None = None) -> Reading:
    """Read ``config_dir`` (or the config.yml in it) and everything that it names.

    ConfigError for what makes a render senseless: config.yml missing, empty, not YAML or without a library to preview; an
    overlay file that is not YAML; Plex's address or token missing. What Kometa itself survives (a missing image, an
    unknown key) or what is refused (a link out of the allowed directories) is in ``problems``: an error there costs an
    overlay, not the render.
    """
    options = options or ReadOptions()
    directory = Path(config_dir).expanduser().absolute()
    if directory.name == CONFIG and not is_dir(directory):
        directory = directory.parent
    return _Reader(directory, options).read()


class _Reader:
    def __init__(self, config_dir: Path, options: ReadOptions) -> None:
        self._dir = config_dir
        self._options = options
        finder = Finder.make(config_dir, options.kometa_home, options.path_map, options.roots)
        self._collector = Collector(finder, options.limits.files)
        self._problems: list[Problem] = []
        self._documents: dict[Path, Document] = {}
        self._hosts: set[str] = set()
        self._defaults: dict[Path, str] = {}
        self._judged = True

    def read(self) -> Reading:
        config = self._config()
        env = self._environment()
        data = resolve(config.data, references(env), lambda where, name: self._unresolved(config, where, name))
        keys = libraries.chosen(data, config, self._options.libraries, self._problems)
        servers, of = libraries.servers(data, keys, config, env)
        found = tuple(self._library(config, data, key, of[key]) for key in keys)
        self._problems += lint.config_problems(config, data, keys)
        places = Places(self._collector.finder, self._collector.outside)
        files = {path: (place, role) for path, role in self._collector.roles.items() if (place := places(path)) is not None}
        problems = (*self._problems, *self._collector.problems)
        tokens = [server.token.get_secret_value() for server in servers]
        keyed = [value for document in self._documents.values() for _, value in keyed_secrets(document.data) if standable(value)]
        hidden = secrets_of(config.data, data, tokens, keyed, config.text, *(document.text for document in self._documents.values()))
        return Reading(
            config_dir=self._dir,
            options=self._options,
            config=config,
            data=data,
            documents=self._documents,
            files=files,
            users={path: frozenset(keys) for path, keys in self._collector.users.items() if "" not in keys},
            directories={path: place for path in self._collector.outside if (place := places(path)) is not None},
            rewrites=self._collector.rewrites(places),
            libraries=found,
            servers=servers,
            hosts=frozenset(self._hosts),
            defaults=tuple(self._defaults.values()),
            judged=self._judged,
            secrets=hidden,
            problems=tuple(redacted(problem, hidden) for problem in problems),
            watch=frozenset(self._collector.watch),
        )

    def _config(self) -> Document:
        path = self._dir / CONFIG
        if not is_file(path):
            what = f"there is no {CONFIG} in {self._dir}" if is_dir(self._dir) else f"{self._dir} is not a directory"
            mend = "Give the directory that Kometa reads its config.yml from."
            if is_closed(path):
                what = f"{path} may not be looked at by this user (uid {os.geteuid()})"
                mend = f"Give it the right to read {self._dir} and to enter the directories above it."
            raise ConfigError([Problem(severity=Severity.ERROR, what=what, mend=mend, file=CONFIG, source="config")])
        self._collector.roles[path] = "config"
        config = self._parse(path)
        stray = self._collector.finder.strays(path)
        if stray is not None:
            mend = f"Add {stray.parent} to roots in sidecar.yml."
            what = f"{CONFIG} is a link that leads to {stray}, outside the config directory"
            raise ConfigError([Problem(severity=Severity.ERROR, what=what, mend=mend, file=CONFIG, source="config")])
        if config.data is None:
            mend = "Restore it, or finish saving it."
            raise ConfigError(
                [Problem(severity=Severity.ERROR, what=f"{CONFIG} is empty", mend=mend, file=CONFIG, line=1, source="config")]
            )
        if not isinstance(config.data, dict):
            mend = "Start with sections such as 'plex:' and 'libraries:'."
            raise ConfigError([config.problem(Severity.ERROR, f"{CONFIG} is not a mapping of sections", 0, mend=mend)])
        for section in ("settings", "plex", "tmdb"):
            if not isinstance(config.data.get(section), (Mapping, type(None))):
                raise ConfigError(
                    [config.problem(Severity.ERROR, f"{section} is not a mapping", section, mend="Indent its keys below it.")]
                )
        return config

    def _environment(self) -> Mapping[str, str]:
        path = self._dir / ".env"
        if not is_file(path) or self._collector.finder.strays(path) is not None:
            return self._options.env
        text = read_bytes(path, most=MOST_YAML, name=".env").decode("utf-8", "replace")
        # load_dotenv never overrides what the environment has
        return {**parse_env(text), **self._options.env}

    def _parse(self, path: Path) -> Document:
        if path not in self._documents or path.name == CONFIG:
            name = self._collector.finder.shown(path)
            try:
                raw = read_bytes(path, most=MOST_YAML, name=name)
            except FileNotFoundError as error:
                mend = "It was there a moment ago; save it again."
                problem = Problem(severity=Severity.ERROR, what=f"{name} is not there any more", mend=mend, file=name, source="config")
                raise ConfigError([problem]) from error
            document = self._options.documents.parse(raw, name)
            if path.name != CONFIG or path.parent != self._dir:
                self._documents[path] = document
            return document
        return self._documents[path]

    def _unresolved(self, config: Document, where: Where, name: str) -> None:
        variable = f"KOMETA_{name.upper().replace('-', '_')}"
        mend = f"Set {variable} in the sidecar's environment, or in the config directory's .env; Kometa takes the value as blank."
        self._problems.append(config.problem(Severity.WARNING, f"<<{name}>> is not known", *where, mend=mend))

    def _library(self, config: Document, data: Mapping[str, Any], key: str, server: str) -> LibraryReading:
        raw = mapping(data["libraries"])
        section = mapping(next(value for name, value in raw.items() if str(name) == key))
        where: Where = ("libraries", key)
        self._collector.library = key
        entries, folders = libraries.expand(section, where, config, self._collector)
        levels: set[Level] = set()
        for entry in entries:
            levels |= self._entry(config, data, entry)
        self._variables(config, section, where)
        plan = libraries.plan(key, section, data, config, self._collector, server, frozenset(levels))
        self._collector.library = ""
        return LibraryReading(plan=plan, section=section, entries=entries, folders=folders)

    def _entry(self, config: Document, data: Mapping[str, Any], entry: Entry) -> frozenset[Level]:
        self._hosts.update(host for _, value in scalars(entry.variables) for host in hosts_in(str(value)))
        if entry.kind == "file":
            return self._overlay_file(entry) if entry.path is not None else frozenset()
        if entry.kind == "default":
            return self._default(config, entry)
        self._judged = False
        if entry.kind == "git":
            self._hosts.update(("raw.githubusercontent.com", "api.github.com"))
        elif entry.kind == "repo":
            repo = mapping(data.get("settings")).get("custom_repo")
            if not repo:
                what = "repo: needs settings.custom_repo, which is not set"
                self._problems.append(config.problem(Severity.ERROR, what, *entry.where, mend="Set settings.custom_repo."))
        else:
            self._hosts.update(hosts_in(entry.text))
        return OWN_LEVELS

    def _overlay_file(self, entry: Entry) -> frozenset[Level]:
        assert entry.path is not None
        document = self._parse(entry.path)
        if document.data is None or not isinstance(document.data, dict):
            self._collector.say(document.problem(Severity.ERROR, "it holds no overlays", mend="Add an 'overlays:' section."))
            return frozenset()
        collect_document(self._collector, document, entry.variables)
        self._hosts.update(hosts_in(document.text))
        self._templates(document)
        templates = mapping(document.data.get("external_templates"))
        for problem in lint.overlay_problems(document, entry.variables, judged=not templates and "external_templates" not in document.data):
            self._collector.say(problem)
        return levels_in(document, entry.variables)

    def _templates(self, document: Document) -> None:
        """``external_templates``: the same forms as an item of ``overlay_files``."""
        named = mapping(document.data).get("external_templates")
        for index, entry in enumerate(named if isinstance(named, list) else [named] if named else []):
            where: Where = ("external_templates", *((index,) if isinstance(named, list) else ()))
            attributes = mapping(entry) or {"file": entry}
            if attributes.get("file"):
                path = self._collector.file(str(attributes["file"]), "overlay", document, (*where, "file"))
                if path is not None:
                    template = self._parse(path)
                    if isinstance(template.data, dict):
                        collect_document(self._collector, template, mapping(attributes.get("template_variables")))
                        self._hosts.update(hosts_in(template.text))
            if any(attributes.get(key) for key in ("url", "git", "repo")):
                self._judged = False
                self._hosts.update(("raw.githubusercontent.com", "api.github.com") if attributes.get("git") else ())

    def _default(self, config: Document, entry: Entry) -> frozenset[Level]:
        home = self._options.kometa_home
        if home is None:
            self._judged = False
            return OWN_LEVELS
        name = entry.text.removeprefix("overlays/").removesuffix(".yml").removesuffix(".yaml")
        directory = home / "defaults" / "overlays"
        path = directory / f"{name}.yml"
        if not is_file(path):
            known = [file.stem for file in directory.glob("*.yml") if file.stem != "templates"]
            mend = nearest(name, known) or f"Kometa has: {', '.join(sorted(known))}."
            self._collector.say(
                config.problem(Severity.ERROR, f"Kometa has no overlay file '{entry.text}' of its own", *entry.where, mend=mend)
            )
            return frozenset()
        for used in (path, directory / "templates.yml"):
            if is_file(used):
                self._defaults[used] = used.read_text(encoding="utf-8", errors="replace")
        direct = next((entry.variables[key] for key in ("builder_level", "overlay_level") if entry.variables.get(key)), None)
        if direct is not None:
            return frozenset({Level(str(direct).lower())}) if str(direct).lower() in list(Level) else OWN_LEVELS
        text = self._defaults[path]
        if not _LEVEL.search(text):  # most files: no need to look closer
            return OWN_LEVELS
        try:
            return levels_in(self._options.documents.parse(text.encode(), path.name), entry.variables)
        except ConfigError:
            return OWN_LEVELS  # Kometa will say what is wrong with its own file

    def _variables(self, config: Document, section: Mapping[str, Any], where: Where) -> None:
        """Files that ``template_variables`` in config.yml name."""
        holders = [(section.get("template_variables"), (*where, "template_variables"))]
        for index, entry in enumerate(libraries.overlay_entries(section)):
            here = (*where, libraries.overlay_key(section), index, "template_variables")
            holders.append((mapping(entry).get("template_variables"), here))
        for variables, here in holders:
            values = known_values(None, mapping(variables))
            for inner, value in scalars(mapping(variables)):
                if isinstance(value, str) and value.strip():
                    collect_scalar(self._collector, config, (*here, *inner), value, values)
