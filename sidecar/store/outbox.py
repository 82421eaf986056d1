"""Letters that must leave the house: kept until somebody says that they arrived.

At least once, under one id: a letter is claimed for a while, and unless it is settled within that time (the process
died, or hung) it is handed out again.
"""

from __future__ import annotations

import json
import sqlite3
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from sidecar.errors import StoreError
from sidecar.letters import Closed, Letter, LetterState, NewLetter
from sidecar.store.database import Database


class Outbox:
    """The outbox's part of :class:`sidecar.store.state.State`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # ── putting in ───────────────────────────────────────────────────────────────────────────────────────

    async def enqueue(
        self, destination: str, body: Mapping[str, object], *, letter_id: str = "", not_before: datetime | None = None
    ) -> str:
        """Keep one letter (``body``: plain JSON, no secret) until it is settled; returns its id."""
        letter = NewLetter(id=letter_id or uuid.uuid4().hex, destination=destination, body=body, not_before=not_before)
        await self.post([letter])
        return letter.id

    async def post(self, letters: Sequence[NewLetter], *, notes: Mapping[str, object] | None = None, now: datetime | None = None) -> int:
        """Keep ``letters``, and ``notes`` (see ``State.note``) with them: all or nothing. Returns how many were new.

        A letter whose id is known already changes nothing: the same event is never sent as two letters.
        """
        at = (now or datetime.now(UTC)).timestamp()
        rows = [_row(letter, at) for letter in letters]
        noted = [(name, json.dumps(value)) for name, value in (notes or {}).items()]

        def put(connection: sqlite3.Connection) -> int:
            new = 0
            for letter, row in zip(letters, rows, strict=True):
                added = connection.execute(
                    """INSERT OR IGNORE INTO outbox (id, destination, event, topic, body, state, next_try, due, created)
                       VALUES (?, ?, ?, ?, ?, 'pending', ?, ?, ?)""",
                    row,
                )
                new += added.rowcount
                if added.rowcount and letter.overtakes:
                    _drop(connection, letter.destination, letter.topic, "a newer one says it too", at, before=added.lastrowid or 0)
            connection.executemany("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", noted)
            return new

        return await self._database.write(put, durable=True)

    async def withdraw(self, destination: str, topic: str, why: str, now: datetime | None = None) -> int:
        """Drop letters of ``topic`` that are not due yet and were never tried; returns how many."""
        at = (now or datetime.now(UTC)).timestamp()
        return await self._database.write(lambda connection: _drop(connection, destination, topic, why, at, held=True), durable=True)

    async def replay(self, letter_ids: Iterable[str] | None = None, now: datetime | None = None) -> int:
        """Make dead letters pending again, as if they were new; None: all of them. Returns how many."""
        at = (now or datetime.now(UTC)).timestamp()
        sql = "UPDATE outbox SET state = 'pending', attempts = 0, next_try = ?, due = ?, error = '' WHERE state = 'dead'"
        if letter_ids is None:
            return await self._database.write(lambda connection: connection.execute(sql, (at, at)).rowcount, durable=True)
        rows = [(at, at, letter_id) for letter_id in letter_ids]
        return await self._database.write(
            lambda connection: connection.executemany(f"{sql} AND id = ?", rows).rowcount,
            durable=True,
        )

    # ── handing out ──────────────────────────────────────────────────────────────────────────────────────

    async def claim(
        self, now: datetime | None = None, *, destination: str | None = None, limit: int = 10, lease: float = 120.0
    ) -> list[Letter]:
        """Up to ``limit`` letters that are due, oldest first, handed to the caller alone for ``lease`` seconds."""
        at = now or datetime.now(UTC)
        until = (at + timedelta(seconds=lease)).timestamp()

        def take(connection: sqlite3.Connection) -> list[Letter]:
            due = connection.execute(
                """SELECT * FROM outbox WHERE state IN ('pending', 'claimed') AND next_try <= ? AND (? IS NULL OR destination = ?)
                   ORDER BY number LIMIT ?""",
                (at.timestamp(), destination, destination, limit),
            ).fetchall()
            connection.executemany(
                "UPDATE outbox SET state = 'claimed', attempts = attempts + 1, next_try = ? WHERE number = ?",
                [(until, row["number"]) for row in due],
            )
            return [_letter(row, claimed_until=until) for row in due]

        return await self._database.write(take)

    async def reclaim(self) -> int:
        """Call at start: what an earlier process was sending when it died is due at once. Returns how many."""
        at = datetime.now(UTC).timestamp()
        return await self._database.write(
            lambda connection: (
                connection.execute("UPDATE outbox SET state = 'pending', next_try = ? WHERE state = 'claimed'", (at,)).rowcount
            )
        )

    async def next_due(self, destination: str) -> datetime | None:
        """When the next letter to ``destination`` is due; None where none waits."""
        found = await self._database.read(
            lambda connection: connection.execute(
                "SELECT min(next_try) FROM outbox WHERE destination = ? AND state IN ('pending', 'claimed')", (destination,)
            ).fetchone()[0]
        )
        return datetime.fromtimestamp(found, UTC) if found is not None else None

    async def settle(
        self,
        letter_id: str,
        *,
        sent: bool = False,
        retry_at: datetime | None = None,
        error: str = "",
        remote: str = "",
        count: bool = True,
    ) -> None:
        """Say what became of a claimed letter: ``sent``, to be tried again at ``retry_at``, or (neither) given up.

        ``remote`` is the receiver's id of the message. ``count`` False: this attempt does not count as one.
        """
        state = LetterState.SENT if sent else LetterState.PENDING if retry_at else LetterState.DEAD
        next_try = (retry_at or datetime.now(UTC)).timestamp()
        await self._database.write(
            lambda connection: connection.execute(
                "UPDATE outbox SET state = ?, next_try = ?, error = ?, remote = ?, attempts = attempts - ? WHERE id = ?",
                (state.value, next_try, error, remote, 0 if count else 1, letter_id),
            ),
            durable=True,
        )

    async def expire(self, destination: str, before: datetime, error: str) -> int:
        """Give up letters to ``destination`` that were first due before then; returns how many."""
        return await self._database.write(
            lambda connection: (
                connection.execute(
                    "UPDATE outbox SET state = 'dead', error = ? WHERE destination = ? AND state = 'pending' AND due < ?",
                    (error, destination, before.timestamp()),
                ).rowcount
            ),
            durable=True,
        )

    # ── looking ──────────────────────────────────────────────────────────────────────────────────────────

    async def letters(self, state: LetterState | None = None, limit: int = 100, *, destination: str | None = None) -> list[Letter]:
        """Letters, newest first; with ``state`` or ``destination``, those alone."""
        return await self._select("(:state IS NULL OR state = :state)", destination, limit, state=state.value if state else None)

    async def last_letter(self, destination: str, *, topic: str | None = None, event: str | None = None) -> Letter | None:
        """The newest letter to ``destination`` of this topic or event, whatever became of it unless it was dropped."""
        wanted = "(:topic IS NULL OR topic = :topic) AND (:event IS NULL OR event = :event) AND state <> 'dropped'"
        found = await self._select(wanted, destination, 1, topic=topic, event=event)
        return found[0] if found else None

    async def remote_of(self, destination: str, topic: str) -> str:
        """The receiver's id of the newest message of ``topic`` that it took; empty where there is none."""
        found = await self._select("topic = :topic AND state = 'sent' AND remote <> ''", destination, 1, topic=topic)
        return found[0].remote if found and topic else ""

    async def counts(self) -> dict[tuple[str, LetterState], int]:
        """How many letters there are, by destination and state."""
        rows = await self._database.read(
            lambda connection: connection.execute("SELECT destination, state, count(*) FROM outbox GROUP BY 1, 2").fetchall()
        )
        return {(row[0], LetterState(row[1])): row[2] for row in rows}

    async def forget_letters(self, before: datetime) -> int:
        """Remove letters that were settled for good before then; returns how many."""
        return await self._database.write(
            lambda connection: (
                connection.execute(
                    "DELETE FROM outbox WHERE state IN ('sent', 'dead', 'dropped') AND next_try < ?", (before.timestamp(),)
                ).rowcount
            )
        )

    async def _select(self, where: str, destination: str | None, limit: int, **values: str | None) -> list[Letter]:
        sql = f"""SELECT * FROM outbox WHERE {where} AND (:destination IS NULL OR destination = :destination)
                  ORDER BY number DESC LIMIT :limit"""  # noqa: S608 - constants of this module
        given = {**values, "destination": destination, "limit": limit}
        return await self._database.read(lambda connection: [_letter(row) for row in connection.execute(sql, given)])

    # ── destinations ─────────────────────────────────────────────────────────────────────────────────────

    async def close_destination(self, destination: str, why: str, mark: str) -> None:
        """Send nothing more to ``destination`` until it is opened again. One that is closed already keeps its time."""
        now = datetime.now(UTC).timestamp()
        sql = """INSERT INTO closed (destination, why, since, mark) VALUES (?1, ?2, ?3, ?4)
                 ON CONFLICT (destination) DO UPDATE SET why = ?2, mark = ?4"""
        await self._database.write(lambda connection: connection.execute(sql, (destination, why, now, mark)), durable=True)

    async def open_destination(self, destination: str) -> bool:
        """False where it was not closed."""
        return bool(
            await self._database.write(
                lambda connection: connection.execute("DELETE FROM closed WHERE destination = ?", (destination,)).rowcount
            )
        )

    async def closed_destinations(self) -> dict[str, Closed]:
        """Those that are sent nothing, by name."""
        rows = await self._database.read(lambda connection: connection.execute("SELECT * FROM closed").fetchall())
        return {
            row["destination"]: Closed(
                destination=row["destination"], why=row["why"], since=datetime.fromtimestamp(row["since"], UTC), mark=row["mark"]
            )
            for row in rows
        }


