"""feed.xml: runs with something to see, as Atom (RFC 4287)."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final
from xml.etree import ElementTree as ET

from sidecar.model import RunBrief, RunState
from sidecar.publish.data import worth_telling
from sidecar.publish.text import visible
from sidecar.publish.words import outcome

ATOM: Final = "http://www.w3.org/2005/Atom"
MOST: Final = 50
"""Entries."""
_SPACE: Final = uuid.UUID("5b1a1d0e-6b53-4c0e-9a43-0c1d2f5f7c1e")
"""Namespace of our ids (RFC 9562): the same run is the same entry for ever, wherever the gallery moves."""
_NEVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


def feed(history: Sequence[RunBrief], *, config_dir: str, base_url: str, paged: frozenset[str]) -> bytes:
    """``history`` is newest first. Without a ``base_url`` links are relative to the feed, as RFC 4287 allows."""
    base = f"{base_url.rstrip('/')}/" if base_url else ""
    entries = [brief for brief in history if worth_telling(brief) and brief.id in paged][:MOST]
    root = ET.Element("feed", {"xmlns": ATOM, "xml:lang": "en"})
    _add(root, "title", f"{visible(config_dir)} · kometa-sidecar" if config_dir else "kometa-sidecar")
    _add(root, "id", f"urn:uuid:{uuid.uuid5(_SPACE, f'feed {config_dir}'.encode('utf-8', 'replace').decode())}")
    _add(root, "updated", _time(entries[0].ended or entries[0].started if entries else _NEVER))
    _add(_add(root, "author"), "name", "kometa-sidecar")
    ET.SubElement(root, "link", {"rel": "self", "type": "application/atom+xml", "href": f"{base}feed.xml"})
    ET.SubElement(root, "link", {"rel": "alternate", "type": "text/html", "href": base or "index.html"})
    for brief in entries:
        entry = _add(root, "entry")
        _add(entry, "title", visible(_title(brief)))
        _add(entry, "id", f"urn:uuid:{uuid.uuid5(_SPACE, f'run {brief.id}')}")
        _add(entry, "updated", _time(brief.ended or brief.started))
        _add(entry, "published", _time(brief.started))
        ET.SubElement(entry, "link", {"rel": "alternate", "type": "text/html", "href": f"{base}runs/{brief.id}/index.html"})
        _add(entry, "summary", visible(_summary(brief)))
    return f'<?xml version="1.0" encoding="utf-8"?>\n{ET.tostring(root, encoding="unicode")}\n'.encode("utf-8", "replace")


def _add(parent: ET.Element, name: str, text: str = "") -> ET.Element:
    child = ET.SubElement(parent, name)
    child.text = text or None
    return child


def _title(brief: RunBrief) -> str:
    if brief.state is RunState.INVALID:
        return "The config cannot be rendered"
    if brief.state is RunState.FAILED:
        return "A render failed"
    return outcome(brief)


def _summary(brief: RunBrief) -> str:
    parts = [f"{count} {status}" for status, count in brief.counts.items() if count]
    for count, what in ((brief.errors, "error"), (brief.warnings, "warning")):
        if count:
            parts.append(f"{count} {what}{'' if count == 1 else 's'}")
    if brief.edit and brief.edit.files:
        more = f" and {brief.edit.more} more" if brief.edit.more else ""
        parts.append(f"edited {', '.join(brief.edit.files)}{more} (+{brief.edit.added} −{brief.edit.removed})")
    return "; ".join(parts) or f"run {brief.id}"


def _time(when: datetime) -> str:
    return when.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
