"""What the daemon remembers between renders and restarts: runs, choices of targets, approvals, the outbox.

Times are aware ``datetime`` in UTC. Everything raises StoreError, in words, where the disk or the database fails.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from sidecar.errors import StoreError
from sidecar.model import Blob, Problem, Run, RunBrief, RunState, Severity
from sidecar.store import codec
from sidecar.store.approvals import KEPT, Approvals
from sidecar.store.care import Tidied
from sidecar.store.database import Database
from sidecar.store.history import History
from sidecar.store.outbox import Outbox
from sidecar.store.plexart import PlexArt
from sidecar.store.rows import blob_of, put_blobs

_log = logging.getLogger(__name__)

_LAST = "\U0010ffff"
"""After every id."""

_UNFINISHED = tuple(state.value for state in RunState if not state.final)


class State(Outbox, Approvals, History, PlexArt):
    """``state = await State.open(path)``, and ``await state.close()`` in the end."""

    def __init__(self, database: Database) -> None:
        """Use :meth:`open`."""
        super().__init__(database)

    @classmethod
    async def open(cls, path: Path, *, shared: bool = False) -> State:
        """Open or make the database at ``path``.

        One process at a time: a second one gets a StoreError, unless it asks for ``shared`` (short look-ups and
        approvals beside a running daemon). A damaged file is set aside and made anew from what can be saved: see :attr:`problems`.
        """
        database = Database(path, shared=shared)
        await database.open()
        return cls(database)

    async def close(self) -> None:
        """Safe to call twice."""
        await self._database.close()

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What was found and mended while opening, for people to see."""
        return self._database.problems

    @property
    def rebuilt(self) -> bool:
        """Whether the database was damaged and made anew while opening: then runs may be missing."""
        return self._database.rebuilt

    # ── care ─────────────────────────────────────────────────────────────────────────────────────────────

    async def backup(self, *, keep: int | None = None, folder: Path | None = None) -> Path:
        """A checked copy of the database, by default beside it in ``backups``; the newest ``keep`` of the dated ones stay."""
        return await self._database.backup(keep=keep, folder=folder)

    async def tidy(self) -> Tidied:
        """Check the database, give unused space back. StoreError where it is damaged."""
        return await self._database.tidy()

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────────────

    async def save_run(self, run: Run) -> None:
        """Keep ``run`` as it is now; what was kept under its id is replaced. Once this returns, a crash cannot take it."""

        def put(connection: sqlite3.Connection) -> None:
            try:
                body = codec.dumps(run)  # here, off the loop: 500 targets take a tenth of a second
            except (TypeError, ValueError) as error:
                raise StoreError(f"run {run.id} cannot be written down: {error}") from error
            _put_run(connection, run, body)

        await self._database.write(put, durable=run.state.final)

    async def runs(self, limit: int = 50, before: str | None = None) -> list[Run]:
        """The newest ``limit`` runs, newest first; with ``before``, those older than that run's id."""
        return await self._database.read(
            lambda connection: _runs(connection, "WHERE ? IS NULL OR id < ? ORDER BY id DESC LIMIT ?", (before, before, limit))
        )

    async def briefs(self, limit: int = 50, before: str | None = None, state: RunState | None = None) -> list[RunBrief]:
        """Like :meth:`runs`, without the pictures: quick however many runs there are. ``state`` leaves out runs in any other."""
        return await self._database.read(lambda connection: _briefs(connection, limit, before, state))

    async def run(self, run_id: str) -> Run | None:
        """The run of that id, or None."""
        return await self._one("WHERE id = ?", run_id)

    async def knows(self, run_id: str) -> bool:
        """Whether there is such a run."""
        sql = "SELECT 1 FROM runs WHERE id = ?"
        return await self._database.read(lambda connection: connection.execute(sql, (run_id,)).fetchone() is not None)

    async def latest(self) -> Run | None:
        """The newest run, whatever became of it."""
        return await self._one("ORDER BY id DESC LIMIT 1")

    async def last_good(self) -> Run | None:
        """The newest run that is DONE."""
        return await self._one("WHERE state = ? ORDER BY id DESC LIMIT 1", RunState.DONE.value)

    async def last_after(self, target_id: str, before: str | None = None) -> Blob | None:
        """The target's picture in the newest DONE run that has one; with ``before``, of the runs older than that id."""
        sql = """SELECT blobs.* FROM pictures JOIN runs ON runs.id = pictures.run_id JOIN blobs ON blobs.sha256 = pictures.after_sha256
                 WHERE pictures.target_id = ? AND runs.state = ? AND (? IS NULL OR runs.id < ?) ORDER BY pictures.run_id DESC LIMIT 1"""
        row = await self._database.read(
            lambda connection: connection.execute(sql, (target_id, RunState.DONE.value, before, before)).fetchone()
        )
        return blob_of(row) if row else None

    async def interrupted(self) -> tuple[Run, ...]:
        """Call at start: runs that a crash left unfinished become FAILED, and are returned."""

        def mend(connection: sqlite3.Connection) -> tuple[Run, ...]:
            marks = ",".join("?" * len(_UNFINISHED))
            mended = tuple(_stopped(run) for run in _runs(connection, f"WHERE state IN ({marks}) ORDER BY id", _UNFINISHED))
            for run in mended:
                _put_run(connection, run, codec.dumps(run))
            return mended

        return await self._database.write(mend, durable=True)

    async def forget_runs(self, run_ids: Iterable[str]) -> None:
        """Remove runs. Baselines that came from them stay."""
        ids = [(run_id,) for run_id in run_ids]
        await self._database.write(lambda connection: connection.executemany("DELETE FROM runs WHERE id = ?", ids))

    async def blobs_in_use(self) -> frozenset[str]:
        """The sha256 of every picture that a run, its review or a baseline shows: what ``Blobs.prune`` must keep."""
        sql = f"""SELECT before_sha256 FROM pictures WHERE before_sha256 IS NOT NULL
                  UNION SELECT after_sha256 FROM pictures WHERE after_sha256 IS NOT NULL
                  UNION SELECT sha256 FROM review_blobs
                  UNION SELECT sha256 FROM plex_art
                  UNION {KEPT}"""  # noqa: S608 - constants
        return await self._database.read(lambda connection: frozenset(row[0] for row in connection.execute(sql)))

    async def _one(self, where: str, *values: object) -> Run | None:
        found = await self._database.read(lambda connection: _runs(connection, where, values))
        return found[0] if found else None

    # ── targets ──────────────────────────────────────────────────────────────────────────────────────────

    async def remember_targets(self, server: str, section: int, choices: Mapping[str, int]) -> None:
        """Keep what the target chooser resolved in one library (name of its own -> rating key), in place of what was kept.

        ``server`` is Plex's machine identifier: the same keys on another server are other items.
        """
        rows = [(server, section, name, key) for name, key in choices.items()]

        def put(connection: sqlite3.Connection) -> None:
            connection.execute("DELETE FROM targets WHERE server = ? AND section = ?", (server, section))
            connection.executemany("INSERT INTO targets (server, section, name, rating_key) VALUES (?, ?, ?, ?)", rows)

        await self._database.write(put)

    async def remembered(self) -> dict[tuple[str, int], dict[str, int]]:
        """All of it: (machine identifier, section) -> name -> rating key."""

        def get(connection: sqlite3.Connection) -> dict[tuple[str, int], dict[str, int]]:
            found: dict[tuple[str, int], dict[str, int]] = {}
            for server, section, name, key in connection.execute("SELECT server, section, name, rating_key FROM targets"):
                found.setdefault((server, section), {})[name] = key
            return found

        return await self._database.read(get)

    # ── meta ─────────────────────────────────────────────────────────────────────────────────────────────

    async def note(self, name: str, value: object) -> None:
        """Keep one small JSON value under ``name``."""
        text = json.dumps(value)
        await self._database.write(
            lambda connection: connection.execute("INSERT OR REPLACE INTO meta (name, value) VALUES (?, ?)", (name, text))
        )

    async def noted(self, name: str) -> object:
        """What :meth:`note` kept, or None."""
        row = await self._database.read(lambda connection: connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone())
        return json.loads(row[0]) if row else None