def _row(letter: NewLetter, now: float) -> tuple[object, ...]:
    due = letter.not_before.timestamp() if letter.not_before else now
    try:
        text = json.dumps(letter.body)
    except (TypeError, ValueError) as error:
        raise StoreError(f"a letter to {letter.destination} cannot be written down: {error}") from error
    return (letter.id, letter.destination, letter.event, letter.topic, text, due, due, now)


def _drop(
    connection: sqlite3.Connection, destination: str, topic: str, why: str, now: float, *, before: int | None = None, held: bool = False
) -> int:
    return connection.execute(
        """UPDATE outbox SET state = 'dropped', error = ?, next_try = ?
           WHERE destination = ? AND topic = ? AND state = 'pending' AND attempts = 0 AND (? IS NULL OR number < ?)
           AND (NOT ? OR next_try > ?)""",
        (why, now, destination, topic, before, before, held, now),
    ).rowcount


def _letter(row: sqlite3.Row, claimed_until: float | None = None) -> Letter:
    claimed = claimed_until is not None
    return Letter(
        id=row["id"],
        destination=row["destination"],
        event=row["event"],
        topic=row["topic"],
        body=json.loads(row["body"]),
        state=LetterState.CLAIMED if claimed else LetterState(row["state"]),
        attempts=row["attempts"] + (1 if claimed else 0),
        next_try=datetime.fromtimestamp(claimed_until if claimed_until is not None else row["next_try"], UTC),
        due=datetime.fromtimestamp(row["due"], UTC),
        created=datetime.fromtimestamp(row["created"], UTC),
        error=row["error"],
        remote=row["remote"],
    )
