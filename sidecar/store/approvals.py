"""What people decided: approvals and rejections, by the batch, undone but never removed."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from sidecar.review import Decision, Standing, Verdict
from sidecar.store.database import Database
from sidecar.store.rows import blob_of, put_blobs

UNDO: Final = 5
"""How many approvals of a target keep their pictures, the one that counts included: what undo can go back to."""

_DECISIONS: Final = "SELECT baselines.*, blobs.size, blobs.media_type, blobs.width, blobs.height FROM baselines JOIN blobs USING (sha256)"


class Approvals:
    """The decisions' part of :class:`sidecar.store.state.State`."""

    _database: Database

    async def decide(self, decisions: Sequence[Decision]) -> None:
        """Keep ``decisions``, all or none. Once this returns, neither a crash nor a power cut takes them."""

        def put(connection: sqlite3.Connection) -> None:
            put_blobs(connection, (decision.blob for decision in decisions))
            connection.executemany(
                "INSERT INTO baselines (target_id, sha256, run_id, who, at, verdict, batch, engine) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [(d.target, d.blob.sha256, d.run_id, d.who, d.at.timestamp(), d.verdict.value, d.batch, d.engine) for d in decisions],
            )

        await self._database.write(put, durable=True)

    async def undo(self, batch: str, *, who: str, at: datetime) -> list[Decision]:
        """Take back what was decided in ``batch``; returns it. Empty where there is no such batch, or it was undone before."""

        def take_back(connection: sqlite3.Connection) -> list[Decision]:
            rows = connection.execute(f"{_DECISIONS} WHERE batch = ? AND undone_at IS NULL ORDER BY id", (batch,)).fetchall()
            connection.execute(
                "UPDATE baselines SET undone_by = ?, undone_at = ? WHERE batch = ? AND undone_at IS NULL", (who, at.timestamp(), batch)
            )
            return [replace(_decision(row), undone_by=who, undone_at=at) for row in rows]

        return await self._database.write(take_back, durable=True)

    async def last_batch(self) -> list[Decision]:
        """The newest batch that was not undone; empty where there is none."""
        sql = f"{_DECISIONS} WHERE batch = (SELECT batch FROM baselines WHERE undone_at IS NULL ORDER BY id DESC LIMIT 1) ORDER BY id"  # noqa: S608 - a constant
        return await self._database.read(lambda connection: [_decision(row) for row in connection.execute(sql)])

    async def decisions(self, target_id: str = "", *, limit: int = 50, before: str = "") -> list[Decision]:
        """The newest decisions, undone ones too, newest first: of one target, or of all. ``before`` leaves out that batch and newer."""
        sql = f"{_DECISIONS} WHERE (? = '' OR target_id = ?) AND (? = '' OR batch < ?) ORDER BY id DESC LIMIT ?"
        return await self._database.read(
            lambda connection: [_decision(row) for row in connection.execute(sql, (target_id, target_id, before, before, limit))]
        )

    async def standings(self) -> dict[str, Standing]:
        """Where each target stands that was ever decided on, by ``Target.id``."""

        def newest(connection: sqlite3.Connection, where: str) -> dict[str, Decision]:
            sql = f"{_DECISIONS} WHERE id IN (SELECT max(id) FROM baselines WHERE undone_at IS NULL {where} GROUP BY target_id)"  # noqa: S608 - constants
            return {row["target_id"]: _decision(row) for row in connection.execute(sql)}

        def get(connection: sqlite3.Connection) -> dict[str, Standing]:
            approved = newest(connection, "AND verdict = 'approved'")
            return {
                target: Standing(target=target, baseline=approved.get(target), last=last) for target, last in newest(connection, "").items()
            }

        return await self._database.read(get)


KEPT: Final = f"""
    SELECT sha256 FROM (
        SELECT sha256, row_number() OVER (PARTITION BY target_id ORDER BY id DESC) AS age FROM baselines
        WHERE undone_at IS NULL AND verdict = 'approved' AND sha256 IS NOT NULL
    ) WHERE age <= {UNDO}
"""  # noqa: S608 - a constant
"""The baselines that count, and those that undo can go back to."""


def _decision(row: sqlite3.Row) -> Decision:
    return Decision(
        batch=row["batch"],
        target=row["target_id"],
        verdict=Verdict(row["verdict"]),
        blob=blob_of(row),
        run_id=row["run_id"],
        who=row["who"],
        at=datetime.fromtimestamp(row["at"], UTC),
        engine=row["engine"],
        undone_by=row["undone_by"],
        undone_at=datetime.fromtimestamp(row["undone_at"], UTC) if row["undone_at"] is not None else None,
    )
