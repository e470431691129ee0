"""A listener's session: how they begin, are known again, answer their pages, and go.

Whatever a listener cannot be granted is a `Refused` with the status of the HTTP answer.
"""

from __future__ import annotations

import itertools
import json
import math
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, StrictBool, StrictInt, TypeAdapter

from snacbench.listening.design import Kind, pages_of
from snacbench.listening.responses.database import (
    Refused,
    Responses,
    one_line,
    token_digest,
    utc_text,
)
from snacbench.listening.test import REFERENCE, ListeningTest

MAX_UNFINISHED = 500
MAX_COMMENT, MAX_ANSWER = 2_000, 500  # characters
MAX_SIGNALS = 12  # ITU-R BS.1534-3: of one page
# A number is given anew when whoever had it never rated a page and was not seen for so long.
WITHOUT_CONSENT_S = 3_600.0
WITHOUT_RATING_S = 24 * 3_600.0
FORGOTTEN_S = 7 * 24 * 3_600.0  # whoever never consented is deleted then
_UNKNOWN = "This session is not known; open the test anew"
_LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"  # none that is taken for another when read aloud

Key = Annotated[str, Field(min_length=1, max_length=64)]
Typed = Annotated[str, Field(max_length=20_000)]  # what is kept of it is cut to less
_Count = Annotated[StrictInt, Field(ge=0, le=1_000_000)]
_Told = StrictBool | StrictInt | float | Annotated[str, Field(max_length=200)] | None


class Body(BaseModel):
    """What a page sends: these fields and no others."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Rated(Body):
    """One slider of a MUSHRA page: 0 (bad) to 100 (excellent), and how often it was played."""

    stimulus: Key
    score: Annotated[StrictInt, Field(ge=0, le=100)]
    plays: _Count


class Submission(Body):
    """A page's responses: `ratings` in MUSHRA, `answer` in AB and ABX; time in seconds."""

    ratings: Annotated[tuple[Rated, ...], Field(max_length=MAX_SIGNALS)] = ()
    answer: Literal["a", "b", "tie"] | None = None
    comment: Typed = ""
    time_s: Annotated[float, Field(ge=0, le=7 * 24 * 3_600.0)] = 0.0
    playback: Annotated[dict[Key, _Told], Field(max_length=64)] = Field(default_factory=dict)

    @property
    def scores(self) -> dict[str, int]:
        """Scores by the keys of their stimuli."""
        return {rated.stimulus: rated.score for rated in self.ratings}


class AssignedPage(Body):
    """A page that a listener is to rate, and what they said.

    `stimuli` are conditions by their keys, in the order of the page; the open reference of a MUSHRA
    page has a key of its own.
    """

    key: str
    number: int
    kind: Kind
    item: str
    training: bool
    stimuli: dict[str, str]
    reference: str | None = None
    submitted_utc: str | None = None
    response: Submission | None = None


_Pages = TypeAdapter(list[AssignedPage])


@dataclass(frozen=True)
class Known:
    """The listener that a token belongs to."""

    id: int
    name: str
    number: int
    consented: bool
    answered: bool
    finished: bool


def new_token() -> str:
    """A secret that lets its bearer in: 256 random bits."""
    return secrets.token_urlsafe(32)


def new_key() -> str:
    """A name for a page or stimulus that tells nothing about it: 128 random bits."""
    return secrets.token_urlsafe(16)


def begin(responses: Responses, test: ListeningTest, invite: str | None = None) -> tuple[str, str]:
    """Take in a new listener and write down all their pages; their random name, and their token.

    Listeners are numbered from 0, and the plan is balanced over consecutive numbers. The smallest
    number that nobody has is given out: those of deleted listeners, of whoever did not consent
    within an hour, and of whoever rated nothing and stayed away for a day come back this way.
    """
    token, now = new_token(), utc_text()
    with responses.transaction() as sql:
        sql.execute(
            "DELETE FROM listeners WHERE consented_utc IS NULL AND last_utc < ?",
            (utc_text(FORGOTTEN_S),),
        )
        code = _invitation(sql, invite)
        others = sql.execute(
            "SELECT name, number, rated, finished_utc, last_utc >= ?"
            " OR (consented_utc IS NOT NULL AND last_utc >= ?) AS recent FROM listeners",
            (utc_text(WITHOUT_CONSENT_S), utc_text(WITHOUT_RATING_S)),
        ).fetchall()
        if sum(row["recent"] and not row["finished_utc"] for row in others) >= MAX_UNFINISHED:
            sentence = "Too many listeners are under way; please try later"
            raise Refused(503, "full", sentence, **{"Retry-After": "3600"})
        numbers = {row["number"] for row in others if row["recent"] or row["rated"]}
        number = next(n for n in itertools.count() if n not in numbers)
        names, name = {row["name"] for row in others}, ""
        while not name or name in names:
            name = "-".join("".join(secrets.choice(_LETTERS) for _ in range(4)) for _ in range(2))
        pages = [
            AssignedPage(
                key=new_key(),
                number=page.number,
                kind=page.kind,
                item=page.item,
                training=page.training,
                stimuli={new_key(): condition for condition in page.conditions},
                reference=new_key() if page.kind == "mushra" else None,
            )
            for page in pages_of(test, number)
        ]
        planned = sum(not page.training for page in pages)
        listener = sql.execute(
            "INSERT INTO listeners (name, token_sha256, number, started_utc, last_utc, planned,"
            " pages) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (name, token_digest(token), number, now, now, planned, _json(pages)),
        ).lastrowid
        sql.execute(
            "UPDATE invitations SET used = 1, listener = ? WHERE code_sha256 = ?", (listener, code)
        )
    return name, token


