"""Makes what Kometa is given of what the user has: overlays only, no secret, nothing that acts. Pure.

Kept: what shapes pixels (settings, template variables, remove/reset/reapply overlays, TMDb's language) and the connectors
that overlays can need. Every setting is written out and ``run_order`` is complete, so Kometa rewrites nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from pydantic import SecretStr

from sidecar.model import DEFAULT_SERVER, Placeholder, PreviewConfig, Problem, Severity
from sidecar.revision.connectors import SECTIONS, SERVICES, needs, secret_hosts
from sidecar.revision.libraries import overlay_entries
from sidecar.revision.names import SETTINGS
from sidecar.revision.overlay_files import mapping
from sidecar.revision.reading import LibraryReading, Reading
from sidecar.revision.secrets import edit_urls, holds, host_of, is_secret_key, keyed_secrets, mask, redacted, stand_in, standable
from sidecar.yamlfile import Document, Span

RUN_ORDER: Final = ("operations", "metadata", "collections", "overlays")
FIXED: Final[Mapping[str, object]] = {"cache": False, "playlist_sync_to_users": None, "playlist_exclude_users": None, "run_again_delay": 0}
"""Settings that are the preview's, not the user's."""
LIBRARY_KEEPS: Final = (
    "library_name",
    "template_variables",
    "remove_overlays",
    "remove_overlay",
    "revert_overlays",
    "reapply_overlays",
    "reapply_overlay",
    "reset_overlays",
    "reset_overlay",
)
ENTRY_DROPS: Final = frozenset({"schedule", "asset_directory"})
PLEX_URL: Final = "http://{server}.plex.invalid:32400"
"""Where a shard's Kometa believes its Plex server to be; the bridge knows the name."""


def preview(reading: Reading) -> PreviewConfig:
    """The preview's config. ``data`` is plain YAML data; Plex tokens are put in by ``materialise``."""
    maker = _Maker(reading)
    data = maker.data()
    return PreviewConfig(
        data=data,
        files=maker.files(),
        placeholders=tuple(maker.placeholders.values()),
        connectors=maker.needs.connectors,
        hosts=frozenset({*maker.needs.hosts, *reading.hosts, *maker.hosts, *(host.lower() for host in reading.options.extra_hosts)}),
        problems=tuple(redacted(problem, maker.hidden) for problem in maker.problems),
    )


