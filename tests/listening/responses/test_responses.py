"""The file of responses: how it is opened, what it keeps of a listener, and what is gone."""

import re
import sqlite3
import threading
import unicodedata
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from snacbench.errors import StoreError
from snacbench.listening.responses import sessions
from snacbench.listening.responses.database import (
    Refused,
    one_line,
    open_responses,
    utc_text,
)
from snacbench.listening.responses.overview import read_study
from snacbench.listening.test import ANSWERS_FILE
from tests.support.listening_server import small_test
from tests.support.waiting import PATIENCE_S

HOUR_S = 3_600.0
TEST = small_test()


@pytest.fixture
def responses(tmp_path):
    return open_responses(tmp_path, TEST)


def begin(responses, *, agreed=False):
    _, token = sessions.begin(responses, TEST)
    known = sessions.known_by(responses, token)
    if agreed:
        sessions.consent(responses, known)
    return sessions.known_by(responses, token)


def rate_pages(responses, agreed, count, comment=""):
    pages = sessions.pages_for(responses, agreed)
    for page in pages[:count]:
        rated = [sessions.Rated(stimulus=key, score=50, plays=1) for key in page.stimuli]
        given = sessions.Submission(ratings=tuple(rated), comment=comment, time_s=20)
        sessions.submit(responses, TEST, agreed, page.key, given)
    return [page.key for page in pages]


def last_seen(responses, known, seconds_ago):
    with responses.transaction() as sql:
        told = (utc_text(seconds_ago), known.id)
        sql.execute("UPDATE listeners SET last_utc = ? WHERE id = ?", told)


def column(responses, name):
    with responses.transaction() as sql:
        return [row[name] for row in sql.execute("SELECT * FROM listeners ORDER BY id")]


def test_settings_of_the_file_and_transactions(tmp_path):
    responses = open_responses(tmp_path, TEST)
    with pytest.raises(sqlite3.IntegrityError), responses.transaction() as sql:
        sql.executemany("INSERT INTO facts VALUES (?, 'y')", [("x",), ("x",)])
    assert responses.fact("x") is None  # what fails leaves nothing
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
    for name, value in {**wanted, "user_version": 2}.items():
        assert responses._connection.execute(f"PRAGMA {name}").fetchone()[0] == value
    with sqlite3.connect(tmp_path / ANSWERS_FILE) as reader:  # does not hold up a writer
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM listeners").fetchall()
        writer = threading.Thread(target=begin, args=(responses,))
        writer.start()
        writer.join(timeout=PATIENCE_S)
        assert not writer.is_alive()
    reader.close()
    responses.close()
    assert [path.name for path in tmp_path.iterdir()] == [ANSWERS_FILE]


def test_texts_may_change_between_starts_and_a_design_until_somebody_began(tmp_path):
    open_responses(tmp_path, small_test(seed=1)).close()
    responses = open_responses(tmp_path, TEST)
    begin(responses)
    responses.close()
    open_responses(tmp_path, small_test(welcome="Welcome again")).close()
    with pytest.raises(StoreError, match=r"answers to another design than test.yaml now has"):
        open_responses(tmp_path, small_test(seed=1))


def test_no_file_one_of_another_version_and_one_that_is_something_else(tmp_path):
    with pytest.raises(StoreError, match=r"no answers at .*; they begin with: snacbench mushra"):
        open_responses(tmp_path, TEST, create=False)
    with pytest.raises(StoreError, match=r"no answers at .*; serve the test to collect some"):
        read_study(TEST, tmp_path)
    assert not list(tmp_path.iterdir())
    open_responses(tmp_path, TEST).close()
    with sqlite3.connect(tmp_path / ANSWERS_FILE) as sql:
        sql.execute("PRAGMA user_version = 7")
    sql.close()
    with pytest.raises(StoreError, match="has version 7, and this snacbench reads version 2"):
        open_responses(tmp_path, TEST)
    with pytest.raises(StoreError, match="of another version than 2"):
        read_study(TEST, tmp_path)
    (tmp_path / ANSWERS_FILE).write_text("no database at all, but long enough to be read " * 30)
    with pytest.raises(StoreError, match="cannot open the answers"):
        open_responses(tmp_path, TEST)
    with pytest.raises(StoreError, match="cannot read the answers"):
        read_study(TEST, tmp_path)


