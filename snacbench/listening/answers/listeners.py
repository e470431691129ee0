"""Listeners: how they come, are known again, and go."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from snacbench.listening.answers.clock import ago, utc_text
from snacbench.listening.answers.open import Answers
from snacbench.listening.answers.questions import checked_answers, missing_answers
from snacbench.listening.answers.refusal import Refused
from snacbench.listening.answers.tokens import digest, new_key, new_name, new_token, same_digest
from snacbench.listening.design import Page, pages_of
from snacbench.listening.test import REFERENCE, ListeningTest

# A number is given anew when whoever had it never rated a page and was not seen for so long.
_HOUR_S = 3_600.0
WITHOUT_CONSENT_S = _HOUR_S
WITHOUT_RATING_S = 24 * _HOUR_S
FORGOTTEN_S = 7 * 24 * _HOUR_S  # whoever never consented is deleted then
MAX_UNFINISHED = 500


@dataclass(frozen=True)
class Newcomer:
    """A listener who has just begun: the token is told once and kept only as a digest."""

    name: str
    token: str
    number: int


@dataclass(frozen=True)
class Known:
    """The listener that a token belongs to."""

    id: int
    name: str
    number: int
    consented: bool
    answered: bool
    finished: bool


def begin(
    answers: Answers,
    test: ListeningTest,
    *,
    invite: str | None = None,
    max_unfinished: int = MAX_UNFINISHED,
) -> Newcomer:
    """Take in a new listener and write down all their pages.

    Listeners are numbered from 0, and the plan is balanced over consecutive numbers. The smallest
    number that nobody has is given out: those of deleted listeners, of whoever did not consent
    within an hour, and of whoever rated nothing and stayed away for a day come back this way.

    Raises
    ------
    Refused
        If the invitation is missing, unknown or used, or too many listeners are under way.
    """
    token = new_token()
    with answers.transaction() as sql:
        _forget_strangers(sql)
        code = _invitation(sql, invite)
        _check_room(sql, max_unfinished)
        number = _free_number(sql)
        name = _unused_name(sql)
        now = utc_text()
        listener = sql.execute(
            "INSERT INTO listeners (name, token_sha256, number, started_utc, last_utc)"
            " VALUES (?, ?, ?, ?, ?)",
            (name, digest(token), number, now, now),
        ).lastrowid
        if code:
            sql.execute(
                "UPDATE invitations SET used = 1, listener = ? WHERE code_sha256 = ?",
                (listener, code),
            )
        for page in pages_of(test, number):
            _write_page(sql, listener, page)
    return Newcomer(name, token, number)


def _forget_strangers(sql: sqlite3.Connection) -> None:
    sql.execute(
        "DELETE FROM listeners WHERE consented_utc IS NULL AND last_utc < ?", (ago(FORGOTTEN_S),)
    )


def _invitation(sql: sqlite3.Connection, invite: str | None) -> str | None:
    """Digest of the invitation to use up; None where the test is open to all.

    Whoever did not consent yet may use theirs again: the first answer may have been lost.
    """
    if not sql.execute("SELECT 1 FROM invitations LIMIT 1").fetchone():
        return None
    if not invite:
        raise Refused(403, "invite", "This test is by invitation: open the link that you were sent")
    code = digest(invite)
    found = sql.execute(
        "SELECT code_sha256, used, listener FROM invitations WHERE code_sha256 = ?", (code,)
    ).fetchone()
    if found is None or not same_digest(found["code_sha256"], code):
        raise Refused(403, "invite", "This invitation is not known; ask for a new link")
    if found["used"]:
        removed = sql.execute(
            "DELETE FROM listeners WHERE id = ? AND consented_utc IS NULL", (found["listener"],)
        )
        if not removed.rowcount:
            raise Refused(403, "invite-used", "This invitation has been used already")
    return code


def _check_room(sql: sqlite3.Connection, max_unfinished: int) -> None:
    under_way = sql.execute(
        "SELECT count(*) FROM listeners WHERE finished_utc IS NULL AND last_utc >= ?"
        " AND (consented_utc IS NOT NULL OR last_utc >= ?)",
        (ago(WITHOUT_RATING_S), ago(WITHOUT_CONSENT_S)),
    ).fetchone()[0]
    if under_way >= max_unfinished:
        raise Refused(
            503, "full", "Too many listeners are under way; please try later", retry_after_s=3_600
        )


def _free_number(sql: sqlite3.Connection) -> int:
    taken = sql.execute(
        "SELECT DISTINCT number FROM listeners AS l WHERE last_utc >= ?"
        " OR (consented_utc IS NOT NULL AND last_utc >= ?)"
        " OR EXISTS (SELECT 1 FROM pages WHERE listener = l.id AND NOT training"
        "            AND submitted_utc IS NOT NULL)",
        (ago(WITHOUT_CONSENT_S), ago(WITHOUT_RATING_S)),
    ).fetchall()
    numbers = {row["number"] for row in taken}
    return next(number for number in itertools.count() if number not in numbers)


def _unused_name(sql: sqlite3.Connection) -> str:
    names = iter(new_name, "")
    return next(
        name
        for name in names
        if not sql.execute("SELECT 1 FROM listeners WHERE name = ?", (name,)).fetchone()
    )


def _write_page(sql: sqlite3.Connection, listener: int | None, page: Page) -> None:
    row = sql.execute(
        "INSERT INTO pages (key, listener, number, kind, item, training) VALUES (?, ?, ?, ?, ?, ?)",
        (new_key(), listener, page.number, page.kind, page.item, page.training),
    ).lastrowid
    stimuli: list[tuple[int | None, str]] = list(enumerate(page.conditions))
    if page.kind == "mushra":
        stimuli.append((None, REFERENCE))  # the open one, under a key of its own
    sql.executemany(
        "INSERT INTO stimuli (key, page, place, condition) VALUES (?, ?, ?, ?)",
        [(new_key(), row, place, condition) for place, condition in stimuli],
    )


# --------------------------------------------------------------------------------- known again


def known_by(answers: Answers, token: str) -> Known:
    """The listener that a token belongs to.

    Raises
    ------
    Refused
        If it belongs to nobody.
    """
    wanted = digest(token)
    with answers.transaction() as sql:
        row = sql.execute(
            "SELECT id, name, number, token_sha256, consented_utc, answered_utc, finished_utc"
            " FROM listeners WHERE token_sha256 = ?",
            (wanted,),
        ).fetchone()
    if row is None or not same_digest(row["token_sha256"], wanted):
        raise Refused(401, "token", "This session is not known; open the test anew")
    return Known(
        row["id"],
        row["name"],
        row["number"],
        consented=row["consented_utc"] is not None,
        answered=row["answered_utc"] is not None,
        finished=row["finished_utc"] is not None,
    )


def consent(answers: Answers, listener: Known) -> None:
    """Note that the listener agreed; the first time counts."""
    now = utc_text()
    with answers.transaction() as sql:
        sql.execute(
            "UPDATE listeners SET consented_utc = coalesce(consented_utc, ?), last_utc = ?"
            " WHERE id = ?",
            (now, now, listener.id),
        )


def answer_questionnaire(
    answers: Answers, test: ListeningTest, listener: Known, given: Mapping[str, str]
) -> None:
    """Keep answers to the questionnaire, in place of earlier ones.

    Raises
    ------
    Refused
        If the listener has not consented, or an answer is missing or cannot be.
    """
    if not listener.consented:
        raise Refused(403, "consent", "Please agree to take part first")
    checked = checked_answers(test.questionnaire, given)
    with answers.transaction() as sql:
        sql.executemany(
            "INSERT OR REPLACE INTO questionnaire VALUES (?, ?, ?)",
            [(listener.id, question, answer) for question, answer in checked.items()],
        )
        now = utc_text()
        sql.execute(
            "UPDATE listeners SET answered_utc = ?, last_utc = ? WHERE id = ?",
            (now, now, listener.id),
        )


def answered_questions(sql: sqlite3.Connection, listener: Known) -> Collection[str]:
    """Ids of the questions that the listener has answered."""
    rows = sql.execute("SELECT question FROM questionnaire WHERE listener = ?", (listener.id,))
    return {row["question"] for row in rows}


def finish(answers: Answers, test: ListeningTest, listener: Known) -> None:
    """Note that the listener is through; the first time counts.

    Raises
    ------
    Refused
        If a page or a required answer is still missing.
    """
    now = utc_text()
    with answers.transaction() as sql:
        left = sql.execute(
            "SELECT count(*) FROM pages WHERE listener = ? AND submitted_utc IS NULL",
            (listener.id,),
        ).fetchone()[0]
        if left:
            raise Refused(409, "unfinished", f"{left} pages are still to be rated")
        if missing_answers(test.questionnaire, answered_questions(sql, listener)):
            raise Refused(409, "questionnaire", "The questionnaire is still to be answered")
        sql.execute(
            "UPDATE listeners SET finished_utc = coalesce(finished_utc, ?), last_utc = ?"
            " WHERE id = ?",
            (now, now, listener.id),
        )


# ------------------------------------------------------------------------------------- leaving


def delete(answers: Answers, name: str) -> None:
    """Delete a listener and all they said, beyond recovery from the file.

    Raises
    ------
    Refused
        If there is nobody of that name.
    """
    with answers.transaction() as sql:
        gone = sql.execute("DELETE FROM listeners WHERE name = ?", (name,)).rowcount
    if not gone:
        raise Refused(404, "listener", f"There is no listener {name!r:.40} in this test")
    answers.wipe()


# --------------------------------------------------------------------------------- invitations


def invite(answers: Answers, count: int) -> list[str]:
    """Make invitations, each for one listener; from the first on, nobody comes without one."""
    codes = [new_key() for _ in range(count)]
    with answers.transaction() as sql:
        sql.executemany(
            "INSERT INTO invitations (code_sha256) VALUES (?)", [(digest(code),) for code in codes]
        )
    return codes


def by_invitation(answers: Answers) -> bool:
    """Whether listeners need an invitation."""
    with answers.transaction() as sql:
        return sql.execute("SELECT 1 FROM invitations LIMIT 1").fetchone() is not None