def _runs(connection: sqlite3.Connection, where: str, values: Iterable[object]) -> list[Run]:
    found = []
    for row in connection.execute(f"SELECT id, body FROM runs {where}", tuple(values)):  # noqa: S608 - constants of this module
        try:
            found.append(codec.loads(Run, row["body"]))
        except ValueError as error:
            _log.warning("run %s in the state database cannot be read and is passed over: %s", row["id"], error)
    return found


def _briefs(connection: sqlite3.Connection, limit: int, before: str | None, state: RunState | None) -> list[RunBrief]:
    only, values = ("AND runs.state = ?", (state.value,)) if state else ("", ())
    sql = f"""SELECT runs.id, briefs.body FROM runs LEFT JOIN briefs ON briefs.run_id = runs.id
              WHERE runs.id < ? {only} ORDER BY runs.id DESC LIMIT ?"""  # noqa: S608 - constants of this function
    rows = connection.execute(sql, (before or _LAST, *values, limit)).fetchall()
    return [_brief(connection, run_id, body) for run_id, body in rows]


def _brief(connection: sqlite3.Connection, run_id: str, body: str | None) -> RunBrief:
    try:
        if body is not None:
            return codec.loads(RunBrief, body)
    except ValueError as error:
        _log.warning("the brief of run %s cannot be read: %s", run_id, error)
    for run in _runs(connection, "WHERE id = ?", (run_id,)):
        return RunBrief.of(run)
    # Whatever else is lost, a list of runs has no holes.
    row = connection.execute("SELECT * FROM runs WHERE id = ?", (run_id,)).fetchone()
    return RunBrief(
        id=run_id,
        state=RunState(row["state"]),
        started=datetime.fromtimestamp(row["started"], UTC),
        revision=row["revision"],
        errors=row["errors"],
        warnings=row["warnings"],
    )