def test_numbers_are_consecutive_those_of_the_deleted_come_again_and_idle_ones_make_room(
    responses, monkeypatch
):
    came = [begin(responses) for _ in range(3)]
    assert [known.number for known in came] == [0, 1, 2]
    sessions.delete_listener(responses, came[2].name)
    assert [begin(responses).number for _ in range(2)] == [2, 3]
    assert column(responses, "id") == [1, 2, 4, 5]  # no id twice
    monkeypatch.setattr(sessions, "MAX_UNFINISHED", 4)
    with pytest.raises(Refused, match="Too many listeners are under way"):
        begin(responses)
    last_seen(responses, came[0], 1.1 * HOUR_S)
    agreed = begin(responses, agreed=True)
    with responses.transaction() as sql:
        sql.execute("UPDATE listeners SET consented_utc = '2020-01-01T00:00:00Z'")
    sessions.consent(responses, agreed)  # the first time counts
    assert set(column(responses, "consented_utc")) == {"2020-01-01T00:00:00Z"}


def test_numbers_of_those_who_stay_away_are_given_again(responses):
    stranger, busy = begin(responses), begin(responses, agreed=True)
    for one in (stranger, busy):
        last_seen(responses, one, 1.1 * HOUR_S)  # without consent, after an hour
    assert [begin(responses).number for _ in range(2)] == [0, 2]
    idle, trained, rated = (begin(responses, agreed=True) for _ in range(3))
    assert [one.number for one in (idle, trained, rated)] == [3, 4, 5]
    for one, count in ((idle, 0), (trained, 1), (rated, 2)):
        rate_pages(responses, one, count)
        last_seen(responses, one, 25 * HOUR_S)  # without a rated page, after a day
    assert [begin(responses).number for _ in range(3)] == [3, 4, 6]
    assert idle.id in column(responses, "id")  # and may still come back
    last_seen(responses, stranger, 8 * 24 * HOUR_S)  # who never agreed is forgotten after a week
    last_seen(responses, idle, 8 * 24 * HOUR_S)
    begin(responses)
    assert idle.id in column(responses, "id")
    assert stranger.id not in column(responses, "id")


def test_items_stay_balanced_though_some_leave(tmp_path):
    test = small_test(pages_per_listener=1)
    responses = open_responses(tmp_path, test)
    for turn in range(8):
        name, token = sessions.begin(responses, test)
        assert re.fullmatch(r"[2-9a-hjkmnp-z]{4}-[2-9a-hjkmnp-z]{4}", name)  # easy to say
        if turn % 4 == 1:
            sessions.delete_listener(responses, name)
        else:
            sessions.consent(responses, sessions.known_by(responses, token))
            rate_pages(responses, sessions.known_by(responses, token), 2)
    heard = Counter(rating.item for rating in read_study(test, tmp_path).ratings)
    assert (len(heard), set(heard.values())) == (3, {10})


def test_who_is_deleted_is_nowhere_in_the_file(tmp_path):
    def content():
        return b"".join(path.read_bytes() for path in tmp_path.iterdir())

    serving, other = open_responses(tmp_path, TEST), open_responses(tmp_path, TEST)
    kept, gone = begin(serving, agreed=True), begin(serving, agreed=True)
    keys = []
    for one, comment in ((kept, "staying put"), (gone, "unmistakable words")):
        told = {"age": "44", "phones": "yes", "note": f"a note with {comment}"}
        sessions.answer_questionnaire(serving, TEST, one, told)
        keys = rate_pages(serving, one, 3, comment)
    assert b"unmistakable words" in content()
    sessions.delete_listener(other, gone.name)  # while another process serves
    other.close()
    for trace in (gone.name, "unmistakable words", *keys):
        assert trace.encode() not in content()
    assert [one.id for one in read_study(TEST, tmp_path).listeners] == [kept.name]
    with pytest.raises(Refused, match="This session is not known; open the test anew"):
        sessions.submit(serving, TEST, gone, keys[3], sessions.Submission())
    with pytest.raises(Refused, match="There is no listener 'k7m3-p2vd' in this test"):
        sessions.delete_listener(serving, "k7m3-p2vd")


@given(st.text(st.characters(codec=None)), st.integers(1, 20))
def test_one_line_without_control_characters(typed, limit):
    kept = one_line(typed, limit)
    assert len(kept) <= limit
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in kept)
    assert len(kept.splitlines()) <= 1
    assert one_line(kept, limit) == kept
    assert one_line("  two\nlines\tand \u202espaces\x1b[2J ", 100) == "two lines and spaces[2J"
