"""Values in words, for people: the templates' filters. Pure."""

from __future__ import annotations

from datetime import UTC, datetime

from sidecar.model import EngineInfo, RunBrief


def engine_name(engine: EngineInfo) -> str:
    """``Kometa 2.4.4``, or ``Draft engine 0.1.0``: never to be mistaken for each other."""
    return f"{'Kometa' if engine.kind == 'kometa' else f'{engine.kind.capitalize()} engine'} {engine.version}".rstrip()


def unaided(engine: EngineInfo) -> str:
    """Why a Kometa runs without any of its speed-ups (``not verified with Kometa 9.9``); nothing where it has some."""
    states = list(engine.speedups.values())
    return "" if not states or "on" in states else states[0].removeprefix("off: ")


def instant(when: datetime) -> str:
    """For ``<time datetime>``."""
    return when.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def clock(when: datetime) -> str:
    """For people without scripts: ``21 Nov 2026, 01:10 UTC``. The page's script shows local time instead."""
    when = when.astimezone(UTC)
    return f"{when.day} {when:%b %Y, %H:%M} UTC"


def seconds(value: float) -> str:
    """``0.84 s``, ``12.3 s``, ``3 min 05 s``."""
    if value < 10:
        return f"{value:.2f} s"
    if value < 60:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest:02} s"


def percent(fraction: float) -> str:
    """``1.2 %``, ``< 0.01 %``, ``0 %``: never nothing where there is something."""
    share = fraction * 100
    if share <= 0:
        return "0 %"
    if share < 0.01:
        return "< 0.01 %"
    return f"{share:.2f} %" if share < 1 else f"{share:.1f} %" if share < 99.95 else "100 %"


def diff_lines(diff: str) -> list[tuple[str, str]]:
    """A unified diff as (kind, line): add, del, hunk or same; without the lines that name the files."""
    lines: list[tuple[str, str]] = []
    for line in diff.splitlines():
        if line.startswith(("--- ", "+++ ")) and not any(kind == "hunk" for kind, _ in lines):
            continue
        kind = {"+": "add", "-": "del", "@": "hunk"}.get(line[:1], "same")
        lines.append((kind, line))
    return lines


def plural(count: int, one: str, many: str = "") -> str:
    """``1 picture``, ``2 pictures``."""
    return f"{count} {one if count == 1 else many or one + 's'}"


def outcome(brief: RunBrief) -> str:
    """What came of a run that is done, as its page says it: by its review; by the pictures' bytes while it was not compared."""
    counts = brief.counts or {"changed": brief.changed}
    new, changed = counts.get("new", 0), counts.get("changed", 0)
    if new and new == brief.targets:
        return plural(new, "new picture")
    if new + changed:
        return f"{new + changed} of {plural(brief.targets, 'picture')} changed"
    return f"{plural(brief.failed, 'picture')} failed" if brief.failed else f"Nothing changed in {plural(brief.targets, 'picture')}"
