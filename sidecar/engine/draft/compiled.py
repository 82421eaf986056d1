"""A library's overlay files compiled: every definition with its picture, its place among the others, and whom it is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Final

from sidecar.engine.draft import subset, text
from sidecar.engine.draft.compose import FORMATS
from sidecar.engine.draft.geometry import Place
from sidecar.engine.draft.overlayfile import FileNotDrawn, OverlayFile, entries, read_file
from sidecar.engine.draft.resources import Shelf
from sidecar.engine.draft.select import Compiler, Predicate
from sidecar.engine.draft.spec import Beyond, NotDrawn, OverlaySpec, Refused, Text, read_overlay
from sidecar.engine.draft.template import expand
from sidecar.model import FrozenFile, Level, LibraryPlan, Problem, Severity

BEYOND: Final = "Kometa will draw this; the draft cannot"
_LEVEL_KEYS: Final = ("builder_level", "collection_level", "overlay_level")


@dataclass(frozen=True, kw_only=True)
class Definition:
    """One overlay definition. Names are unique within a file only: ``id`` tells those of two files apart."""

    id: tuple[int, str]
    name: str
    file: str
    line: int | None
    level: str
    spec: OverlaySpec
    meets: Predicate | None
    """None where the draft cannot tell whom it is for."""
    suppress: frozenset[tuple[int, str]] = frozenset()
    beyond: NotDrawn | None = None
    """Why it is not drawn; it still takes its part in groups, queues and suppression."""
    image: str = ""
    font: str = ""
    doubts: tuple[tuple[str, str], ...] = ()
    """(condition, value): refused by Kometa where no item of the library has the value."""


@dataclass(kw_only=True)
class Compiled:
    """One library, ready to be drawn."""

    plan: LibraryPlan
    definitions: list[Definition] = field(default_factory=list)
    queues: dict[tuple[int, str], tuple[Place, ...]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    filetype: str = "webp_lossy"
    quality: int = 90
    removes: bool = False
    """``remove_overlays``: Kometa draws nothing and puts the originals back."""
    resets: bool = False
    """``reset_overlays``: Kometa takes its base from elsewhere than the current poster."""


def kind_of(levels: Sequence[Level]) -> str:
    """movie or show: the library's type, by the levels of its targets."""
    return "movie" if Level.MOVIE in levels else "show"


def compile_library(config: Mapping[str, object], plan: LibraryPlan, kind: str, shelf: Shelf, now: datetime) -> Compiled:
    """Compile the overlay files of one library of config.yml. What cannot be drawn becomes problems, never an exception."""
    library = _section(_section(config, "libraries"), plan.key)
    result = Compiled(plan=plan)
    result.filetype, result.quality = _artwork(config, library, result.problems)
    result.removes = any(library.get(key) is True for key in ("remove_overlays", "remove_overlay", "revert_overlays"))
    result.resets = bool(library.get("reset_overlays") or library.get("reset_overlay"))
    common = {str(key): value for key, value in _section(library, "template_variables").items()}
    number = 0
    for _, kind_of_entry, path, variables in entries(library.get("overlay_files"), common):
        if kind_of_entry not in ("file", "folder"):
            result.problems.append(_warning(f"{BEYOND}: {kind_of_entry}: {path} (library {plan.key})", file="config.yml"))
            continue
        for found, shown in _paths(shelf, kind_of_entry, path, result.problems):
            try:
                file = read_file(found, shown, variables)
            except FileNotDrawn as error:
                result.problems.append(_problem(error.cause, f"overlay file {shown}", shown, error.line))
                continue
            for key in file.beyond:
                result.problems.append(_warning(f"{BEYOND}: {key}", file=shown, line=file.document.line(key)))
            _Reader(result, file, number, kind, shelf, now).read()
            number += 1
    return result


def shown_as(file: FrozenFile) -> str:
    """A frozen file's name for people: relative to the config directory, or where it was read."""
    inside, _, rest = file.path.partition("/")
    return rest if inside == "config" and rest else str(file.origin)


