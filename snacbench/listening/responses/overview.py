"""The responses so far: as a `Study`, and as the progress that the admin's page shows."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

from snacbench.listening.responses.database import Responses, read_only
from snacbench.listening.responses.sessions import pages_in
from snacbench.listening.study import Choice, Listener, Rating, Study
from snacbench.listening.test import ANSWERS_FILE, ListeningTest


def read_study(test: ListeningTest, folder: Path) -> Study:
    """All responses to a test so far, also while it is served; `StoreError` if there are none.

    Training pages are left out; so are listeners who never consented. `folder` is the test's, or
    the file ``answers.sqlite`` itself, wherever it is.
    """
    listeners: list[Listener] = []
    ratings: list[Rating] = []
    choices: list[Choice] = []
    with read_only(folder / ANSWERS_FILE if folder.is_dir() else folder) as sql:
        rows = sql.execute("SELECT * FROM listeners WHERE consented_utc IS NOT NULL ORDER BY id")
        for row in rows:
            name, answers = row["name"], json.loads(row["questionnaire"])
            all_rated = row["rated"] == row["planned"]
            listeners.append(Listener(name, answers, row["planned"], all_rated))
            rated = [page for page in pages_in(row["pages"]) if not page.training]
            for number, page in enumerate(rated):
                if (said := page.response) is None:
                    continue
                if said.answer is not None:
                    a, b, *x = page.stimuli.values()
                    told = said.answer, x[0] if x else None, number, said.time_s, said.comment
                    choices.append(Choice(name, page.item, a, b, *told))
                    continue
                for place, (key, condition) in enumerate(page.stimuli.items()):
                    at = number, place, said.time_s, said.comment
                    score = float(said.scores[key])
                    ratings.append(Rating(name, page.item, condition, score, *at))
    return Study.of(test, tuple(listeners), tuple(ratings), tuple(choices))


def progress(responses: Responses, test: ListeningTest) -> dict[str, Any]:
    """How far a test has come: its listeners and its items; as JSON.

    Whose answers count is decided in the analysis, which can be run at any time.
    """
    study = read_study(test, responses.path)
    with responses.transaction() as sql:
        listeners = sql.execute("SELECT * FROM listeners ORDER BY id").fetchall()
        made, used = sql.execute("SELECT count(*), sum(used) FROM invitations").fetchone()
    pages = {(answer.listener, answer.page): answer.item for answer in study.answers}
    heard = Counter(pages.values())
    return {
        "title": test.title,
        "listeners": [
            {
                "listener": row["name"],
                "number": row["number"],
                "last_utc": row["last_utc"],
                "consented": row["consented_utc"] is not None,
                "pages_done": row["rated"],
                "pages_planned": row["planned"],
                "finished": row["finished_utc"] is not None,
            }
            for row in listeners
        ],
        "items": {item.id: heard[item.id] for item in test.items},
        "invitations": {"made": made, "used": used or 0},
    }
