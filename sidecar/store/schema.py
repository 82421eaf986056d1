"""The database's tables, as a list of migrations: entry N brings ``user_version`` N to N + 1. Entries never change."""

from __future__ import annotations

from typing import Final

MIGRATIONS: Final[tuple[str, ...]] = (
    """
    CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;

    -- Files of the blob store that something here speaks of.
    CREATE TABLE blobs (
        sha256 TEXT PRIMARY KEY,
        size INTEGER NOT NULL,
        media_type TEXT NOT NULL,
        width INTEGER NOT NULL,
        height INTEGER NOT NULL
    ) WITHOUT ROWID;

    -- body is the whole Run as JSON; the columns are for finding it. Ids sort by time.
    CREATE TABLE runs (
        id TEXT PRIMARY KEY,
        state TEXT NOT NULL,
        revision TEXT NOT NULL,
        started REAL NOT NULL,
        ended REAL,
        errors INTEGER NOT NULL,
        warnings INTEGER NOT NULL,
        body TEXT NOT NULL
    );
    CREATE INDEX runs_state ON runs (state, id);

    CREATE TABLE pictures (
        run_id TEXT NOT NULL REFERENCES runs (id) ON DELETE CASCADE,
        target_id TEXT NOT NULL,
        position INTEGER NOT NULL,
        state TEXT NOT NULL,
        before_sha256 TEXT REFERENCES blobs (sha256),
        after_sha256 TEXT REFERENCES blobs (sha256),
        PRIMARY KEY (run_id, target_id)
    ) WITHOUT ROWID;
    CREATE INDEX pictures_target ON pictures (target_id, run_id);
    CREATE INDEX pictures_before ON pictures (before_sha256);
    CREATE INDEX pictures_after ON pictures (after_sha256);

    -- What targets resolved to: server is Plex's machine identifier, name is the chooser's own.
    CREATE TABLE targets (
        server TEXT NOT NULL,
        section INTEGER NOT NULL,
        name TEXT NOT NULL,
        rating_key INTEGER NOT NULL,
        PRIMARY KEY (server, section, name)
    ) WITHOUT ROWID;

    -- Every approval and withdrawal; the newest row of a target counts. No sha256: withdrawn.
    CREATE TABLE baselines (
        id INTEGER PRIMARY KEY,
        target_id TEXT NOT NULL,
        sha256 TEXT REFERENCES blobs (sha256),
        run_id TEXT NOT NULL,
        who TEXT NOT NULL,
        at REAL NOT NULL
    );
    CREATE INDEX baselines_target ON baselines (target_id, id);
    CREATE INDEX baselines_blob ON baselines (sha256);

    CREATE TABLE outbox (
        id TEXT PRIMARY KEY,
        destination TEXT NOT NULL,
        body TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('pending', 'claimed', 'sent', 'dead')),
        attempts INTEGER NOT NULL DEFAULT 0,
        next_try REAL NOT NULL,
        created REAL NOT NULL,
        error TEXT NOT NULL DEFAULT ''
    );
    CREATE INDEX outbox_due ON outbox (state, next_try);
    """,
    """
    -- A run without its pictures, as JSON: lists of runs never touch the big bodies. A run older than this table has none.
    CREATE TABLE briefs (
        run_id TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
        body TEXT NOT NULL
    ) WITHOUT ROWID;
    """,
    """
    -- Rejections beside approvals, decided by the batch, undone but kept.
    ALTER TABLE baselines ADD COLUMN verdict TEXT NOT NULL DEFAULT 'approved';
    ALTER TABLE baselines ADD COLUMN batch TEXT NOT NULL DEFAULT '';
    ALTER TABLE baselines ADD COLUMN undone_by TEXT NOT NULL DEFAULT '';
    ALTER TABLE baselines ADD COLUMN undone_at REAL;
    CREATE INDEX baselines_batch ON baselines (batch);

    -- How a run's pictures compared with what was approved when it ended, as JSON.
    CREATE TABLE reviews (
        run_id TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
        at REAL NOT NULL,
        body TEXT NOT NULL
    ) WITHOUT ROWID;

    -- Pictures that a review shows beside the run's own: references and masks.
    CREATE TABLE review_blobs (
        run_id TEXT NOT NULL REFERENCES reviews (run_id) ON DELETE CASCADE,
        sha256 TEXT NOT NULL REFERENCES blobs (sha256),
        PRIMARY KEY (run_id, sha256)
    ) WITHOUT ROWID;
    CREATE INDEX review_blobs_blob ON review_blobs (sha256);
    """,
    """
    -- Letters know what they are about (event, topic), when they were first due, and what the receiver calls them.
    ALTER TABLE outbox RENAME TO old_outbox;
    DROP INDEX outbox_due;
    CREATE TABLE outbox (
        number INTEGER PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        destination TEXT NOT NULL,
        event TEXT NOT NULL DEFAULT '',
        topic TEXT NOT NULL DEFAULT '',
        body TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('pending', 'claimed', 'sent', 'dead', 'dropped')),
        attempts INTEGER NOT NULL DEFAULT 0,
        next_try REAL NOT NULL,
        due REAL NOT NULL,
        created REAL NOT NULL,
        error TEXT NOT NULL DEFAULT '',
        remote TEXT NOT NULL DEFAULT ''
    );
    INSERT INTO outbox (id, destination, body, state, attempts, next_try, due, created, error)
        SELECT id, destination, body, state, attempts, next_try, created, created, error FROM old_outbox ORDER BY created, id;
    DROP TABLE old_outbox;
    CREATE INDEX outbox_due ON outbox (destination, state, next_try);
    CREATE INDEX outbox_topic ON outbox (destination, topic, number);

    -- Destinations that are sent nothing until somebody mends them.
    CREATE TABLE closed (
        destination TEXT PRIMARY KEY,
        why TEXT NOT NULL,
        since REAL NOT NULL,
        mark TEXT NOT NULL
    ) WITHOUT ROWID;
    """,
    """
    -- Who drew what was decided on: a draft is never taken for Kometa's picture.
    ALTER TABLE baselines ADD COLUMN engine TEXT NOT NULL DEFAULT 'kometa';
    """,
    """
    -- What Plex showed of each target when it was last looked at; thumb is Plex's path of the poster.
    CREATE TABLE plex_art (
        target_id TEXT PRIMARY KEY,
        thumb TEXT NOT NULL,
        sha256 TEXT NOT NULL REFERENCES blobs (sha256),
        at REAL NOT NULL
    ) WITHOUT ROWID;
    CREATE INDEX plex_art_blob ON plex_art (sha256);
    """,
    """
    -- A target's past is read from the index alone: its rows lie far apart in the table.
    CREATE INDEX pictures_past ON pictures (target_id, run_id, state, after_sha256, before_sha256);
    DROP INDEX pictures_target;
    """,
    """
    -- Without a rowid, a review's whole body lay in the tree that each row of review_blobs is looked up in, and SQLite reads
    -- every body that it passes there. What refers to a table goes before it: dropping one deletes, and deleting cascades.
    ALTER TABLE reviews RENAME TO old_reviews;
    ALTER TABLE review_blobs RENAME TO old_review_blobs;
    DROP INDEX review_blobs_blob;
    CREATE TABLE reviews (
        run_id TEXT PRIMARY KEY REFERENCES runs (id) ON DELETE CASCADE,
        at REAL NOT NULL,
        body TEXT NOT NULL
    );
    CREATE TABLE review_blobs (
        run_id TEXT NOT NULL REFERENCES reviews (run_id) ON DELETE CASCADE,
        sha256 TEXT NOT NULL REFERENCES blobs (sha256),
        PRIMARY KEY (run_id, sha256)
    ) WITHOUT ROWID;
    INSERT INTO reviews (run_id, at, body) SELECT run_id, at, body FROM old_reviews ORDER BY run_id;
    INSERT INTO review_blobs (run_id, sha256) SELECT run_id, sha256 FROM old_review_blobs;
    DROP TABLE old_review_blobs;
    DROP TABLE old_reviews;
    CREATE INDEX review_blobs_blob ON review_blobs (sha256);
    """,
)
