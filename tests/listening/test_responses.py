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
from snacbench.listening import responses as sessions
from snacbench.listening.responses import Refused, one_line, open_responses, read_study, utc_text
from snacbench.listening.test import ANSWERS_FILE
from tests.support.listening_server import small_test
from tests.support.waiting import PATIENCE_S

HOUR_S = 3_600.0
TEST = small_test()


@pytest.fixture
def responses(tmp_path):
    return open_responses(tmp_path, TEST)


def begin(responses, *, agreed=False):
    name, token = sessions.begin(responses, TEST)
    assert re.fullmatch(r"[2-9a-hjkmnp-z]{4}-[2-9a-hjkmnp-z]{4}", name)  # easy to say
    if agreed:
        sessions.consent(responses, token)
    return token


def row_of(responses, token):
    with sessions.session(responses, token) as row:
        return row


def numbers(responses, *tokens, new=0):
    tokens = (*tokens, *(begin(responses) for _ in range(new)))
    return [row_of(responses, token).number for token in tokens]


def rate_pages(responses, token, count, comment=""):
    pages = row_of(responses, token).pages
    for page in pages[:count]:
        rated = tuple(sessions.Rated(stimulus=key, score=50) for key in page.stimuli)
        heard = dict.fromkeys(page.stimuli, sessions.Heard(plays=1, heard_s=0.5))
        given = sessions.Submission(ratings=rated, heard=heard, comment=comment, time_s=20)
        sessions.submit(responses, TEST, token, page.key, given)
    return [page.key for page in pages]


def last_seen(responses, token, seconds_ago):
    told = (utc_text(seconds_ago), row_of(responses, token).id)
    with responses.transaction() as sql:
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
    for name, value in {**wanted, "user_version": 3}.items():
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
    with pytest.raises(StoreError, match=r"no answers at .*; they begin with: snacbench mushra"):
        read_study(TEST, tmp_path)
    assert not list(tmp_path.iterdir())
    open_responses(tmp_path, TEST).close()
    with sqlite3.connect(tmp_path / ANSWERS_FILE) as sql:
        sql.execute("PRAGMA user_version = 7")
    sql.close()
    junk = "no database at all, but long enough to be read " * 30
    for message in ("has version 7, and this snacbench reads version 3", "cannot read the answers"):
        with pytest.raises(StoreError, match=message):
            open_responses(tmp_path, TEST)
        with pytest.raises(StoreError, match=message):
            read_study(TEST, tmp_path)
        (tmp_path / ANSWERS_FILE).write_text(junk)


def test_numbers_of_the_deleted_and_of_the_idle_come_again(responses, monkeypatch):
    stranger, busy, other = came = [begin(responses, agreed=n == 1) for n in range(3)]
    assert numbers(responses, *came) == [0, 1, 2]
    sessions.delete_listener(responses, row_of(responses, other).name)
    for one in (stranger, busy):
        last_seen(responses, one, 1.1 * HOUR_S)  # without consent, after an hour
    assert numbers(responses, new=2) == [0, 2]
    assert column(responses, "id") == [1, 2, 4, 5]  # no id twice
    idle, trained, rated = (begin(responses, agreed=True) for _ in range(3))
    assert numbers(responses, idle, trained, rated) == [3, 4, 5]
    for one, count in ((idle, 0), (trained, 1), (rated, 2)):
        rate_pages(responses, one, count)
        last_seen(responses, one, 25 * HOUR_S)  # without a rated page, after a day
    assert numbers(responses, new=3) == [3, 4, 6]
    ids = [row_of(responses, one).id for one in (idle, stranger)]
    for one in (idle, stranger):
        last_seen(responses, one, 8 * 24 * HOUR_S)
    for at_most, here in ((7, 6), (6, 6)):  # who gave up has no place, though the number is taken
        assert sessions.entrance(responses, at_most)["full"] is (here >= at_most)
    begin(responses)  # the first may still come back; who never agreed is forgotten after a week
    assert [id_ in column(responses, "id") for id_ in ids] == [True, False]
    monkeypatch.setattr(sessions, "MAX_UNFINISHED", 7)
    with pytest.raises(Refused, match="Too many listeners are under way"):
        begin(responses)
    last_seen(responses, busy, 25 * HOUR_S)  # idle ones make room
    begin(responses)
    with responses.transaction() as sql:
        sql.execute("UPDATE listeners SET consented_utc = '2020-01-01T00:00:00Z'")
    sessions.consent(responses, busy)  # the first time counts
    assert set(column(responses, "consented_utc")) == {"2020-01-01T00:00:00Z"}


def test_items_stay_balanced_though_some_leave(tmp_path):
    test = small_test(pages_per_listener=1)
    responses = open_responses(tmp_path, test)
    for turn in range(8):
        name, token = sessions.begin(responses, test)
        if turn % 4 == 1:
            sessions.delete_listener(responses, name)
        else:
            sessions.consent(responses, token)
            rate_pages(responses, token, 2)
    heard = Counter(rating.item for rating in read_study(test, tmp_path).ratings)
    assert (len(heard), set(heard.values())) == (3, {10})


def test_who_is_deleted_is_nowhere_in_the_file(tmp_path):
    def content():
        return b"".join(path.read_bytes() for path in tmp_path.iterdir())

    serving, other = open_responses(tmp_path, TEST), open_responses(tmp_path, TEST)
    kept, gone = begin(serving, agreed=True), begin(serving, agreed=True)
    stays, goes = (row_of(serving, token).name for token in (kept, gone))
    keys = []
    for one, comment in ((kept, "staying put"), (gone, "unmistakable words")):
        told = {"age": "44", "phones": "yes", "note": f"a note with {comment}"}
        sessions.answer_questionnaire(serving, TEST, one, told)
        keys = rate_pages(serving, one, 3, comment)
    assert b"unmistakable words" in content()
    sessions.delete_listener(other, goes)  # while another process serves
    other.close()
    for trace in (goes, "unmistakable words", *keys):
        assert trace.encode() not in content()
    assert [one.id for one in read_study(TEST, tmp_path).listeners] == [stays]
    with pytest.raises(Refused, match="This session is not known; open the test anew"):
        sessions.submit(serving, TEST, gone, keys[3], sessions.Submission())


@given(st.text(st.characters(codec=None)), st.integers(1, 20))
def test_one_line_without_control_characters(typed, limit):
    kept = one_line(typed, limit)
    assert len(kept) <= limit
    assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in kept)
    assert len(kept.splitlines()) <= 1
    assert one_line(kept, limit) == kept
    assert one_line("  two\nlines\tand \u202espaces\x1b[2J ", 100) == "two lines and spaces[2J"
