"""What is known of past runs without reading them whole: their reviews, and each target's pictures."""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sidecar.errors import StoreError
from sidecar.model import Blob, PictureState, RunBrief, RunState
from sidecar.review import Moment, RunReview
from sidecar.store import codec
from sidecar.store.database import Database
from sidecar.store.rows import put_blobs

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunWeight:
    """What retention looks at."""

    id: str
    state: RunState
    started: float
    """Seconds since 1970."""
    revision: str
    size: int
    """Bytes of its pictures that no newer run shows."""


class History:
    """The history's part of :class:`sidecar.store.state.State`."""

    _database: Database

    async def save_review(self, review: RunReview) -> None:
        """Keep ``review`` with its run; passed over where the run was forgotten meanwhile."""
        shown: list[Blob | None] = []
        for target in review.targets:
            shown += [target.shown, target.reference, target.comparison.mask if target.comparison else None]

        def put(connection: sqlite3.Connection) -> None:
            if connection.execute("SELECT 1 FROM runs WHERE id = ?", (review.run_id,)).fetchone() is None:
                return
            connection.execute("DELETE FROM reviews WHERE run_id = ?", (review.run_id,))
            connection.execute(
                "INSERT INTO reviews (run_id, at, body) VALUES (?, ?, ?)", (review.run_id, review.at.timestamp(), codec.dumps(review))
            )
            brief = _brief(connection.execute("SELECT body FROM briefs WHERE run_id = ?", (review.run_id,)).fetchone())
            if brief is not None:
                brief = replace(brief, counts=review.counts, edit=review.edit.brief if review.edit else None)
                connection.execute("UPDATE briefs SET body = ? WHERE run_id = ?", (codec.dumps(brief), review.run_id))
            put_blobs(connection, shown)
            connection.executemany(
                "INSERT OR IGNORE INTO review_blobs (run_id, sha256) VALUES (?, ?)",
                [(review.run_id, blob.sha256) for blob in shown if blob],
            )

        await self._database.write(put, durable=True)

    async def review(self, run_id: str) -> RunReview | None:
        """The run's review, or None. StoreError where it cannot be read."""
        row = await self._database.read(
            lambda connection: connection.execute("SELECT body FROM reviews WHERE run_id = ?", (run_id,)).fetchone()
        )
        try:
            return codec.loads(RunReview, row["body"]) if row else None
        except ValueError as error:
            raise StoreError(f"the review of run {run_id} in the state database cannot be read: {error}") from error

    async def unreviewed(self, limit: int = 10) -> list[str]:
        """Ids of the newest DONE runs that nobody compared: what a crash interrupted."""
        sql = """SELECT id FROM runs WHERE state = ? AND NOT EXISTS (SELECT 1 FROM reviews WHERE run_id = runs.id)
                 AND id > coalesce((SELECT max(run_id) FROM reviews), '') ORDER BY id DESC LIMIT ?"""
        return await self._database.read(lambda connection: [row["id"] for row in connection.execute(sql, (RunState.DONE.value, limit))])

    async def newest_good(self, before: str = "") -> str:
        """Id of the newest DONE run, older than ``before`` where given; empty where there is none."""
        row = await self._database.read(
            lambda connection: connection.execute(
                "SELECT max(id) FROM runs WHERE state = ? AND (? = '' OR id < ?)", (RunState.DONE.value, before, before)
            ).fetchone()
        )
        return row[0] or ""

    async def weights(self) -> list[RunWeight]:
        """All runs, newest first."""
        sql = """WITH shown (run_id, sha256) AS (
                     SELECT run_id, before_sha256 FROM pictures WHERE before_sha256 IS NOT NULL
                     UNION ALL SELECT run_id, after_sha256 FROM pictures WHERE after_sha256 IS NOT NULL
                     UNION ALL SELECT run_id, sha256 FROM review_blobs
                 ), newest (run_id, sha256) AS (SELECT max(run_id), sha256 FROM shown GROUP BY sha256)
                 SELECT runs.id, runs.state, runs.started, runs.revision, coalesce(weight.size, 0) AS size FROM runs
                 LEFT JOIN (SELECT run_id, sum(size) AS size FROM newest JOIN blobs USING (sha256) GROUP BY run_id) AS weight
                 ON weight.run_id = runs.id ORDER BY runs.id DESC"""
        return await self._database.read(
            lambda connection: [
                RunWeight(id=row["id"], state=RunState(row["state"]), started=row["started"], revision=row["revision"], size=row["size"])
                for row in connection.execute(sql)
            ]
        )

    async def target_ids(self) -> frozenset[str]:
        """Every ``Target.id`` that a kept run knows."""
        return await self._database.read(
            lambda connection: frozenset(row[0] for row in connection.execute("SELECT DISTINCT target_id FROM pictures"))
        )

    async def moments(self, target_id: str, limit: int = 200) -> list[Moment]:
        """The target's pictures in DONE runs, newest first, consecutive equal ones as one."""
        return await self._database.read(lambda connection: _moments(connection, target_id, limit))


