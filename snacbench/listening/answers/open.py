"""Opening ``answers.sqlite``: its settings, its version, and whether it belongs to the test."""

from __future__ import annotations

import hashlib
import json
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from snacbench.errors import StoreError
from snacbench.listening.answers.schema import SCHEMA, VERSION
from snacbench.listening.test import ANSWERS_FILE, ListeningTest

_BUSY_S = 30.0  # longer than any deletion of another process takes
_PLAN = "plan_sha256"
_WORDS = {"title", "language", "welcome", "consent", "questionnaire", "contact", "made_by", "run"}


class Answers:
    """The open file. One connection, one transaction at a time: requests take their turn."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._connection = connection
        self._turn = threading.Lock()

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
        with self._turn:
            row = self._connection.execute("SELECT value FROM facts WHERE name = ?", (name,))
            found = row.fetchone()
        return None if found is None else str(found["value"])

    def set_fact(self, name: str, value: str) -> None:
        """Keep a fact in place of what was there."""
        with self.transaction() as sql:
            sql.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))

    def close(self) -> None:
        """Close the file; the log beside it is merged into it and removed."""
        with self._turn:
            self._connection.close()


def plan_sha256(test: ListeningTest) -> str:
    """Digest of all in a test that answers depend on: everything but the words around it."""
    told = test.model_dump(mode="json", exclude=_WORDS)
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def open_answers(folder: Path, test: ListeningTest, *, create: bool = True) -> Answers:
    """Open the answers of the test in a folder, or begin them.

    Raises
    ------
    StoreError
        If the file is no store of answers, of another version or design, cannot be opened, or is
        not there and `create` is False.
    """
    path = folder / ANSWERS_FILE
    if not create and not path.exists():
        raise StoreError(f"no answers at {path}; they begin with: snacbench mushra serve {folder}")
    try:
        connection = _connected(path)
        answers = Answers(path, connection)
        _begin_or_check(answers, connection, test)
    except sqlite3.Error as error:
        raise StoreError(f"cannot open the answers {path} ({error})") from error
    return answers


def _connected(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False
    )
    connection.row_factory = sqlite3.Row
    # FULL: a commit has reached the disk, not only the log's buffer, when it returns.
    for setting in (
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        "PRAGMA foreign_keys = ON",
        "PRAGMA secure_delete = ON",
        "PRAGMA trusted_schema = OFF",
    ):
        connection.execute(setting)
    return connection


def _begin_or_check(answers: Answers, sql: sqlite3.Connection, test: ListeningTest) -> None:
    version = sql.execute("PRAGMA user_version").fetchone()[0]
    tables = sql.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if not version and not tables:
        sql.executescript(f"BEGIN IMMEDIATE;{SCHEMA}COMMIT;")
        answers.set_fact(_PLAN, plan_sha256(test))
        return
    if version != VERSION:
        answers.close()
        raise StoreError(
            f"{answers.path} has version {version}, and this snacbench reads version {VERSION}; "
            "use the snacbench that began it, or move it away"
        )
    if answers.fact(_PLAN) == plan_sha256(test):
        return
    if sql.execute("SELECT 1 FROM listeners LIMIT 1").fetchone():
        answers.close()
        raise StoreError(
            f"{answers.path} holds answers to another design than test.yaml now has; restore "
            "test.yaml, or move the answers away and begin anew"
        )
    answers.set_fact(_PLAN, plan_sha256(test))  # nobody has begun: the test may still change


@contextmanager
def read_only(path: Path) -> Iterator[sqlite3.Connection]:
    """One unchanging view of the answers, also while a server writes on.

    Raises
    ------
    StoreError
        If there are none, or the file cannot be read.
    """
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
