from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from snacbench.listening.answers import listeners, pages
from snacbench.listening.answers.clock import ago
from snacbench.listening.answers.open import Answers, open_answers
from snacbench.listening.answers.refusal import Refused
from snacbench.listening.answers.study import read_study
from snacbench.listening.answers.tokens import new_name
from tests.listening.server.folders import small_test

HOUR_S = 3_600.0


@pytest.fixture
def answers(tmp_path: Path) -> Answers:
    return open_answers(tmp_path, small_test())


def begin(answers: Answers) -> listeners.Newcomer:
    return listeners.begin(answers, small_test())


def agree(answers: Answers, newcomer: listeners.Newcomer) -> None:
    listeners.consent(answers, listeners.known_by(answers, newcomer.token))


def rate_pages(
    answers: Answers, newcomer: listeners.Newcomer, count: int, comment: str = ""
) -> None:
    known = listeners.known_by(answers, newcomer.token)
    for page in pages.pages_for(answers, known)[:count]:
        given = pages.Submission(
            scores=dict.fromkeys(page.stimuli, 50), plays=dict.fromkeys(page.stimuli, 1),
            comment=comment, time_s=20,
        )  # fmt: skip
        pages.submit(answers, known, page.key, given, allow_tie=True)


def last_seen(answers: Answers, newcomer: listeners.Newcomer, seconds_ago: float) -> None:
    with answers.transaction() as sql:
        sql.execute(
            "UPDATE listeners SET last_utc = ? WHERE name = ?", (ago(seconds_ago), newcomer.name)
        )


def test_numbers_are_consecutive(answers: Answers) -> None:
    assert [begin(answers).number for _ in range(5)] == [0, 1, 2, 3, 4]


def test_the_number_of_a_deleted_listener_is_given_again(answers: Answers) -> None:
    came = [begin(answers) for _ in range(3)]
    listeners.delete(answers, came[1].name)
    assert [begin(answers).number for _ in range(2)] == [1, 3]


def test_the_number_of_whoever_never_agreed_is_given_again_after_an_hour(answers: Answers) -> None:
    stranger, busy = begin(answers), begin(answers)
    agree(answers, busy)
    for one in (stranger, busy):
        last_seen(answers, one, 1.1 * HOUR_S)
    assert [begin(answers).number for _ in range(2)] == [0, 2]


def test_the_number_of_whoever_rated_nothing_is_given_again_after_a_day(answers: Answers) -> None:
    idle, trained, rated = begin(answers), begin(answers), begin(answers)
    for one, count in ((idle, 0), (trained, 1), (rated, 2)):
        agree(answers, one)
        rate_pages(answers, one, count)
        last_seen(answers, one, 25 * HOUR_S)
    assert [begin(answers).number for _ in range(3)] == [0, 1, 3]
    assert listeners.known_by(answers, idle.token)  # and may still come back


def test_whoever_never_agreed_is_forgotten_after_a_week(answers: Answers) -> None:
    stranger, agreed = begin(answers), begin(answers)
    agree(answers, agreed)
    for one in (stranger, agreed):
        last_seen(answers, one, 8 * 24 * HOUR_S)
    begin(answers)
    assert listeners.known_by(answers, agreed.token)
    with pytest.raises(Refused, match="This session is not known"):
        listeners.known_by(answers, stranger.token)


def test_idle_listeners_make_room(answers: Answers) -> None:
    first = listeners.begin(answers, small_test(), max_unfinished=1)
    with pytest.raises(Refused, match="Too many listeners are under way"):
        listeners.begin(answers, small_test(), max_unfinished=1)
    last_seen(answers, first, 1.1 * HOUR_S)
    listeners.begin(answers, small_test(), max_unfinished=1)


def test_items_stay_balanced_though_some_leave(tmp_path: Path) -> None:
    test = small_test(pages_per_listener=1)
    answers = open_answers(tmp_path, test)
    for turn in range(8):
        one = listeners.begin(answers, test)
        if turn % 4 == 1:
            listeners.delete(answers, one.name)
            continue
        agree(answers, one)
        rate_pages(answers, one, 2)
    heard = Counter(rating.item for rating in read_study(test, tmp_path).ratings)
    assert set(heard.values()) == {10}
    assert len(heard) == 3


def test_names_are_easy_to_say() -> None:
    names = [new_name() for _ in range(200)]
    assert all(len(name) == 9 and name[4] == "-" for name in names)
    assert not set("01ilo") & set("".join(names))
    assert len(set(names)) == 200


def test_agreeing_twice_keeps_the_first_time(answers: Answers) -> None:
    one = begin(answers)
    agree(answers, one)
    with answers.transaction() as sql:
        sql.execute("UPDATE listeners SET consented_utc = '2020-01-01T00:00:00Z'")
    agree(answers, one)
    row = answers._connection.execute("SELECT consented_utc FROM listeners").fetchone()
    assert row[0] == "2020-01-01T00:00:00Z"


# ------------------------------------------------------------------------------------ deletion


def bytes_of(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.iterdir())


def test_who_is_deleted_is_nowhere_in_the_file(tmp_path: Path) -> None:
    answers = open_answers(tmp_path, small_test())
    kept, gone = begin(answers), begin(answers)
    for one, comment in ((kept, "staying put"), (gone, "unmistakable words")):
        agree(answers, one)
        known = listeners.known_by(answers, one.token)
        told = {"age": "44", "phones": "yes", "note": f"a note with {comment}"}
        listeners.answer_questionnaire(answers, small_test(), known, told)
        rate_pages(answers, one, 3, comment)
    keys = [view.key for view in pages.pages_for(answers, listeners.known_by(answers, gone.token))]
    assert b"unmistakable words" in bytes_of(tmp_path)
    listeners.delete(answers, gone.name)
    for trace in (gone.name, "unmistakable words", *keys):
        assert trace.encode() not in bytes_of(tmp_path)
    assert b"staying put" in bytes_of(tmp_path)
    assert [one.id for one in read_study(small_test(), tmp_path).listeners] == [kept.name]
    left = answers._connection.execute("PRAGMA foreign_key_check").fetchall()
    counts = answers._connection.execute("SELECT count(DISTINCT listener) FROM pages").fetchone()
    assert (left, counts[0]) == ([], 1)


def test_deleted_while_another_process_serves(tmp_path: Path) -> None:
    serving = open_answers(tmp_path, small_test())
    one = begin(serving)
    other = open_answers(tmp_path, small_test())
    listeners.delete(other, one.name)
    other.close()
    with pytest.raises(Refused, match="This session is not known"):
        listeners.known_by(serving, one.token)
    assert one.name.encode() not in bytes_of(tmp_path)


def test_nobody_to_delete(answers: Answers) -> None:
    with pytest.raises(Refused, match="There is no listener 'k7m3-p2vd' in this test"):
        listeners.delete(answers, "k7m3-p2vd")


def test_ids_are_not_given_twice(answers: Answers) -> None:
    one = begin(answers)
    before = listeners.known_by(answers, one.token).id
    listeners.delete(answers, one.name)
    assert listeners.known_by(answers, begin(answers).token).id > before
