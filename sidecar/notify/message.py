"""What an event is worth saying: builds the :class:`Message`. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from sidecar.model import Blob, Picture, PictureState, Problem, Run, Severity
from sidecar.notify.payload import (
    EditPart,
    FilePart,
    Message,
    OutagePart,
    PicturePart,
    ProblemPart,
    RunPart,
    TargetPart,
)
from sidecar.review import Edit, RunReview

MOST: Final = 50
"""Targets and problems listed; the counts are of all."""
MOST_FILES: Final = 20
MOST_LINES: Final = 3
"""Of a file's diff."""
_LONGEST_LINE: Final = 160
_LONGEST: Final = 1000
"""Characters of a problem's text."""

Redact = Callable[[str], str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Teller:
    """Makes messages. ``gallery`` is its public URL or empty; ``redact`` masks secrets that slipped into a text."""

    gallery: str
    version: str
    redact: Redact = str

    def changed(self, run: Run, review: RunReview | None) -> Message:
        """Without a ``review`` the bare art stands for what was shown before."""
        return self._of_run("preview.changed", "info", _count_title(run), run, review)

    def failed(self, run: Run) -> Message:
        first = next((problem for problem in run.problems if problem.severity is Severity.ERROR), None)
        what = self.redact(first.what) if first else "it could not be drawn"
        return self._of_run("preview.failed", "error", f"Preview failed: {_short(what, 120)}", run, None)

    def recovered(self, run: Run, review: RunReview | None) -> Message:
        title = f"Preview works again: {_count_title(run)}" if run.changed else "Preview works again"
        return self._of_run("preview.recovered", "success", title, run, review)

    def unchanged(self, run: Run) -> Message:
        return self._of_run("preview.unchanged", "info", "Preview drawn, nothing changed", run, None)

    def outage(self, part: Literal["plex", "worker"], detail: str, since: datetime) -> Message:
        """``part`` is away."""
        name = _PARTS[part]
        title = f"{name} is away"
        detail = _short(self.redact(detail), _LONGEST)
        return self._message(
            Message(
                event="plex.down" if part == "plex" else "worker.down",
                id=f"{part}.down:{since:%Y%m%dT%H%M%S%f}",
                at=since,
                severity="error",
                title=title,
                text=detail or title,
                url=self.gallery or None,
                sidecar=self.version,
                outage=OutagePart(part=part, detail=detail, since=since),
            )
        )

    def back(self, part: Literal["plex", "worker"], since: datetime, now: datetime) -> Message:
        """``part``, away since then, is back."""
        away = max(0.0, (now - since).total_seconds())
        title = f"{_PARTS[part]} is back"
        return self._message(
            Message(
                event="plex.up" if part == "plex" else "worker.up",
                id=f"{part}.up:{since:%Y%m%dT%H%M%S%f}",
                at=now,
                severity="success",
                title=title,
                text=f"It was away for {span(away)}.",
                url=self.gallery or None,
                sidecar=self.version,
                outage=OutagePart(part=part, detail="", since=since, seconds=round(away, 1)),
            )
        )

    def test(self, identifier: str, now: datetime) -> Message:
        """To see whether a destination works."""
        return self._message(
            Message(
                event="test",
                id=f"test:{identifier}",
                at=now,
                severity="info",
                title="A test from kometa-sidecar",
                text="If you read this, notifications arrive here.",
                url=self.gallery or None,
                sidecar=self.version,
            )
        )

    def _of_run(
        self,
        event: Literal["preview.changed", "preview.failed", "preview.recovered", "preview.unchanged"],
        severity: Literal["info", "success", "error"],
        title: str,
        run: Run,
        review: RunReview | None,
    ) -> Message:
        changed = set(run.changed)
        targets = [self._target(picture, review) for picture in run.pictures if picture.target.id in changed]
        targets.sort(key=lambda target: -(target.fraction or 0.0))
        # What befell many items is one thing to tell.
        alike = {(p.severity, p.what, p.file, p.line): p for p in run.problems if p.severity is not Severity.INFO}
        problems = sorted(alike.values(), key=lambda p: p.severity is not Severity.ERROR)
        message = Message(
            event=event,
            id=f"{event}:{run.id}",
            at=run.ended or run.started,
            severity=severity,
            title=title,
            text="",
            url=self._page(run),
            sidecar=self.version,
            run=self._run(run),
            targets=targets,  # all, for the rules; Rules.wanted leaves MOST
            edit=self._edit(review.edit) if review and review.edit and event != "preview.failed" else None,
            problems=[self._problem(problem) for problem in problems[:MOST]],
        )
        return self._message(message)

    def _message(self, message: Message) -> Message:
        return message.model_copy(update={"text": message.text or words(message)})

    def _run(self, run: Run) -> RunPart:
        return RunPart(
            id=run.id,
            state=run.state.value,
            reason=self.redact(run.reason),
            revision=run.revision,
            engine=run.engine.kind if run.engine else None,
            kometa_version=run.engine.version if run.engine and run.engine.kind == "kometa" else None,
            started=run.started,
            seconds=round(run.seconds, 3),
            pictures=sum(picture.state is PictureState.RENDERED for picture in run.pictures),
            changed=len(run.changed),
            writes_blocked=len(run.blocked),
            errors=run.errors,
            warnings=run.warnings,
            url=self._page(run),
        )

    def _page(self, run: Run) -> str | None:
        return f"{self.gallery.rstrip('/')}/runs/{run.id}/" if self.gallery else None

    def _target(self, picture: Picture, review: RunReview | None) -> TargetPart:
        target = picture.target
        seen = review.of(target.id) if review else None
        comparison = seen.comparison if seen else None
        return TargetPart(
            id=target.id,
            rating_key=target.rating_key,
            library=self.redact(target.library),
            level=target.level.value,
            title=_short(self.redact(target.label), 300),
            status=seen.status.value if seen else None,
            fraction=comparison.fraction if comparison else None,
            before=self._picture((seen.reference if seen else None) or picture.before),
            after=self._picture((seen.shown if seen else None) or picture.after or picture.before),
            mask=self._picture(comparison.mask if comparison else None),
        )

    def _picture(self, blob: Blob | None) -> PicturePart | None:
        if blob is None:
            return None
        url = f"{self.gallery.rstrip('/')}/img/{blob.name}" if self.gallery else None
        return PicturePart(sha256=blob.sha256, media_type=blob.media_type, width=blob.width, height=blob.height, url=url)

    def _edit(self, edit: Edit) -> EditPart:
        return EditPart(
            files=[
                FilePart(path=self.redact(file.path), kind=file.kind, added=file.added, removed=file.removed, lines=self._lines(file.diff))
                for file in edit.files[:MOST_FILES]
            ],
            more=edit.more + max(0, len(edit.files) - MOST_FILES),
        )

    def _lines(self, diff: str) -> list[str]:
        found = [line for line in diff.splitlines() if line[:1] in ("+", "-") and not line.startswith(("+++", "---")) and line[1:].strip()]
        return [_short(self.redact(line), _LONGEST_LINE) for line in found[:MOST_LINES]]

    def _problem(self, problem: Problem) -> ProblemPart:
        return ProblemPart(
            severity=problem.severity.value,
            what=_short(self.redact(problem.what), _LONGEST),
            mend=_short(self.redact(problem.mend), _LONGEST),
            file=self.redact(problem.file),
            line=problem.line,
        )


_PARTS: Final = {"plex": "Plex", "worker": "The Kometa worker"}


def shortened(message: Message) -> Message:
    """``message`` with at most MOST targets listed."""
    if len(message.targets) <= MOST:
        return message
    more = message.more_targets + len(message.targets) - MOST
    return message.model_copy(update={"targets": message.targets[:MOST], "more_targets": more})


def words(message: Message) -> str:
    """A message as a few plain lines: what services without embeds show."""
    lines = []
    if message.edit:
        for file in message.edit.files[:3]:
            lines += [f"{file.path} ({file.kind}, +{file.added} −{file.removed})", *file.lines]
        rest = len(message.edit.files) - 3 + message.edit.more
        lines += [f"and {rest} more files"] if rest > 0 else []
    if message.targets:
        names = [f"{target.title}{percent(target)}" for target in message.targets[:6]]
        rest = len(message.targets) - len(names) + message.more_targets
        lines.append(", ".join(names) + (f" and {rest} more" if rest else ""))
    if message.event == "preview.failed":
        for problem in message.problems[:3]:
            place = f"{problem.file}:{problem.line}: " if problem.file and problem.line else f"{problem.file}: " if problem.file else ""
            lines.append(f"{place}{problem.what}" + (f" ({problem.mend})" if problem.mend else ""))
    if message.run:
        lines.append(facts(message.run))
    return "\n".join(lines)


def facts(run: RunPart) -> str:
    """Counts, time, version in one line."""
    parts = [f"{run.pictures} pictures"] if run.pictures else []
    parts.append(f"{run.seconds:.1f} s")
    if run.engine:
        parts.append(f"Kometa {run.kometa_version}" if run.kometa_version else f"engine {run.engine}")
    parts.append(f"{run.writes_blocked} writes blocked")
    parts += [f"{run.errors} errors"] if run.errors else []
    parts += [f"{run.warnings} warnings"] if run.warnings else []
    return " · ".join(parts)


def percent(target: TargetPart) -> str:
    """`` 1.2 %`` of the pixels, or empty where it was not measured or the picture is new."""
    if target.status == "new":
        return " (new)"
    if not target.fraction:
        return " (as approved)" if target.status == "unchanged" else ""
    share = target.fraction * 100
    return f" ({share:.1f} %)" if share >= 0.1 else " (< 0.1 %)"


def count_title(changed: int) -> str:
    return "1 poster changed" if changed == 1 else f"{changed} posters changed"


def _count_title(run: Run) -> str:
    return count_title(len(run.changed))


def span(seconds: float) -> str:
    """A length of time for people: ``40 s``, ``5 min``, ``3 h 20 min``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    hours, rest = divmod(minutes, 60)
    return f"{minutes} min" if not hours else f"{hours} h {rest} min" if rest else f"{hours} h"


def _short(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1].rstrip() + "…"
