-- The file of a test's answers, answers.sqlite.

CREATE TABLE facts (
    name TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE listeners (
    id INTEGER PRIMARY KEY AUTOINCREMENT,  -- never given twice
    name TEXT NOT NULL UNIQUE,
    token_sha256 TEXT NOT NULL UNIQUE,
    number INTEGER NOT NULL CHECK (number >= 0),
    started_utc TEXT NOT NULL,
    last_utc TEXT NOT NULL,
    consented_utc TEXT,
    answered_utc TEXT,
    finished_utc TEXT,
    planned INTEGER NOT NULL,                                   -- pages, without training
    rated INTEGER NOT NULL DEFAULT 0 CHECK (rated <= planned),  -- of those
    questionnaire TEXT NOT NULL DEFAULT '{}',                   -- JSON, by question
    came_with TEXT NOT NULL DEFAULT '{}',                       -- JSON, by parameter
    pages TEXT NOT NULL                                         -- JSON, of `AssignedPage`
) STRICT;

-- Recent are those who were seen within an hour, or agreed and were seen within a day; here those
-- and whoever finished. Whoever did not agree is forgotten after a week.
CREATE VIEW present AS
SELECT *, recent OR finished_utc IS NOT NULL AS here
FROM (
    SELECT
        id, name, number, rated, finished_utc,
        last_utc >= strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 hour') OR (
            consented_utc IS NOT NULL
            AND last_utc >= strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-1 day')
        ) AS recent,
        consented_utc IS NULL
            AND last_utc < strftime('%Y-%m-%dT%H:%M:%SZ', 'now', '-7 days') AS forgotten
    FROM listeners
);

CREATE TABLE invitations (
    code_sha256 TEXT PRIMARY KEY,
    used INTEGER NOT NULL DEFAULT 0 CHECK (used IN (0, 1)),
    listener INTEGER REFERENCES listeners ON DELETE SET NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX invitations_of_listener ON invitations (listener);