def _invitation(sql: sqlite3.Connection, invite: str | None) -> str | None:
    """Digest of the invitation to use up; None where the test is open to all.

    Whoever did not consent yet may use theirs again: the first answer may have been lost.
    """
    if not sql.execute("SELECT 1 FROM invitations LIMIT 1").fetchone():
        return None
    if not invite:
        raise Refused(403, "invite", "This test is by invitation: open the link that you were sent")
    code = token_digest(invite)
    found = sql.execute(
        "SELECT used, listener FROM invitations WHERE code_sha256 = ?", (code,)
    ).fetchone()
    if found is None:
        raise Refused(403, "invite", "This invitation is not known; ask for a new link")
    again = "DELETE FROM listeners WHERE id = ? AND consented_utc IS NULL"
    if found["used"] and not sql.execute(again, (found["listener"],)).rowcount:
        raise Refused(403, "invite-used", "This invitation has been used already")
    return code


def _json(pages: list[AssignedPage]) -> str:
    return _Pages.dump_json(pages, exclude_defaults=True).decode()


def known_by(responses: Responses, token: str) -> Known:
    """The listener that a token belongs to, or `Refused` with status 401."""
    with responses.transaction() as sql:
        row = sql.execute(
            "SELECT id, name, number, consented_utc, answered_utc, finished_utc FROM listeners"
            " WHERE token_sha256 = ?",
            (token_digest(token),),
        ).fetchone()
    if row is None:
        raise Refused(401, "token", _UNKNOWN)
    states = (row[f"{name}_utc"] is not None for name in ("consented", "answered", "finished"))
    return Known(row["id"], row["name"], row["number"], *states)


def _update(sql: sqlite3.Connection, listener: Known, change: str, *values: object) -> None:
    """Set columns of a listener, who was seen just now."""
    sql.execute(
        f"UPDATE listeners SET {change} last_utc = ? WHERE id = ?",
        (*values, utc_text(), listener.id),
    )


def consent(responses: Responses, listener: Known) -> None:
    """Note that the listener agreed; the first time counts."""
    with responses.transaction() as sql:
        _update(sql, listener, "consented_utc = coalesce(consented_utc, ?),", utc_text())


def answer_questionnaire(
    responses: Responses, test: ListeningTest, listener: Known, given: Mapping[str, str]
) -> None:
    """Keep answers to the questionnaire, in place of earlier ones, if they fit the questions."""
    _check_consent(listener)
    if unknown := given.keys() - {question.id for question in test.questionnaire}:
        raise Refused(422, "answer", f"There is no question {min(unknown)!r:.40}")
    kept = {id_: line for id_, text in given.items() if (line := one_line(text, MAX_ANSWER))}
    for question in test.questionnaire:
        answer = kept.get(question.id)
        if answer is None and question.required:
            raise Refused(422, "answer", f"Please answer: {question.text}")
        if answer and question.kind == "choice" and answer not in question.choices:
            raise Refused(422, "answer", f"Please choose one of the answers to: {question.text}")
        if answer and question.kind == "number":
            try:
                is_number = math.isfinite(float(answer))
            except ValueError:
                is_number = False
            if not is_number:
                raise Refused(422, "answer", f"Please enter a number: {question.text}")
    with responses.transaction() as sql:
        now = utc_text()
        _update(sql, listener, "questionnaire = ?, answered_utc = ?,", json.dumps(kept), now)


def _check_consent(listener: Known) -> None:
    if not listener.consented:
        raise Refused(403, "consent", "Please agree to take part first")


def pages_for(responses: Responses, listener: Known) -> list[AssignedPage]:
    """All pages of a listener in order; the listener counts as seen."""
    with responses.transaction() as sql:
        _update(sql, listener, "")
        return _kept(sql, listener)[0]