@dataclass
class _Reader:
    """Reads one file's definitions into ``result``."""

    result: Compiled
    file: OverlayFile
    number: int
    kind: str
    shelf: Shelf
    now: datetime

    def read(self) -> None:
        for name, places in self.file.queues.items():
            self.result.queues[self.number, name] = places
        for name, body in self.file.overlays.items():
            try:
                definition = self._definition(name, body)
            except NotDrawn as cause:
                self._report(name, cause)
                continue
            if definition is None:
                continue
            if definition.beyond is not None:
                self._report(name, definition.beyond, _side_effect(definition))
            self.result.definitions.append(definition)

    def _definition(self, name: str, body: object) -> Definition | None:
        """None where Kometa skips it on purpose (``run_definition``)."""
        if not isinstance(body, Mapping):
            raise Refused("overlays", "the definition must be a mapping")
        plan = self.result.plan
        full = expand(body, name, self.file.templates, self.file.variables, library=self.kind, library_name=plan.name, now=self.now)
        data = {str(key).lower(): value for key, value in full.items()}
        if not self._runs(data):
            return None
        level = self._level(data)
        if level in ("artist", "album", "track"):
            raise Beyond("builder_level", "music")
        compiler = Compiler(library=self.kind, level=level, now=self.now)
        beyond: NotDrawn | None = None
        meets: Predicate | None = None
        try:
            meets = _selection(data, compiler)
        except Beyond as cause:
            beyond = cause
        spec = read_overlay(data.get("overlay"), name)
        if spec.queue and (self.number, spec.queue) not in self.result.queues:
            raise Refused("queue", f"there is no queue '{spec.queue}' in this file")
        image = font = ""
        if spec.beyond is None and spec.file:
            image = self.shelf.image(spec)
        if spec.text:
            font = self._font(name, spec.text)
            beyond = beyond or self._template(name, spec.text.template, level)
        for attribute in spec.unknown:
            self._warn(name, f"Kometa knows no attribute '{attribute}' of an overlay and ignores it", attribute)
        suppressed = data.get("suppress_overlays")
        names = suppressed if isinstance(suppressed, list) else str(suppressed).split(",") if suppressed else []
        return Definition(
            id=(self.number, name),
            name=name,
            file=self.file.document.name,
            line=self._line(name),
            level=level,
            spec=spec,
            meets=meets,
            suppress=frozenset((self.number, str(other).strip()) for other in names),
            beyond=beyond or spec.beyond,
            image=image,
            font=font,
            doubts=tuple(compiler.doubts),
        )

    def _runs(self, data: Mapping[str, object]) -> bool:
        if "run_definition" not in data:
            return True
        given = data["run_definition"]
        words = [str(word).strip().lower() for word in (given if isinstance(given, list) else str(given).split(","))]
        for word in words:
            if word not in ("true", "false", "movie", "show", "artist"):
                raise Refused("run_definition", f"'{word}' is none of true, false, movie, show, artist")
        return given is not None and "false" not in words and all(word in ("true", self.kind) for word in words)

    def _level(self, data: Mapping[str, object]) -> str:
        given = next((data[key] for key in _LEVEL_KEYS if key in data), None)
        if not given or self.kind == "movie":
            return self.kind
        level = str(given).lower()
        if level not in ("show", "season", "episode"):
            raise Refused("builder_level", f"'{given}' is none of show, season, episode")
        return level

    def _template(self, name: str, template: str, level: str) -> Beyond | None:
        """Why the text's variables cannot be filled in, if they cannot."""
        try:
            text.check(template, level)
        except Beyond as cause:
            return cause
        for variable in text.unknown(template, level):
            self._warn(name, f"'{variable}' is no text variable at the level {level}; it is drawn as it is written, by Kometa too")
        return None

    def _font(self, name: str, given: Text) -> str:
        path, warning = self.shelf.font(given)
        if warning and not any(warning in problem.what for problem in self.result.problems):
            self._warn(name, warning[0].upper() + warning[1:], "font")
        return path

    def _line(self, name: str, *attribute: str) -> int | None:
        return self.file.document.line("overlays", name, *attribute)

    def _warn(self, name: str, what: str, attribute: str = "") -> None:
        where = ("overlay", attribute) if attribute else ()
        self.result.problems.append(_warning(f"{what} (overlay '{name}')", file=self.file.document.name, line=self._line(name, *where)))

    def _report(self, name: str, cause: NotDrawn, more: str = "") -> None:
        first = cause.attribute.split(".")[0].split(":")[0]
        line = self._line(name, first) if first in _heads(self.file.overlays.get(name)) else self._line(name, "overlay", first)
        self.result.problems.append(_problem(cause, f"overlay '{name}'", self.file.document.name, line, more))


def _heads(body: object) -> frozenset[str]:
    return frozenset(str(key) for key in body) if isinstance(body, Mapping) else frozenset()


