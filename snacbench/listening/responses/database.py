"""The file ``answers.sqlite``: its tables, opening it, and what may be written into it.

All that is kept of a listener is one row: whoever is deleted is gone. Their pages and conditions
are written down before anything is heard, so that the file alone says who heard what, in which
order.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
import unicodedata
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from snacbench.errors import StoreError, UserError
from snacbench.listening.test import ANSWERS_FILE, ListeningTest

VERSION = 2
_BUSY_S = 30.0  # longer than any deletion of another process takes
_PLAN = "plan_sha256"
_WORDS = {"title", "language", "welcome", "consent", "questionnaire", "contact", "made_by", "run"}
# Marks that turn the direction of writing: in a table they make a cell look like another.
_TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")

_SCHEMA = f"""
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
    questionnaire TEXT NOT NULL DEFAULT '{{}}',                   -- JSON, by question
    pages TEXT NOT NULL                                         -- JSON, of `sessions.AssignedPage`
) STRICT;

CREATE TABLE invitations (
    code_sha256 TEXT PRIMARY KEY,
    used INTEGER NOT NULL DEFAULT 0 CHECK (used IN (0, 1)),
    listener INTEGER REFERENCES listeners ON DELETE SET NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX invitations_of_listener ON invitations (listener);

PRAGMA user_version = {VERSION};
"""


class Refused(UserError):
    """A request that the test cannot grant.

    `status` and `headers` are those of the HTTP answer; `code` is a word by which the page knows
    what happened, such as ``order``.
    """

    def __init__(self, status: int, code: str, sentence: str, **headers: str) -> None:
        super().__init__(sentence)
        self.status, self.code, self.headers = status, code, headers


class Responses:
    """The open file. One connection, one transaction at a time: requests take their turn."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path, self._connection, self._turn = path, connection, threading.Lock()

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All that happens inside is on the disk when this ends, or nothing of it."""
        with self._turn:
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield self._connection
            except BaseException:
                self._connection.execute("ROLLBACK")
                raise
            self._connection.execute("COMMIT")

    def wipe(self) -> None:
        """Make sure that what was deleted is nowhere in the file or its log any more."""
        with self._turn:
            self._connection.execute("VACUUM")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def fact(self, name: str) -> str | None:
        """A fact about the whole test, such as the digest of the admin's token."""
        with self.transaction() as sql:
            row = sql.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row["value"])

    def set_fact(self, name: str, value: str) -> None:
        """Keep a fact in place of what was there."""
        with self.transaction() as sql:
            sql.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def close(self) -> None:
        """Close the file; the log beside it is merged into it and removed."""
        with self._turn:
            self._connection.close()


def open_responses(folder: Path, test: ListeningTest, *, create: bool = True) -> Responses:
    """Open the responses to the test in a folder, or begin them.

    `StoreError` if the file is no store of responses, of another version or design, cannot be
    opened, or is not there and `create` is False.
    """
    path = folder / ANSWERS_FILE
    if not create and not path.exists():
        raise StoreError(f"no answers at {path}; they begin with: snacbench mushra serve {folder}")
    try:
        sql = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
        sql.row_factory = sqlite3.Row
        # FULL: a commit has reached the disk, not only the log's buffer, when it returns.
        sql.executescript(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
            "PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF;"
        )
        responses = Responses(path, sql)
        version = sql.execute("PRAGMA user_version").fetchone()[0]
        if not version and not sql.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]:
            sql.executescript(f"BEGIN IMMEDIATE;{_SCHEMA}COMMIT;")
        elif version != VERSION:
            responses.close()
            raise StoreError(
                f"{path} has version {version}, and this snacbench reads version {VERSION}; "
                "use the snacbench that began it, or move it away"
            )
        if responses.fact(_PLAN) != plan_sha256(test):
            if sql.execute("SELECT 1 FROM listeners LIMIT 1").fetchone():
                responses.close()
                raise StoreError(
                    f"{path} holds answers to another design than test.yaml now has; restore "
                    "test.yaml, or move the answers away and begin anew"
                )
            responses.set_fact(_PLAN, plan_sha256(test))  # nobody has begun: it may still change
    except sqlite3.Error as error:
        raise StoreError(f"cannot open the answers {path} ({error})") from error
    return responses


@contextmanager
def read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """One unchanging view of the responses, also while a server writes on; or `StoreError`."""
    if not path.is_file():
        raise StoreError(f"no answers at {path}; serve the test to collect some")
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as sql:
            sql.row_factory = sqlite3.Row
            sql.execute("BEGIN")
            if sql.execute("PRAGMA user_version").fetchone()[0] != VERSION:
                raise StoreError(f"{path} is of another version than {VERSION}, which is read here")
            yield sql
    except sqlite3.Error as error:
        raise StoreError(f"cannot read the answers {path} ({error})") from error


def plan_sha256(test: ListeningTest) -> str:
    """Digest of all in a test that responses depend on: everything but the words around it."""
    told = test.model_dump(mode="json", exclude=_WORDS)
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def token_digest(token: str) -> str:
    """What is kept of a token; no salt and no slow hash, which 256 random bits do not need."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def utc_text(seconds_ago: float = 0.0) -> str:
    """A moment in an order that is also alphabetical: ``2026-03-01T12:00:00Z``."""
    return (datetime.now(UTC) - timedelta(seconds=seconds_ago)).strftime("%Y-%m-%dT%H:%M:%SZ")


def one_line(text: str, limit: int) -> str:
    """What somebody typed, on one line, without control characters, cut to `limit` characters."""
    spaced = "".join(" " if character.isspace() else character for character in text)
    kept = (c for c in spaced if c not in _TURNING and unicodedata.category(c) not in ("Cc", "Cs"))
    return " ".join("".join(kept).split())[:limit].rstrip()
