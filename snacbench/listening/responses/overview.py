"""The responses so far: as a `Study`, and as the progress that the admin's page shows."""

from __future__ import annotations

import json
import statistics
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

from snacbench.listening.responses.database import Responses, read_only
from snacbench.listening.responses.sessions import pages_in
from snacbench.listening.study import Choice, Listener, Rating, Study
from snacbench.listening.test import ANCHOR70, ANSWERS_FILE, REFERENCE, ListeningTest

MAX_SHARE = 0.15  # ITU-R BS.1534-3, section 4.1.2: of a listener's items
_FAST_S = 2.0  # per signal: nobody compares in less
_MIN_CHOICES = 6  # all alike by chance in one listener of 32


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
            name, ended = row["name"], row["finished_utc"] or ""
            answers, all_rated = json.loads(row["questionnaire"]), row["rated"] == row["planned"]
            listeners.append(
                Listener(name, answers, row["planned"], all_rated, row["started_utc"], ended)
            )
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
    """How far a test has come: its listeners, with signs of their care, and its items; as JSON."""
    study = read_study(test, responses.path)
    with responses.transaction() as sql:
        listeners = sql.execute("SELECT * FROM listeners ORDER BY id").fetchall()
        made, used = sql.execute("SELECT count(*), sum(used) FROM invitations").fetchone()
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
                "consented": row["consented_utc"] is not None,
                "pages_done": row["rated"],
                "pages_planned": row["planned"],
                "finished": row["finished_utc"] is not None,
                "checks": checks_of(study, row["name"]),
            }
            for row in listeners
        ],
        "items": {item.id: heard[item.id] for item in test.items},
        "invitations": {"made": made, "used": used or 0},
    }


def checks_of(study: Study, listener: str) -> dict[str, Any]:
    """Signs of one listener's care so far; who is left out is decided in the analysis.

    Shares of pages are better if lower, times are in seconds, and flags tell what deserves a look.
    """
    ratings = [rating for rating in study.ratings if rating.listener == listener]
    choices = [choice for choice in study.choices if choice.listener == listener]

    def share(found: list[bool]) -> float | None:
        return sum(found) / len(found) if found else None

    reference = share([r.score < 90 for r in ratings if r.condition == REFERENCE])
    anchor = share([r.score > 90 for r in ratings if r.condition == ANCHOR70])
    given: list[Rating | Choice] = [*ratings, *choices]
    times_s = {one.page: one.time_s for one in given if one.time_s is not None}
    median_s = statistics.median(times_s.values()) if times_s else None
    pages: defaultdict[int | None, list[float]] = defaultdict(list)
    for rating in ratings:
        pages[rating.page].append(rating.score)
    signals = len(ratings) / len(pages) if pages else 2.0
    flags = {
        "reference": reference is not None and reference > MAX_SHARE,
        "anchor70": anchor is not None and anchor > MAX_SHARE,
        "fast": median_s is not None and median_s < _FAST_S * signals,
        "identical": any(len(s) > 1 and len(set(s)) == 1 for s in pages.values())
        or (len(choices) >= _MIN_CHOICES and len({choice.answer for choice in choices}) == 1),
    }
    return {
        "reference_below_90_share": reference,
        "anchor70_above_90_share": anchor,
        "median_page_s": median_s,
        "flags": [name for name, raised in flags.items() if raised],
    }
