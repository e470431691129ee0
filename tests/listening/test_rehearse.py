from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
import soundfile
import uvicorn

from snacbench.errors import UserError
from snacbench.listening.answers.study import read_study
from snacbench.listening.design import pages_of
from snacbench.listening.rehearse import MARK, check_nobody_else, rehearse
from snacbench.listening.server.app import application
from snacbench.listening.server.run import open_service
from snacbench.listening.simulated_listener import Model
from snacbench.listening.stimuli import FACTS_FILE, facts_text, read_facts, stimulus_file
from snacbench.listening.study import Choice
from snacbench.listening.test import REFERENCE, ListeningTest, read_test
from tests.cli.in_process import call
from tests.listening.server.folders import facts_of, make_folder, small_test

Serve = Callable[..., tuple[Path, ListeningTest, str]]


def different_sounds(folder: Path, test: ListeningTest) -> None:
    """Stimuli of which no two are alike, as real ones are."""
    facts = read_facts(folder, test)
    items = {}
    for seed, (item, known) in enumerate(facts.items.items()):
        made = {}
        for number, condition in enumerate(known.conditions):
            noise = np.random.default_rng([seed, number]).uniform(-0.1, 0.1, known.num_samples)
            file = stimulus_file(item, condition)
            soundfile.write(folder / file, noise, 48_000, subtype="PCM_24")
            made[condition] = facts_of(folder, file)
        items[item] = replace(known, conditions=made)
    (folder / FACTS_FILE).write_text(facts_text(replace(facts, items=items)), "utf-8")


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    """``serve(form="ab")`` serves a small test at an address of this machine."""
    running: list[tuple[uvicorn.Server, threading.Thread]] = []

    def begin(**fields: Any) -> tuple[Path, ListeningTest, str]:
        test = small_test(**fields)
        folder = make_folder(tmp_path / "test", test)
        different_sounds(folder, test)
        listening = socket.create_server(("127.0.0.1", 0))
        app = application(open_service(folder))
        server = uvicorn.Server(uvicorn.Config(app, log_config=None, http="h11"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
        thread.start()
        running.append((server, thread))
        return folder, test, f"http://127.0.0.1:{listening.getsockname()[1]}"

    yield begin
    for server, thread in running:
        server.should_exit = True
        thread.join(timeout=20)


def test_thirty_at_once_are_stored_each_rating_once(serve: Serve) -> None:
    folder, test, url = serve()
    means = {"opus@8kbps": 20.0, "snac": 80.0}
    done = rehearse(url, test, read_facts(folder, test), Model(means=means), 30)
    study = read_study(test, folder)
    assert {one.id for one in study.listeners} == set(done.listeners)
    assert len(done.listeners) == 30
    assert all(one.finished for one in study.listeners)
    assert done.pages == 30 * (len(test.items) + len(test.training))
    rated = Counter((r.listener, r.item, r.condition) for r in study.ratings)
    assert set(rated.values()) == {1}
    assert len(rated) == 30 * len(test.items) * len(test.conditions)
    assert {r.comment for r in study.ratings} == {MARK}
    scores = {c: [r.score for r in study.ratings if r.condition == c] for c in test.conditions}
    # They knew what they heard: the sound behind the key, not the key.
    assert np.mean(scores[REFERENCE]) > 95
    assert np.mean(scores["snac"]) - np.mean(scores["opus@8kbps"]) > 40
    assert done.requests >= 30 * (5 + 4 * 7)
    assert 0 < done.slowest_s <= done.seconds


@pytest.mark.parametrize("form", ["ab", "abx"])
def test_pairs_too(serve: Serve, form: str) -> None:
    folder, test, url = serve(form=form)
    means = {"opus@8kbps": 20.0, "snac": 80.0}
    rehearse(url, test, read_facts(folder, test), Model(means=means), 4, at_once=2)
    choices = read_study(test, folder).choices
    assert len(choices) == sum(not p.training for n in range(4) for p in pages_of(test, n))
    if form == "ab":
        better = [{"a": c.a, "b": c.b}.get(c.answer) == "snac" for c in choices]
    else:
        better = [{"a": c.a, "b": c.b}[c.answer] == c.x for c in choices]
    assert np.mean(better) > 0.7


def test_drop_outs_leave_half_way(serve: Serve) -> None:
    folder, test, url = serve()
    rehearse(url, test, read_facts(folder, test), Model(dropouts=1), 2)
    assert sorted(one.finished for one in read_study(test, folder).listeners) == [False, True]


def test_the_verb_says_how_the_server_stood_it(serve: Serve) -> None:
    folder, _, url = serve()
    done = call("mushra", "simulate", folder, "--url", url, "--listeners", 3)
    assert "3 simulated" in done.stdout
    assert "slowest" in done.stdout
    again = call("mushra", "simulate", folder, "--url", url, "--listeners", 2)
    assert "2 simulated" in again.stdout


def test_simulated_answers_do_not_mix_with_real_ones(serve: Serve) -> None:
    folder, test, url = serve(form="ab")
    rehearse(url, test, read_facts(folder, test), Model(), 1)
    study = read_study(test, folder)
    check_nobody_else(study)
    real = Choice("k7m3", "item-0", "snac", "opus@8kbps", "a", comment="nice")
    with pytest.raises(UserError, match="answers of 1 real listeners, with which simulated ones"):
        check_nobody_else(replace(study, choices=(*study.choices, real)))


def test_mistakes_are_named(serve: Serve, tmp_path: Path) -> None:
    folder, test, url = serve()
    facts = read_facts(folder, test)
    other = test.model_copy(update={"id": "other"})
    with pytest.raises(UserError, match="serves the test 'small', not 'other'"):
        rehearse(url, other, facts, Model(), 1)
    with pytest.raises(UserError, match=r"no answer from http://127.0.0.1:1 .ConnectionError."):
        rehearse("http://127.0.0.1:1", test, facts, Model(), 1)
    foreign = replace(facts, items={})
    with pytest.raises(UserError, match="serves a sound that is not among the stimuli of small"):
        rehearse(url, test, foreign, Model(), 1)
    odd = test.model_copy(update={"questionnaire": ()})
    with pytest.raises(UserError, match="the server refused POST /api/questionnaire: 422"):
        rehearse(url, odd, facts, Model(), 1)


def test_tests_by_invitation_are_left_alone(serve: Serve, monkeypatch) -> None:
    folder, test, url = serve()
    monkeypatch.setattr("snacbench.listening.answers.listeners.by_invitation", lambda _: True)
    with pytest.raises(UserError, match="by invitation; rehearse on a copy of its folder"):
        rehearse(url, test, read_facts(folder, test), Model(), 1)


def test_waits_where_the_server_asks_for_it(serve: Serve, monkeypatch) -> None:
    folder, test, url = serve()
    waited: list[float] = []
    monkeypatch.setattr("snacbench.listening.rehearse.time.sleep", waited.append)
    plain, busy = requests.Session.request, [True]

    def once_busy(session: requests.Session, *args: Any, **kwargs: Any) -> requests.Response:
        answer = plain(session, *args, **kwargs)
        if busy and args[0] == "GET":
            busy.pop()
            answer.status_code, answer.headers["Retry-After"] = 429, "2"
        return answer

    monkeypatch.setattr(requests.Session, "request", once_busy)
    done = rehearse(url, test, read_facts(folder, test), Model(), 1)
    assert waited == [2.0]
    assert done.pages == 4
    assert read_test(folder).id == test.id
