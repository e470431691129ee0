"""Answers in the form of webMUSHRA's ``mushra.csv``, for scripts that read that."""

from __future__ import annotations

import csv
from typing import TextIO

from snacbench.errors import UserError
from snacbench.listening.study import Study
from snacbench.listening.test import ListeningTest
from snacbench.listening.tidy import safe_cell

_COLUMNS = (
    "session_uuid", "trial_id", "rating_stimulus", "rating_score", "rating_time", "rating_comment",
)  # fmt: skip
_MS = 1_000


def write_webmushra(test: ListeningTest, study: Study, stream: TextIO) -> None:
    """Write one line per rating, with the listener's answers to the questionnaire.

    Scores run from 0 (bad) to 100 (excellent); ``rating_time`` is what the page took, in
    milliseconds; ``trial_id`` is the item.

    Raises
    ------
    UserError
        If the test is no MUSHRA test: webMUSHRA has no such table of pairs.
    """
    if study.form not in ("mushra", "mushra-no-anchors"):
        raise UserError(
            f"webMUSHRA's form has no column for answers of an {study.form} test; export it as tidy"
        )
    questions = [question.id for question in test.questionnaire]
    writer = csv.writer(stream)
    writer.writerow(("session_test_id", *questions, *_COLUMNS))
    told = {listener.id: listener.answers for listener in study.listeners}
    for rating in study.ratings:
        answers = told.get(rating.listener, {})
        writer.writerow(
            [
                safe_cell(study.name),
                *(safe_cell(answers.get(question, "")) for question in questions),
                safe_cell(rating.listener),
                safe_cell(rating.item),
                safe_cell(rating.condition),
                f"{rating.score:g}",
                "" if rating.time_s is None else round(rating.time_s * _MS),
                safe_cell(rating.comment),
            ]
        )
