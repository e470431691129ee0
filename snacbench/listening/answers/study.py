"""The answers so far as a `Study`."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from snacbench.listening.answers.open import read_only
from snacbench.listening.study import Choice, Listener, Rating, Study
from snacbench.listening.test import ANSWERS_FILE, ListeningTest


def read_study(test: ListeningTest, folder: Path) -> Study:
    """All answers to a test that its listeners have given so far, also while it is being served.

    Training pages are left out; so are listeners who never consented.

    Parameters
    ----------
    folder : path
        Of the test; or the file ``answers.sqlite`` itself, wherever it is.

    Raises
    ------
    StoreError
        If there are no answers, or they cannot be read.
    """
    path = folder / ANSWERS_FILE if folder.is_dir() else folder
    with read_only(path) as sql:
        return Study(
            name=test.id,
            form=test.form,
            listeners=tuple(_listeners(sql)),
            systems=tuple(system.name for system in test.systems),
            ratings=tuple(_ratings(sql)),
            choices=tuple(_choices(sql)),
            domains={item.id: item.domain for item in test.items},
            clips={item.id: item.clip for item in test.items},
            kbps={system.name: system.kbps for system in test.systems},
        )


def _listeners(sql: sqlite3.Connection) -> list[Listener]:
    rows = sql.execute(
        "SELECT l.id, l.name, l.started_utc, l.finished_utc,"
        "   (SELECT count(*) FROM pages WHERE listener = l.id AND NOT training) AS planned,"
        "   (SELECT count(*) FROM pages WHERE listener = l.id AND NOT training"
        "      AND submitted_utc IS NOT NULL) AS done"
        " FROM listeners AS l WHERE l.consented_utc IS NOT NULL ORDER BY l.id"
    ).fetchall()
    return [
        Listener(
            id=row["name"],
            answers=_questionnaire(sql, row["id"]),
            pages_planned=row["planned"],
            finished=row["done"] == row["planned"],
            started_utc=row["started_utc"],
            finished_utc=row["finished_utc"] or "",
        )
        for row in rows
    ]


def _questionnaire(sql: sqlite3.Connection, listener: int) -> dict[str, str]:
    rows = sql.execute(
        "SELECT question, answer FROM questionnaire WHERE listener = ? ORDER BY question",
        (listener,),
    )
    return {row["question"]: row["answer"] for row in rows}


# A page's number among the rated ones: training pages come first and are not counted.
_RATED_PAGES = """
WITH rated AS (
    SELECT pages.*, listeners.name AS listener_name,
        pages.number - (SELECT count(*) FROM pages AS p
                        WHERE p.listener = pages.listener AND p.training) AS page
    FROM pages JOIN listeners ON listeners.id = pages.listener
    WHERE NOT pages.training AND pages.submitted_utc IS NOT NULL
      AND listeners.consented_utc IS NOT NULL
)
"""
_RATINGS = (
    _RATED_PAGES
    + """
SELECT rated.listener_name, rated.item, rated.page, rated.time_s, rated.comment,
    stimuli.condition, stimuli.place, ratings.score
FROM rated JOIN stimuli ON stimuli.page = rated.id JOIN ratings ON ratings.stimulus = stimuli.id
ORDER BY rated.listener, rated.page, stimuli.place
"""
)
_CHOICES = (
    _RATED_PAGES
    + """
SELECT rated.listener_name, rated.item, rated.page, rated.time_s, rated.comment, rated.answer,
    a.condition AS a, b.condition AS b, x.condition AS x
FROM rated JOIN stimuli AS a ON a.page = rated.id AND a.place = 0
    JOIN stimuli AS b ON b.page = rated.id AND b.place = 1
    LEFT JOIN stimuli AS x ON x.page = rated.id AND x.place = 2
WHERE rated.answer IS NOT NULL
ORDER BY rated.listener, rated.page
"""
)


def _ratings(sql: sqlite3.Connection) -> list[Rating]:
    return [
        Rating(
            listener=row["listener_name"],
            item=row["item"],
            condition=row["condition"],
            score=float(row["score"]),
            page=row["page"],
            place=row["place"],
            time_s=row["time_s"],
            comment=row["comment"],
        )
        for row in sql.execute(_RATINGS)
    ]


def _choices(sql: sqlite3.Connection) -> list[Choice]:
    return [
        Choice(
            listener=row["listener_name"],
            item=row["item"],
            a=row["a"],
            b=row["b"],
            answer=row["answer"],
            x=row["x"],
            page=row["page"],
            time_s=row["time_s"],
            comment=row["comment"],
        )
        for row in sql.execute(_CHOICES)
    ]