def _kept(sql: sqlite3.Connection, listener: Known) -> tuple[list[AssignedPage], dict[str, str]]:
    """Pages and questionnaire of a listener, unless they were deleted a moment ago."""
    row = sql.execute(
        "SELECT pages, questionnaire FROM listeners WHERE id = ?", (listener.id,)
    ).fetchone()
    if row is None:
        raise Refused(401, "token", _UNKNOWN)
    return pages_in(row["pages"]), json.loads(row["questionnaire"])


def pages_in(text: str) -> list[AssignedPage]:
    """The pages of a listener as the file has them."""
    return _Pages.validate_json(text)


def stimulus_under(responses: Responses, listener: Known, key: str) -> tuple[str, str]:
    """Item and condition that a key of this listener stands for; `Refused` if it is not theirs."""
    with responses.transaction() as sql:
        for page in _kept(sql, listener)[0]:
            if key in page.stimuli:
                return page.item, page.stimuli[key]
            if key == page.reference:
                return page.item, REFERENCE
    raise Refused(404, "stimulus", "There is no such stimulus in this session")


def submit(
    responses: Responses, test: ListeningTest, listener: Known, key: str, given: Submission
) -> tuple[str | None, bool]:
    """Keep the responses of a page, once; the key of the next one, and whether it was kept before.

    Scores, answer and comment make a submission what it is: sent again with the same ones it is
    taken for a retry whose first answer got lost, whatever its times and counts.
    """
    _check_consent(listener)
    given = given.model_copy(update={"comment": one_line(given.comment, MAX_COMMENT)})
    with responses.transaction() as sql:
        pages, _ = _kept(sql, listener)
        waiting = [page.key for page in pages if page.submitted_utc is None]
        at = next((at for at, page in enumerate(pages) if page.key == key), None)
        if at is None:
            raise Refused(404, "page", "There is no such page in this session")
        page = pages[at]
        if len(given.scores) != len(given.ratings):
            raise Refused(422, "twice", "A sound is rated twice on this page")
        if page.kind != "mushra":
            allowed = ("a", "b", "tie") if page.kind == "ab" and test.allow_tie else ("a", "b")
            if given.ratings or given.answer not in allowed:
                raise Refused(422, "answer", f"Expected one answer of {', '.join(allowed)}")
        elif given.answer is not None or given.scores.keys() != page.stimuli.keys():
            raise Refused(422, "unrated", "Every sound of the page must be rated, and nothing else")
        elif not all(rated.plays for rated in given.ratings):
            raise Refused(422, "unplayed", "Every sound of the page must be played")
        if kept := page.response:
            said = [(one.scores, one.answer, one.comment) for one in (kept, given)]
            if said[0] != said[1]:
                raise Refused(409, "submitted", "This page has been submitted with other answers")
            return next(iter(waiting), None), True
        if waiting[0] != key:
            raise Refused(409, "order", "An earlier page is to be rated first")
        pages[at] = page.model_copy(update={"submitted_utc": utc_text(), "response": given})
        _update(sql, listener, "pages = ?, rated = rated + ?,", _json(pages), not page.training)
        return next(iter(waiting[1:]), None), False


def finish(responses: Responses, test: ListeningTest, listener: Known) -> None:
    """Note that the listener is through; `Refused` if a page or a required answer is missing."""
    with responses.transaction() as sql:
        pages, answered = _kept(sql, listener)
        if left := sum(page.submitted_utc is None for page in pages):
            raise Refused(409, "unfinished", f"{left} pages are still to be rated")
        if any(q.required and q.id not in answered for q in test.questionnaire):
            raise Refused(409, "questionnaire", "The questionnaire is still to be answered")
        _update(sql, listener, "finished_utc = coalesce(finished_utc, ?),", utc_text())


def delete_listener(responses: Responses, name: str) -> None:
    """Delete a listener and all they said, beyond recovery from the file; `Refused` if unknown."""
    with responses.transaction() as sql:
        gone = sql.execute("DELETE FROM listeners WHERE name = ?", (name,)).rowcount
    if not gone:
        raise Refused(404, "listener", f"There is no listener {name!r:.40} in this test")
    responses.wipe()


def make_invitations(responses: Responses, count: int) -> list[str]:
    """Codes, each for one listener; from the first on, nobody comes without one."""
    codes = [new_key() for _ in range(count)]
    digests = [(token_digest(code),) for code in codes]
    with responses.transaction() as sql:
        sql.executemany("INSERT INTO invitations (code_sha256) VALUES (?)", digests)
    return codes


def by_invitation(responses: Responses) -> bool:
    """Whether listeners need an invitation."""
    with responses.transaction() as sql:
        return sql.execute("SELECT 1 FROM invitations LIMIT 1").fetchone() is not None
