"""Pages of a listener: what they may hear, and what they answer."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from snacbench.listening.answers.clock import utc_text
from snacbench.listening.answers.listeners import Known
from snacbench.listening.answers.open import Answers
from snacbench.listening.answers.refusal import Refused
from snacbench.listening.answers.words import MAX_COMMENT, cleaned


@dataclass(frozen=True)
class PageView:
    """A page as its listener may know it: keys only, in the order of the page."""

    key: str
    number: int
    kind: str
    item: str
    training: bool
    submitted: bool
    reference: str | None
    stimuli: tuple[str, ...]


@dataclass(frozen=True)
class Heard:
    """A stimulus that a listener may fetch."""

    item: str
    condition: str


@dataclass(frozen=True)
class Submission:
    """What a listener answers on one page: scores by stimulus key, or an answer to a pair."""

    scores: Mapping[str, int] = field(default_factory=dict)
    plays: Mapping[str, int] = field(default_factory=dict)
    answer: str | None = None
    comment: str = ""
    time_s: float = 0.0
    playback: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Accepted:
    """The page is kept; `again` where it was already, with the same answers."""

    next_key: str | None
    again: bool


def pages_for(answers: Answers, listener: Known) -> list[PageView]:
    """All pages of a listener in order; the listener counts as seen."""
    with answers.transaction() as sql:
        sql.execute("UPDATE listeners SET last_utc = ? WHERE id = ?", (utc_text(), listener.id))
        pages = sql.execute(
            "SELECT id, key, number, kind, item, training, submitted_utc FROM pages"
            " WHERE listener = ? ORDER BY number",
            (listener.id,),
        ).fetchall()
        return [_view(page, _stimuli(sql, page["id"])) for page in pages]


def _view(page: sqlite3.Row, stimuli: Sequence[sqlite3.Row]) -> PageView:
    open_ones = [row["key"] for row in stimuli if row["place"] is None]
    return PageView(
        key=page["key"],
        number=page["number"],
        kind=page["kind"],
        item=page["item"],
        training=bool(page["training"]),
        submitted=page["submitted_utc"] is not None,
        reference=open_ones[0] if open_ones else None,
        stimuli=tuple(row["key"] for row in stimuli if row["place"] is not None),
    )


def _stimuli(sql: sqlite3.Connection, page: int) -> list[sqlite3.Row]:
    return sql.execute(
        "SELECT id, key, place FROM stimuli WHERE page = ? ORDER BY place", (page,)
    ).fetchall()


def heard_under(answers: Answers, listener: Known, key: str) -> Heard:
    """What a key of this listener stands for.

    Raises
    ------
    Refused
        If it is no key of theirs.
    """
    with answers.transaction() as sql:
        row = sql.execute(
            "SELECT item, condition FROM stimuli JOIN pages ON pages.id = stimuli.page"
            " WHERE stimuli.key = ? AND pages.listener = ?",
            (key, listener.id),
        ).fetchone()
    if row is None:
        raise Refused(404, "stimulus", "There is no such stimulus in this session")
    return Heard(row["item"], row["condition"])


# ---------------------------------------------------------------------------------- submitting


def submit(
    answers: Answers, listener: Known, key: str, given: Submission, *, allow_tie: bool
) -> Accepted:
    """Keep the answers of a page, once.

    Scores, answer and comment make a submission what it is: sent again with the same ones it is
    taken for a retry whose first answer got lost, whatever its times and counts.

    Raises
    ------
    Refused
        If the listener has not consented, the page is not theirs or not the next one, its answers
        are incomplete, or others were submitted before.
    """
    if not listener.consented:
        raise Refused(403, "consent", "Please agree to take part first")
    comment = cleaned(given.comment, MAX_COMMENT)
    with answers.transaction() as sql:
        page = sql.execute(
            "SELECT id, number, kind, answer, comment, submitted_utc FROM pages"
            " WHERE key = ? AND listener = ?",
            (key, listener.id),
        ).fetchone()
        if page is None:
            raise Refused(404, "page", "There is no such page in this session")
        stimuli = [row for row in _stimuli(sql, page["id"]) if row["place"] is not None]
        _check_complete(page["kind"], [row["key"] for row in stimuli], given, allow_tie=allow_tie)
        if page["submitted_utc"] is not None:
            if not _same(sql, page, given, comment):
                raise Refused(409, "submitted", "This page has been submitted with other answers")
            return Accepted(_next_key(sql, listener), again=True)
        if _next_key(sql, listener) != key:
            raise Refused(409, "order", "An earlier page is to be rated first")
        _write(sql, listener, page["id"], stimuli, given, comment)
        return Accepted(_next_key(sql, listener), again=False)


def _check_complete(kind: str, keys: Sequence[str], given: Submission, *, allow_tie: bool) -> None:
    if kind != "mushra":
        allowed = ("a", "b", "tie") if kind == "ab" and allow_tie else ("a", "b")
        if given.scores or given.answer not in allowed:
            raise Refused(422, "answer", f"Expected one answer of {', '.join(allowed)}")
        return
    if given.answer is not None or given.scores.keys() != set(keys):
        raise Refused(422, "unrated", "Every sound of the page must be rated, and nothing else")
    if not all(given.plays.get(stimulus, 0) > 0 for stimulus in keys):
        raise Refused(422, "unplayed", "Every sound of the page must be played")


def _same(sql: sqlite3.Connection, page: sqlite3.Row, given: Submission, comment: str) -> bool:
    rows = sql.execute(
        "SELECT key, score FROM ratings JOIN stimuli ON stimuli.id = ratings.stimulus"
        " WHERE stimuli.page = ?",
        (page["id"],),
    )
    kept = {row["key"]: row["score"] for row in rows}
    return (kept, page["answer"], page["comment"]) == (dict(given.scores), given.answer, comment)


def _write(  # noqa: PLR0913, PLR0917 - one page, one row and its ratings
    sql: sqlite3.Connection,
    listener: Known,
    page: int,
    stimuli: Sequence[sqlite3.Row],
    given: Submission,
    comment: str,
) -> None:
    now = utc_text()
    sql.execute(
        "UPDATE pages SET submitted_utc = ?, answer = ?, time_s = ?, comment = ?, playback = ?"
        " WHERE id = ?",
        (now, given.answer, given.time_s, comment, json.dumps(dict(given.playback)), page),
    )
    sql.executemany(
        "INSERT INTO ratings (stimulus, score, plays) VALUES (?, ?, ?)",
        [
            (row["id"], given.scores[row["key"]], given.plays.get(row["key"], 0))
            for row in stimuli
            if given.scores
        ],
    )
    sql.execute("UPDATE listeners SET last_utc = ? WHERE id = ?", (now, listener.id))


def _next_key(sql: sqlite3.Connection, listener: Known) -> str | None:
    row = sql.execute(
        "SELECT key FROM pages WHERE listener = ? AND submitted_utc IS NULL"
        " ORDER BY number LIMIT 1",
        (listener.id,),
    ).fetchone()
    return None if row is None else str(row["key"])