def _selection(data: Mapping[str, object], compiler: Compiler) -> Predicate:
    """Whom a definition is for: any of its builders, and the filters."""
    aliases = {"filter": "filters"}
    builders: list[Predicate] = []
    filters: Predicate = lambda _: True  # noqa: E731 - a definition without filters passes all
    for key, value in data.items():
        name = aliases.get(key, key)
        if name in subset.DEFINITION_NEUTRAL or name in _LEVEL_KEYS:
            continue
        if name not in subset.DEFINITION_ATTRIBUTES:
            raise Beyond(key, "a builder or attribute outside the subset")
        if name in ("plex_all", "plex_search", "filters") and value is None:
            raise Refused(name, "it is blank")
        if name == "plex_all":
            builders.append(lambda _: True)
        elif name == "plex_search":
            builders.append(compiler.search(value))
        elif name == "filters":
            filters = compiler.filters(value)
    if not builders:
        raise Refused("plex_all", "the definition has no builder, such as 'plex_all: true' or 'plex_search'")
    return lambda facts: any(finds(facts) for finds in builders) and filters(facts)


def _side_effect(definition: Definition) -> str:
    """What leaving a definition out can do to others, where the draft cannot tell whom it is for."""
    if definition.meets is not None:
        return ""
    if definition.spec.group:
        return f"; others of the group '{definition.spec.group}' may stand in its place"
    if definition.spec.queue:
        return f"; others of the queue '{definition.spec.queue}' may stand in its place"
    return "; what it suppresses may be drawn" if definition.suppress else ""


def _paths(shelf: Shelf, kind: str, path: str, problems: list[Problem]) -> list[tuple[Path, str]]:
    by_path = {shelf.root / file.path: shown_as(file) for file in shelf.files}
    if kind == "folder":
        found = shelf.folder(path)
        if not found:
            problems.append(_problem(Refused("folder", f"there are no YAML files in '{path}'"), "overlay_files", "config.yml", None))
    else:
        names = [path] if path.endswith((".yml", ".yaml")) else [f"{path}.yml"]
        stem = names[0].rsplit(".", 1)[0]
        one = next((file for name in (*names, f"{stem}.yml", f"{stem}.yaml") if (file := shelf.find(name))), None)
        found = (one,) if one else ()
        if not found:
            problems.append(_problem(Refused("file", f"'{path}' does not exist"), "overlay_files", "config.yml", None))
    config = shelf.root.resolve() / "config"
    result = []
    for file in found:
        inside = file.resolve()
        shown = by_path.get(file) or (inside.relative_to(config).as_posix() if inside.is_relative_to(config) else str(file.name))
        result.append((file, shown))
    return result


def _artwork(config: Mapping[str, object], library: Mapping[str, object], problems: list[Problem]) -> tuple[str, int]:
    """The file type and quality of the pictures: the library's setting, else the general one."""
    general, own = _section(config, "settings"), _section(library, "settings")
    filetype = str(own.get("overlay_artwork_filetype") or general.get("overlay_artwork_filetype") or "webp_lossy").lower()
    filetype = {"webp": "webp_lossy"}.get(filetype, filetype)
    if filetype not in FORMATS:
        problems.append(_warning(f"'overlay_artwork_filetype: {filetype}' is none of {', '.join(FORMATS)}", file="config.yml"))
        filetype = "webp_lossy"
    given = own.get("overlay_artwork_quality", general.get("overlay_artwork_quality"))
    try:
        quality = 90 if given is None else int(str(given))
    except ValueError:
        quality = 0
    if not 1 <= quality <= 100:
        problems.append(_warning(f"'overlay_artwork_quality: {given}' must be from 1 to 100; 90 is used", file="config.yml"))
        quality = 90
    return filetype, quality


def _section(data: Mapping[str, object], key: str) -> Mapping[str, object]:
    value = data.get(key)
    return value if isinstance(value, Mapping) else {}


def _warning(what: str, *, file: str = "", line: int | None = None) -> Problem:
    return Problem(severity=Severity.WARNING, what=what, file=file, line=line, source="engine")


def _problem(cause: NotDrawn, whose: str, file: str, line: int | None, more: str = "") -> Problem:
    detail = f": {cause.what}" if cause.what else ""
    if isinstance(cause, Beyond):
        return _warning(f"{BEYOND}: {cause.attribute} ({whose}{detail}){more}", file=file, line=line)
    return Problem(
        severity=Severity.ERROR,
        what=f"{whose}: {cause.attribute}{detail}",
        mend="Kometa refuses this too; correct it in the file.",
        file=file,
        line=line,
        source="engine",
    )