class _Maker:
    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self.problems: list[Problem] = []
        self.hosts: set[str] = set()
        self.placeholders: dict[tuple[str, str], Placeholder] = {}
        self.hidden = reading.secrets
        texts = [document.text for document in reading.documents.values()]
        variables = [str(dict(entry.variables)) for library in reading.libraries for entry in library.entries]
        self.needs = needs([*texts, *reading.defaults, *variables], reading.data, judged=reading.judged)

    def data(self) -> dict[str, Any]:
        """The whole config, every string without secrets."""
        source = self._reading.data
        data: dict[str, Any] = {"libraries": {library.plan.key: self._library(library) for library in self._reading.libraries}}
        data["plex"] = {**self._plex(mapping(source.get("plex"))), "url": PLEX_URL.format(server=DEFAULT_SERVER)}
        data["settings"] = self._settings(mapping(source.get("settings")), complete=True)
        for name in SECTIONS:
            if name in self.needs.connectors or name == "tmdb":
                data[name] = self._connector(name, mapping(source.get(name)))
        return {name: self._clean(section, name, mapping(section), {}) for name, section in data.items()}

    def files(self) -> dict[str, str]:
        """Every overlay and template file as Kometa is to have it: path below the home -> text."""
        files = self._reading.files
        return {files[path][0]: self._document(document) for path, document in self._reading.documents.items() if path in files}

    def _document(self, document: Document) -> str:
        keyed = {(where, value) for where, value in keyed_secrets(document.data) if standable(value)}

        def change(span: Span) -> str | None:
            if span.key:
                return None
            if (span.where, span.value) in keyed:
                return self._placeholder(span.value, "overlay file", ())
            return None if span.where[-1:] == ("name",) else self._reading.rewrites.get(span.value)

        needed = keyed or any(text in document.text for text in self._reading.rewrites)
        return self._sweep(document.edited(change) if needed else document.text)

    def _library(self, library: LibraryReading) -> dict[str, Any]:
        section = library.section
        kept: dict[str, Any] = {key: section[key] for key in LIBRARY_KEEPS if key in section}
        kept["overlay_files"] = self._overlay_entries(library)
        settings = self._settings(mapping(section.get("settings")), complete=False)
        if settings:
            kept["settings"] = settings
        if mapping(section.get("plex")) or library.plan.server != DEFAULT_SERVER:
            kept["plex"] = {**self._plex(mapping(section.get("plex"))), "url": PLEX_URL.format(server=library.plan.server)}
        kept.update((name, section[name]) for name in ("radarr", "sonarr", "tautulli") if name in self.needs.connectors and name in section)
        return kept

    def _overlay_entries(self, library: LibraryReading) -> list[Any]:
        found: list[Any] = []
        for index, entry in enumerate(overlay_entries(library.section)):
            if not isinstance(entry, Mapping):
                found.append({"file": str(entry)})
                continue
            kept = {key: value for key, value in entry.items() if key not in ENTRY_DROPS and key != "folder"}
            if any(value for key, value in kept.items() if key != "template_variables"):
                found.append(kept)
            files = library.folders.get(index, ())
            variables = kept.get("template_variables")
            if len(files) > 1 and not variables:
                # one object for all files of a folder: Kometa's queues write their defaults into it, for the next file to see
                variables = {"sidecar_folder": index}
            for path in files:
                place, _ = self._reading.files[path]
                found.append({"file": place, **({"template_variables": variables} if variables else {})})
        return found

    def _settings(self, settings: Mapping[str, Any], *, complete: bool) -> dict[str, Any]:
        found: dict[str, Any] = {**SETTINGS} if complete else {}
        found.update({str(key): value for key, value in settings.items() if str(key) in SETTINGS and value is not None})
        if "asset_directory" in found:
            found["asset_directory"] = self._asset_directories(found["asset_directory"])
        if complete:
            found["asset_directory"] = found["asset_directory"] or self._asset_directories(
                mapping(self._reading.data.get("plex")).get("asset_directory")
            )
            found.update(FIXED)
            found["run_order"] = list(RUN_ORDER)
        else:
            found = {key: value for key, value in found.items() if key not in FIXED and key != "run_order"}
        return found

    def _asset_directories(self, named: Any) -> list[str] | None:
        texts = [str(text) for text in (named if isinstance(named, list) else [named] if named else [])]
        places = [self._reading.rewrites.get(text, text) for text in texts]
        kept = [place for place in places if place.startswith("config/") or place == "config"]
        return kept or None

    def _plex(self, plex: Mapping[str, Any]) -> dict[str, Any]:
        timeout = plex.get("timeout")
        return {
            "timeout": timeout if isinstance(timeout, int) and not isinstance(timeout, bool) else 60,
            "db_cache": None,
            "clean_bundles": False,
            "empty_trash": False,
            "optimize": False,
            "verify_ssl": True,
        }

    def _connector(self, name: str, section: Mapping[str, Any]) -> dict[str, Any]:
        found = {**SECTIONS[name], **{str(key): value for key, value in section.items()}}
        if name == "tmdb" and not found.get("apikey"):
            mend = "Add tmdb.apikey to config.yml; Kometa does not start without one."
            self.problems.append(self._reading.config.problem(Severity.ERROR, "tmdb.apikey is missing", "tmdb", mend=mend))
        if name == "trakt":
            # an expired authorization must fail at once, not wait 300 s for someone to type a pin
            found.update(pin=found["pin"] or "0" * 8, force_refresh=None)
        if name == "mal":
            found["localhost_url"] = "http://localhost/?code=0"
        return found

    def _clean(self, node: Any, connector: str, section: Mapping[str, Any], seen: dict[int, Any], key: str = "") -> Any:
        """``node`` with paths rewritten and every secret replaced; what was one object stays one object."""
        if id(node) in seen:
            return seen[id(node)]
        if isinstance(node, Mapping):
            mapped: dict[Any, Any] = {}
            seen[id(node)] = mapped
            for name, value in node.items():
                own = connector == "libraries" and name in SERVICES
                cleaned = self._clean(value, str(name) if own else connector, mapping(value) if own else section, seen, str(name))
                mapped[self._sweep(name) if isinstance(name, str) else name] = cleaned
            return mapped
        if isinstance(node, list):
            items: list[Any] = []
            seen[id(node)] = items
            items.extend(self._clean(value, connector, section, seen, key) for value in node)
            return items
        if is_secret_key(key) and node is not None and not isinstance(node, bool) and str(node).strip():
            if connector in SERVICES:
                return self._placeholder(str(node), connector, secret_hosts(connector, section))
            if isinstance(node, str) and standable(node):
                return self._placeholder(node, connector, ())
        if not isinstance(node, str):
            return node
        text = node if key == "name" else self._reading.rewrites.get(node, node)
        host = host_of(text) if "://" in text else None
        if host and not host.endswith(".plex.invalid") and host != "localhost":
            self.hosts.add(host)
        return self._sweep(text)

    def _sweep(self, text: str) -> str:
        """``text`` without secrets in URLs, and without any secret known from elsewhere."""
        text = edit_urls(text, lambda secret, host: self._placeholder(secret, "url", (host,) if host else ()))
        met = {secret for secret in self.hidden if holds(text, secret)}
        return mask(text, met, {secret: self._known(secret) for secret in met}) if met else text

    def _known(self, secret: str) -> str:
        """The stand-in of a secret met outside its own place: its own connector's, where that is kept."""
        found = next((placeholder for (text, _), placeholder in self.placeholders.items() if text == secret), None)
        return found.text if found is not None else self._placeholder(secret, "elsewhere", ())

    def _placeholder(self, secret: str, connector: str, hosts: tuple[str, ...]) -> str:
        key = (secret, connector)
        known = self.placeholders.get(key)
        if known is None or not set(hosts) <= set(known.hosts):
            merged = tuple(dict.fromkeys((*(known.hosts if known else ()), *hosts)))
            text = stand_in(secret, self._reading.options.seed, connector)
            self.placeholders[key] = Placeholder(text=text, secret=SecretStr(secret), hosts=merged, connector=connector)
        return self.placeholders[key].text
