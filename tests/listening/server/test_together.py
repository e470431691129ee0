"""Many listeners at once, and servers that die: against the real program."""

from __future__ import annotations

import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any

import httpx2

from snacbench.listening.answers.study import read_study
from snacbench.listening.design import pages_of
from snacbench.listening.study import Rating
from snacbench.listening.test import read_test
from tests.listening.server.client import ANSWERS, ScriptedListener, answers_to
from tests.listening.server.conftest import Program

LISTENERS = 30


def whole_session(program: Program, together: threading.Barrier) -> tuple[str, Counter[int]]:
    """One listener from start to end; returns their scores as sent."""
    sent: Counter[int] = Counter()
    with program.client() as client:
        together.wait()
        listener = ScriptedListener(client).begin().agree()
        for page in listener.pages():
            for key in (*page["stimuli"], page["reference"]):
                assert listener.get(f"/api/stimuli/{key}").status_code == 200
            body = answers_to(page)
            assert listener.submit(page, body).status_code == 201
            assert listener.submit(page, body).status_code == 200  # the retry of a lost answer
            if not page["training"]:
                sent.update(rated["score"] for rated in body["ratings"])
        assert listener.post("/api/finish").status_code == 204
    return listener.name, sent


def test_thirty_at_once_finish_with_every_rating_stored_once(program: Program) -> None:
    together = threading.Barrier(LISTENERS)
    with ThreadPoolExecutor(LISTENERS) as pool:
        done = dict(pool.map(lambda _: whole_session(program, together), range(LISTENERS)))
    test = read_test(program.folder)
    study = read_study(test, program.folder)
    assert len(done) == LISTENERS
    assert all(listener.finished for listener in study.listeners)
    assert len(study.ratings) == LISTENERS * len(test.items) * len(test.conditions)
    once = Counter((r.listener, r.item, r.condition) for r in study.ratings)
    assert set(once.values()) == {1}
    for name, sent in done.items():
        assert Counter(int(r.score) for r in study.ratings if r.listener == name) == sent


def test_thirty_at_once_get_thirty_numbers_and_their_plans(program: Program) -> None:
    def begin(_: int) -> str:
        with program.client() as client:
            return ScriptedListener(client).begin().agree().finish().name

    with ThreadPoolExecutor(LISTENERS) as pool:
        names = set(pool.map(begin, range(LISTENERS)))
    assert len(names) == LISTENERS
    test = read_test(program.folder)
    study = read_study(test, program.folder)
    heard = Counter(_order(study.ratings, name) for name in names)
    planned = Counter(
        tuple((p.item, p.conditions) for p in pages_of(test, number) if not p.training)
        for number in range(LISTENERS)
    )
    assert heard == planned


def _order(ratings: tuple[Rating, ...], listener: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    pages: dict[int | None, tuple[str, tuple[str, ...]]] = {}
    for rating in ratings:
        if rating.listener == listener:
            before = pages.get(rating.page, ("", ()))[1]
            pages[rating.page] = (rating.item, (*before, rating.condition))
    return tuple(pages.values())


def stubborn(listener: ScriptedListener, path: str, body: Any) -> httpx2.Response:
    """What the page does: try until the server has said that it has it."""
    for _ in range(300):
        try:
            return listener.post(path, body)
        except httpx2.TransportError:
            time.sleep(0.2)
    raise AssertionError("the server did not come back")


def submit_all(listener: ScriptedListener, pages: list[dict[str, Any]]) -> None:
    for page in pages:
        answer = stubborn(listener, f"/api/pages/{page['key']}", answers_to(page))
        assert answer.status_code in (200, 201), answer.text
        time.sleep(0.1)
    assert stubborn(listener, "/api/finish", {}).status_code == 204


def test_killed_again_and_again_while_six_submit(program: Program) -> None:
    with ExitStack() as stack, ThreadPoolExecutor(6) as pool:
        clients = [stack.enter_context(program.client()) for _ in range(6)]
        listeners = [ScriptedListener(client).begin().agree() for client in clients]
        under_way = [pool.submit(submit_all, one, one.pages()) for one in listeners]
        for wait_s in (0.05, 0.15, 0.1):
            time.sleep(wait_s)
            program.kill()
            program.start()
        for one in under_way:
            one.result()
    test = read_test(program.folder)
    study = read_study(test, program.folder)
    assert [listener.finished for listener in study.listeners] == [True] * 6
    once = Counter((r.listener, r.item, r.condition) for r in study.ratings)
    assert set(once.values()) == {1}
    assert len(once) == 6 * len(test.items) * len(test.conditions)
    assert program.stop() == 0


def test_what_was_acknowledged_before_a_kill_is_there_after_it(program: Program) -> None:
    with program.client() as client:
        listener = ScriptedListener(client).begin().agree()
        training, page, *_ = listener.pages()
        listener.submit(training)
        body = answers_to(page, "kept")
        assert listener.submit(page, body).status_code == 201
    program.kill()
    study = read_study(read_test(program.folder), program.folder)
    assert sorted(int(r.score) for r in study.ratings) == sorted(
        rated["score"] for rated in body["ratings"]
    )
    assert study.listeners[0].answers == ANSWERS
    program.start()
    with program.client() as client:
        listener.client = client
        assert listener.submit(page, body).status_code == 200
        assert [p["submitted"] for p in listener.pages()] == [True, True, False, False]
        listener.finish()
