from __future__ import annotations

import sqlite3
import threading
from pathlib import Path

import pytest

from snacbench.errors import StoreError
from snacbench.listening.answers.listeners import begin
from snacbench.listening.answers.open import open_answers
from snacbench.listening.answers.study import read_study
from snacbench.listening.test import ANSWERS_FILE
from tests.listening.server.folders import small_test


def test_settings_of_the_file(tmp_path: Path) -> None:
    answers = open_answers(tmp_path, small_test())
    settings = {
        name: answers._connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete", "user_version")
    }
    assert settings == {
        "journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1,
        "user_version": 1,
    }  # fmt: skip


def test_one_file_remains_when_closed(tmp_path: Path) -> None:
    answers = open_answers(tmp_path, small_test())
    begin(answers, small_test())
    answers.close()
    assert [path.name for path in tmp_path.iterdir()] == [ANSWERS_FILE]


def test_what_fails_leaves_nothing(tmp_path: Path) -> None:
    answers = open_answers(tmp_path, small_test())

    def fail() -> None:
        with answers.transaction() as sql:
            sql.execute("INSERT INTO facts VALUES ('x', 'y')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert answers.fact("x") is None


def test_texts_may_change_between_starts(tmp_path: Path) -> None:
    answers = open_answers(tmp_path, small_test())
    begin(answers, small_test())
    answers.close()
    open_answers(tmp_path, small_test(welcome="Welcome again", contact="me")).close()


def test_another_design_is_refused_once_somebody_began(tmp_path: Path) -> None:
    open_answers(tmp_path, small_test()).close()
    other = small_test(seed=1)
    answers = open_answers(tmp_path, other)
    begin(answers, other)
    answers.close()
    with pytest.raises(StoreError, match=r"answers to another design than test.yaml now has"):
        open_answers(tmp_path, small_test())


def test_another_version(tmp_path: Path) -> None:
    open_answers(tmp_path, small_test()).close()
    with sqlite3.connect(tmp_path / ANSWERS_FILE) as sql:
        sql.execute("PRAGMA user_version = 7")
    with pytest.raises(StoreError, match="has version 7, and this snacbench reads version 1"):
        open_answers(tmp_path, small_test())
    with pytest.raises(StoreError, match="of another version than 1"):
        read_study(small_test(), tmp_path)


def test_a_file_that_is_something_else(tmp_path: Path) -> None:
    (tmp_path / ANSWERS_FILE).write_text("no database at all, but long enough to be read " * 30)
    with pytest.raises(StoreError, match="cannot open the answers"):
        open_answers(tmp_path, small_test())
    with pytest.raises(StoreError, match="cannot read the answers"):
        read_study(small_test(), tmp_path)


def test_no_answers_yet(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no answers at .*; they begin with: snacbench mushra"):
        open_answers(tmp_path, small_test(), create=False)
    with pytest.raises(StoreError, match=r"no answers at .*; serve the test to collect some"):
        read_study(small_test(), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_reader_does_not_hold_up_a_writer(tmp_path: Path) -> None:
    answers = open_answers(tmp_path, small_test())
    begin(answers, small_test())
    with sqlite3.connect(tmp_path / ANSWERS_FILE) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM listeners").fetchall()
        writer = threading.Thread(target=begin, args=(answers, small_test()))
        writer.start()
        writer.join(timeout=5)
        assert not writer.is_alive()
