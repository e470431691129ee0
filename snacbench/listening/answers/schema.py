"""The tables of ``answers.sqlite``.

Everything hangs on a listener: whoever is deleted there is gone everywhere. A listener's pages and
their conditions are written down before anything is heard, so that the file alone says who heard
what, in which order.
"""

from __future__ import annotations

VERSION = 1

SCHEMA = f"""
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
    finished_utc TEXT
) STRICT;

CREATE TABLE invitations (
    code_sha256 TEXT PRIMARY KEY,
    used INTEGER NOT NULL DEFAULT 0 CHECK (used IN (0, 1)),
    listener INTEGER REFERENCES listeners ON DELETE SET NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX invitations_of_listener ON invitations (listener);

CREATE TABLE questionnaire (
    listener INTEGER NOT NULL REFERENCES listeners ON DELETE CASCADE,
    question TEXT NOT NULL,
    answer TEXT NOT NULL,
    PRIMARY KEY (listener, question)
) STRICT, WITHOUT ROWID;

CREATE TABLE pages (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    listener INTEGER NOT NULL REFERENCES listeners ON DELETE CASCADE,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('mushra', 'ab', 'abx')),
    item TEXT NOT NULL,
    training INTEGER NOT NULL CHECK (training IN (0, 1)),
    submitted_utc TEXT,
    answer TEXT CHECK (answer IN ('a', 'b', 'tie')),
    time_s REAL,
    comment TEXT NOT NULL DEFAULT '',
    playback TEXT NOT NULL DEFAULT '',
    UNIQUE (listener, number)
) STRICT;

-- `place` is the order on the page; the open reference of a MUSHRA page has none.
CREATE TABLE stimuli (
    id INTEGER PRIMARY KEY,
    key TEXT NOT NULL UNIQUE,
    page INTEGER NOT NULL REFERENCES pages ON DELETE CASCADE,
    place INTEGER,
    condition TEXT NOT NULL,
    UNIQUE (page, place)
) STRICT;

CREATE TABLE ratings (
    stimulus INTEGER PRIMARY KEY REFERENCES stimuli ON DELETE CASCADE,
    score INTEGER NOT NULL CHECK (score BETWEEN 0 AND 100),
    plays INTEGER NOT NULL CHECK (plays >= 0)
) STRICT;

PRAGMA user_version = {VERSION};
"""