def _moments(connection: sqlite3.Connection, target_id: str, limit: int) -> list[Moment]:
    # First only what tells the pictures apart, from indexes: a target may be in thousands of runs.
    sql = """SELECT run_id, coalesce(after_sha256, CASE WHEN state IN (?, ?) THEN before_sha256 END) AS shown FROM pictures
             WHERE target_id = ? AND shown IS NOT NULL
             AND EXISTS (SELECT 1 FROM runs INDEXED BY runs_state WHERE runs.state = ? AND runs.id = run_id) ORDER BY run_id DESC"""
    values = (PictureState.UNTOUCHED.value, PictureState.REUSED.value, target_id, RunState.DONE.value)
    found: list[tuple[str, str, str, int]] = []
    """First run, last run, sha256, how many."""
    for run_id, shown in connection.execute(sql, values):
        if found and found[-1][2] == shown:
            found[-1] = (run_id, found[-1][1], shown, found[-1][3] + 1)
        elif len(found) == limit:
            break
        else:
            found.append((run_id, run_id, shown, 1))
    moments = []
    for first, last, _, runs in found:
        row = connection.execute(_MOMENT, (target_id, first)).fetchone()
        moment, brief = _moment(row), _brief(row)
        if moment is not None:
            engine = brief.engine.kind if brief and brief.engine else ""
            moments.append(replace(moment, runs=runs, last_run=last, engine=engine, edit=brief.edit if brief else None))
    return moments


_MOMENT = """SELECT runs.id, runs.started, runs.revision, pictures.state, briefs.body,
                    a.sha256 AS a_sha, a.size AS a_size, a.media_type AS a_type, a.width AS a_width, a.height AS a_height,
                    b.sha256 AS b_sha, b.size AS b_size, b.media_type AS b_type, b.width AS b_width, b.height AS b_height
             FROM pictures JOIN runs ON runs.id = pictures.run_id LEFT JOIN briefs ON briefs.run_id = runs.id
             LEFT JOIN blobs a ON a.sha256 = pictures.after_sha256 LEFT JOIN blobs b ON b.sha256 = pictures.before_sha256
             WHERE pictures.target_id = ? AND pictures.run_id = ?"""


def _brief(row: sqlite3.Row | None) -> RunBrief | None:
    try:
        return codec.loads(RunBrief, row["body"]) if row and row["body"] else None
    except ValueError as error:
        _log.warning("a run's brief in the state database cannot be read and is passed over: %s", error)
        return None


def _moment(row: sqlite3.Row) -> Moment | None:
    after, before = _blob(row, "a"), _blob(row, "b")
    bare = row["state"] in (PictureState.UNTOUCHED.value, PictureState.REUSED.value)
    shown = after or (before if bare else None)
    if shown is None:
        return None
    return Moment(
        blob=shown,
        before=before,
        state=row["state"],
        run_id=row["id"],
        started=datetime.fromtimestamp(row["started"], UTC),
        revision=row["revision"],
        runs=1,
        last_run=row["id"],
    )


def _blob(row: sqlite3.Row, name: str) -> Blob | None:
    if row[f"{name}_sha"] is None:
        return None
    return Blob(
        sha256=row[f"{name}_sha"],
        size=row[f"{name}_size"],
        media_type=row[f"{name}_type"],
        width=row[f"{name}_width"],
        height=row[f"{name}_height"],
    )
