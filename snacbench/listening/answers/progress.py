"""How far a test has come: its listeners, with signs of their care, and its items."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import Any

from snacbench.listening.answers.checks import checks_of
from snacbench.listening.answers.open import Answers
from snacbench.listening.answers.study import read_study
from snacbench.listening.study import Choice, Rating
from snacbench.listening.test import ListeningTest


def progress(answers: Answers, test: ListeningTest) -> dict[str, Any]:
    """What the admin's page shows, as JSON has it."""
    study = read_study(test, answers.path)
    with answers.transaction() as sql:
        listeners = sql.execute(
            "SELECT l.name, l.number, l.started_utc, l.last_utc, l.finished_utc,"
            "   l.consented_utc IS NOT NULL AS consented,"
            "   (SELECT count(*) FROM pages WHERE listener = l.id AND NOT training) AS planned,"
            "   (SELECT count(*) FROM pages WHERE listener = l.id AND NOT training"
            "      AND submitted_utc IS NOT NULL) AS done"
            " FROM listeners AS l ORDER BY l.id"
        ).fetchall()
        invitations = sql.execute(
            "SELECT count(*) AS made, sum(used) AS used FROM invitations"
        ).fetchone()
    given: list[Rating | Choice] = [*study.ratings, *study.choices]
    heard = Counter({(answer.listener, answer.page): answer.item for answer in given}.values())
    return {
        "id": test.id,
        "title": test.title,
        "form": test.form,
        "listeners": [
            {
                "listener": row["name"],
                "number": row["number"],
                "started_utc": row["started_utc"],
                "last_utc": row["last_utc"],
                "consented": bool(row["consented"]),
                "pages_done": row["done"],
                "pages_planned": row["planned"],
                "finished": row["finished_utc"] is not None,
                "checks": asdict(checks_of(study, row["name"])),
            }
            for row in listeners
        ],
        "items": {item.id: heard[item.id] for item in test.items},
        "invitations": {"made": invitations["made"], "used": invitations["used"] or 0},
    }
