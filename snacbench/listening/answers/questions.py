"""Answers to the questionnaire: whether they fit the questions."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from snacbench.listening.answers.refusal import Refused
from snacbench.listening.answers.words import MAX_ANSWER, cleaned
from snacbench.listening.test import Question


def checked_answers(questions: Sequence[Question], given: Mapping[str, str]) -> dict[str, str]:
    """Answers as they are kept, by question; what was left empty is left out.

    Raises
    ------
    Refused
        If a question is unknown, a required one is unanswered, or an answer does not fit.
    """
    unknown = given.keys() - {question.id for question in questions}
    if unknown:
        raise Refused(422, "answer", f"There is no question {min(unknown)!r:.40}")
    texts = {q.id: cleaned(given.get(q.id, ""), MAX_ANSWER) for q in questions}
    kept = {id_: text for id_, text in texts.items() if text}
    missing = missing_answers(questions, kept)
    if missing:
        raise Refused(422, "answer", f"Please answer: {missing[0].text}")
    for question in questions:
        if question.id in kept:
            _check(question, kept[question.id])
    return kept


def missing_answers(questions: Sequence[Question], answered: Collection[str]) -> list[Question]:
    """Required questions without an answer."""
    return [q for q in questions if q.required and q.id not in answered]


def _check(question: Question, answer: str) -> None:
    if question.kind == "choice" and answer not in question.choices:
        raise Refused(422, "answer", f"Please choose one of the answers to: {question.text}")
    if question.kind == "number":
        try:
            number = float(answer)
        except ValueError as error:
            raise Refused(422, "answer", f"Please enter a number: {question.text}") from error
        if not abs(number) < float("inf"):
            raise Refused(422, "answer", f"Please enter a number: {question.text}")