def _put_run(connection: sqlite3.Connection, run: Run, body: str) -> None:
    connection.execute(
        """INSERT INTO runs (id, state, revision, started, ended, errors, warnings, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (id) DO UPDATE SET state = excluded.state, revision = excluded.revision, started = excluded.started,
           ended = excluded.ended, errors = excluded.errors, warnings = excluded.warnings, body = excluded.body""",
        (
            run.id,
            run.state.value,
            run.revision,
            run.started.timestamp(),
            run.ended.timestamp() if run.ended else None,
            run.errors,
            run.warnings,
            body,
        ),
    )
    connection.execute("INSERT OR REPLACE INTO briefs (run_id, body) VALUES (?, ?)", (run.id, codec.dumps(RunBrief.of(run))))
    put_blobs(connection, (blob for picture in run.pictures for blob in (picture.before, picture.after)))
    connection.execute("DELETE FROM pictures WHERE run_id = ?", (run.id,))
    connection.executemany(
        """INSERT OR REPLACE INTO pictures (run_id, target_id, position, state, before_sha256, after_sha256)
           VALUES (?, ?, ?, ?, ?, ?)""",
        (
            (
                run.id,
                picture.target.id,
                position,
                picture.state.value,
                picture.before.sha256 if picture.before else None,
                picture.after.sha256 if picture.after else None,
            )
            for position, picture in enumerate(run.pictures)
        ),
    )


def _stopped(run: Run) -> Run:
    problem = Problem(
        severity=Severity.ERROR,
        what="the daemon stopped before this run ended",
        mend="nothing to do: the config is rendered again at the next start",
        source="pipeline",
    )
    return replace(run, state=RunState.FAILED, ended=datetime.now(UTC), problems=(*run.problems, problem))
