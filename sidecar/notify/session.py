"""Several edits of one editing session as one message. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import ValidationError

from sidecar.letters import Letter
from sidecar.notify.message import MOST, MOST_FILES, MOST_LINES, count_title, words
from sidecar.notify.payload import EditPart, FilePart, Message, SessionPart, TargetPart

LONGEST: Final = 12
"""Pauses: a session longer than this many of them is told as two."""


def topic(message: Message, now: datetime) -> str:
    """Of a session that begins with ``message``; it holds when."""
    return f"session:{int(now.timestamp())}:{message.id}"


def goes_on(last: Letter, pause: timedelta, now: datetime) -> bool:
    """Whether an edit now belongs to the session of ``last``. A clock that was set back ends a session."""
    return timedelta(0) <= now - last.created <= pause and now <= end(last.topic, pause)


def end(topic: str, pause: timedelta) -> datetime:
    """When the session of ``topic`` is over at the latest."""
    stamp = topic.split(":")[1] if topic.startswith("session:") else "0"
    return datetime.fromtimestamp(int(stamp) if stamp.isdecimal() else 0, UTC) + pause * LONGEST


def begin(message: Message) -> Message:
    """``message`` as the first of a session."""
    assert message.run is not None
    return message.model_copy(update={"session": SessionPart(id=message.run.id, number=1)})


def follow(earlier: Message, later: Message) -> Message:
    """``later`` as the next of ``earlier``'s session, telling of itself alone."""
    assert earlier.session is not None
    return later.model_copy(update={"session": SessionPart(id=earlier.session.id, number=earlier.session.number + 1)})


def merge(earlier: Message, later: Message) -> Message:
    """What both say together: from the pictures before ``earlier`` to those after ``later``.

    A picture that is again what it was before the session is left out. The text and the run are the later ones'.
    """
    later = follow(earlier, later)
    targets = {target.id: target for target in earlier.targets}
    for target in later.targets:
        targets[target.id] = _joined(targets[target.id], target) if target.id in targets else target
    left = [target for target in targets.values() if not (target.before and target.after and target.before.sha256 == target.after.sha256)]
    left.sort(key=lambda target: -(target.fraction or 0.0))
    count = len(left) + max(earlier.more_targets, later.more_targets)
    title = count_title(count) if count else "Back to what it was before these edits"
    merged = later.model_copy(
        update={
            "targets": left[:MOST],
            "more_targets": max(earlier.more_targets, later.more_targets) + max(0, len(left) - MOST),
            "edit": _edits(earlier.edit, later.edit),
            "title": title if later.event == "preview.changed" else later.title,
        }
    )
    return merged.model_copy(update={"text": words(merged)})


def parsed(body: object) -> Message | None:
    """A kept letter's message; None where another version wrote it."""
    try:
        return Message.model_validate(body)
    except ValidationError:
        return None


def _joined(first: TargetPart, last: TargetPart) -> TargetPart:
    if first.before is None or first.before == last.before or first.status == "new":  # a new one has no before to go back to
        return last
    # The comparison was made with the picture in between: it says nothing of the whole way.
    return last.model_copy(update={"before": first.before, "mask": None, "fraction": None})


def _edits(first: EditPart | None, last: EditPart | None) -> EditPart | None:
    if first is None or last is None:
        return last or first
    files = {file.path: file for file in first.files}
    for file in last.files:
        files[file.path] = _file(files.pop(file.path), file) if file.path in files else file
    newest_first = list(files.values())[::-1]
    return EditPart(files=newest_first[:MOST_FILES], more=max(first.more, last.more) + max(0, len(newest_first) - MOST_FILES))


def _file(first: FilePart, last: FilePart) -> FilePart:
    kind = "added" if first.kind == "added" and last.kind == "changed" else last.kind
    lines = (last.lines or first.lines)[:MOST_LINES]
    return FilePart(path=last.path, kind=kind, added=first.added + last.added, removed=first.removed + last.removed, lines=lines)
