"""Letters that must leave the house: kept until somebody says that they arrived.

At least once, under one id: a letter is claimed for a while, and unless it is settled within that time (the process
died, or hung) it is handed out again.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from sidecar.errors import StoreError
from sidecar.store.database import Database


class LetterState(StrEnum):
    """Where a letter is; the last two are final."""

    PENDING = "pending"
    CLAIMED = "claimed"
    SENT = "sent"
    DEAD = "dead"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One message to one destination."""

    id: str
    """Stays the same over all attempts: the receiver can drop doubles by it."""
    destination: str
    body: Mapping[str, object]
    state: LetterState
    attempts: int
    """How often it was claimed, this time included."""
    next_try: datetime
    created: datetime
    error: str = ""
    """What the last attempt met."""


class Outbox:
    """The outbox's part of :class:`sidecar.store.state.State`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def enqueue(
        self, destination: str, body: Mapping[str, object], *, letter_id: str = "", not_before: datetime | None = None
    ) -> str:
        """Keep a letter (``body``: plain JSON, no secret) until it is settled; returns its id.

        A ``letter_id`` that is known already changes nothing: the same event is never sent as two letters.
        """
        letter_id = letter_id or uuid.uuid4().hex
        now = datetime.now(UTC).timestamp()
        try:
            text = json.dumps(body)
        except (TypeError, ValueError) as error:
            raise StoreError(f"a letter to {destination} cannot be written down: {error}") from error
        row = (letter_id, destination, text, LetterState.PENDING.value, not_before.timestamp() if not_before else now, now)
        await self._database.write(
            lambda connection: connection.execute(
                "INSERT OR IGNORE INTO outbox (id, destination, body, state, next_try, created) VALUES (?, ?, ?, ?, ?, ?)", row
            ),
            durable=True,
        )
        return letter_id

    async def claim(self, now: datetime | None = None, *, limit: int = 10, lease: float = 120.0) -> list[Letter]:
        """Up to ``limit`` letters that are due, oldest first, handed to the caller alone for ``lease`` seconds."""
        at = now or datetime.now(UTC)
        until = (at + timedelta(seconds=lease)).timestamp()

        def take(connection: sqlite3.Connection) -> list[Letter]:
            due = connection.execute(
                "SELECT * FROM outbox WHERE state IN ('pending', 'claimed') AND next_try <= ? ORDER BY next_try, created, id LIMIT ?",
                (at.timestamp(), limit),
            ).fetchall()
            connection.executemany(
                "UPDATE outbox SET state = 'claimed', attempts = attempts + 1, next_try = ? WHERE id = ?",
                [(until, row["id"]) for row in due],
            )
            return [_letter(row, claimed_until=until) for row in due]

        return await self._database.write(take)

    async def settle(self, letter_id: str, *, sent: bool = False, retry_at: datetime | None = None, error: str = "") -> None:
        """Say what became of a claimed letter: ``sent``, to be tried again at ``retry_at``, or (neither) given up."""
        state = LetterState.SENT if sent else LetterState.PENDING if retry_at else LetterState.DEAD
        next_try = (retry_at or datetime.now(UTC)).timestamp()
        await self._database.write(
            lambda connection: connection.execute(
                "UPDATE outbox SET state = ?, next_try = ?, error = ? WHERE id = ?", (state.value, next_try, error, letter_id)
            ),
            durable=True,
        )

    async def letters(self, state: LetterState | None = None, limit: int = 100) -> list[Letter]:
        """Letters, newest first; with ``state``, those in it."""
        value = state.value if state else None
        return await self._database.read(
            lambda connection: [
                _letter(row)
                for row in connection.execute(
                    "SELECT * FROM outbox WHERE ? IS NULL OR state = ? ORDER BY created DESC, id LIMIT ?", (value, value, limit)
                )
            ]
        )

    async def forget_letters(self, before: datetime) -> int:
        """Remove sent and given-up letters that were settled before then; returns how many."""
        return await self._database.write(
            lambda connection: (
                connection.execute("DELETE FROM outbox WHERE state IN ('sent', 'dead') AND next_try < ?", (before.timestamp(),)).rowcount
            )
        )


def _letter(row: sqlite3.Row, claimed_until: float | None = None) -> Letter:
    return Letter(
        id=row["id"],
        destination=row["destination"],
        body=json.loads(row["body"]),
        state=LetterState(row["state"]) if claimed_until is None else LetterState.CLAIMED,
        attempts=row["attempts"] + (claimed_until is not None),
        next_try=datetime.fromtimestamp(row["next_try"] if claimed_until is None else claimed_until, UTC),
        created=datetime.fromtimestamp(row["created"], UTC),
        error=row["error"],
    )
