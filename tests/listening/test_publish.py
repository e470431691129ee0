"""Results as rows of a run, as files and figures, and the paragraph that says them."""

import csv
import re
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from snacbench.errors import StoreError, UserError
from snacbench.forms import ANCHOR35, ANCHOR70, REFERENCE
from snacbench.listening.analysis import analyse
from snacbench.listening.publish import paragraph, published, run_of, write_all, write_rows
from snacbench.listening.read import Source
from snacbench.listening.study import Listener
from snacbench.listening.test import Level
from snacbench.rows import ListenerScore, ListeningSummary
from snacbench.tables.listening_tables import listening_tables
from tests.support.studies import Scores, a_test, ab, abx, choice_study, listener_with, study_of
from tests.support.synthetic_runs import make_run

CLIPS = {"i0": "tiny/000", "i1": "tiny/001"}


def a_study(**fields):
    scores = listener_with("bad", 2, low_references=2)
    for n in range(5):
        scores |= listener_with(f"l{n}", 2, a=40.0 + n, b=60.0)
    return study_of(scores, clips=CLIPS, kbps={"a": 2.0, "b": 4.0}, **fields)


def a_run(path):
    values = np.array([1.0, 2.0])
    return make_run(path, {"a": {"up": values}, "b": {"up": values}})


def made(study, **source):
    return published(Source(study, **source), analyse(study))


def test_rows_hold_every_rating_but_no_text_of_listeners_and_replace_earlier_ones(tmp_path):
    study, run = a_study(), a_run(tmp_path / "run")
    listeners = tuple(replace(one, answers={"age": "secret-9"}) for one in study.listeners)
    ratings = tuple(replace(r, comment="secret-8") for r in study.ratings)
    write_rows(*made(replace(study, listeners=listeners, answers=ratings)), run)
    scores, (summary,) = list(run.read(ListenerScore)), run.read(ListeningSummary)
    assert len(scores) == 6 * 2 * 5
    assert {s.listener for s in scores if not s.kept} == {"bad"}
    assert {s.clip for s in scores} == set(CLIPS.values())
    assert (summary.listeners_before, summary.listeners, summary.items) == (6, 5, 2)
    assert {c.condition: c.mean for c in summary.conditions}["a"] == 42
    assert summary.comparisons[0].value == pytest.approx(-18)
    assert b"secret" not in b"".join(p.read_bytes() for p in run.path.glob("listening*"))

    write_rows(*made(a_study(name="other")), run)
    write_rows(*made(replace(study, answers=study.ratings[:10])), run)
    assert [s.test for s in run.read(ListeningSummary)] == ["other", "t"]
    assert Counter(s.test for s in run.read(ListenerScore)) == {"t": 10, "other": 60}
    with run.locked(), pytest.raises(StoreError, match="another snacbench is writing"):
        write_rows(*made(study), run)


def test_the_run_that_results_go_to(tmp_path):
    run, folder = a_run(tmp_path / "run"), tmp_path / "test"
    source = Source(a_study(), a_test(run="../run", run_id=run.run.id), folder)
    found = run_of(source, None)
    assert found
    assert found.path.samefile(run.path)
    for other in ({"run": "../run", "run_id": "another"}, {"run": "../gone", "run_id": "r"}):
        assert run_of(replace(source, test=a_test(**other)), None) is None
    assert run_of(Source(a_study()), None) is None
    with pytest.raises(UserError, match=r"the run is of another test set \(tiny\)"):
        run_of(replace(source, test=a_test(set_sha256="cd" * 32)), run.path)
    with pytest.raises(UserError, match=r"none of the systems that were listened to \(x, y\)"):
        run_of(Source(a_study(systems=("x", "y"))), run.path)


@pytest.fixture
def one_format(monkeypatch):
    monkeypatch.setattr("snacbench.listening.publish.FIGURE_FORMATS", ("svg",))


def files_of(study, folder):
    analysis = analyse(study)
    paths = write_all(analysis, *published(Source(study), analysis), folder)
    return {path.name: path for path in paths}


def row_of(path, **wanted):
    with path.open() as stream:
        (row,) = [row for row in csv.DictReader(stream) if wanted.items() <= row.items()]
    return row


def test_files_of_a_mushra_test_are_the_same_for_the_same_answers(tmp_path):
    study = a_study()
    told = tuple(replace(one, answers={"age": "33"}) for one in study.listeners)
    found, again = (files_of(replace(study, listeners=told), tmp_path / name) for name in "xy")
    for name, path in found.items():
        assert path.read_bytes() == again[name].read_bytes(), name
    tables = {f"{name}.csv" for name in ("scores", "pairs", "items", "listeners")}
    figures = {"scores.svg", "scores.pdf", "scores.png", "distribution.svg", "rate.svg"}
    assert {"summary.md", "paragraph.txt", "tables.tex"} | tables | figures <= set(found)
    row = row_of(found["scores.csv"], screening="after", condition="a", domain="all")
    assert (float(row["mean"]), row["kbps"], row["listeners"]) == (42, "2.0", "5")
    bad = row_of(found["listeners.csv"], listener="bad")
    assert (bad["kept"], bad["question_age"]) == ("no", "33")
    assert "Excluded bad: hidden reference below 90" in found["summary.md"].read_text("utf-8")


@pytest.mark.parametrize(("study", "names", "said"), [
    (choice_study(ab("x", "abt"), "ab", ("a", "b")), {"preferences.csv"}, "a over b"),
    (choice_study(abx("x", 3, 4), "abx", ("a", "b")), {"abx.csv", "abx-listeners.csv"},
     "a from hidden reference"),
])  # fmt: skip
@pytest.mark.usefixtures("one_format")
def test_files_of_choices(tmp_path, study, names, said):
    found = files_of(study, tmp_path)
    assert names | {"answers.svg", "listeners.csv"} <= set(found)
    assert said in found["summary.md"].read_text("utf-8")


@pytest.mark.usefixtures("one_format")
def test_nobody_left_a_name_like_a_formula_and_a_folder_that_cannot_be_written(tmp_path):
    files_of(a_study(), tmp_path / "out")  # of which nothing may stay
    found = files_of(study_of(listener_with("=1+1", 2, low_references=2)), tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(found)
    assert "No answers are left" in found["paragraph.txt"].read_text("utf-8")
    assert "\n'=1+1," in found["listeners.csv"].read_text("utf-8")
    with pytest.raises(StoreError, match=r"cannot write the analysis to .*choose another folder"):
        files_of(a_study(), found["paragraph.txt"] / "out")


def test_notes_tell_what_was_left_out_and_whether_so_few_can_show_anything():
    study = a_study()
    idle = (*study.listeners, Listener("idle"))
    study = replace(study, answers=study.ratings[:-1], listeners=idle)  # one page lacks a condition
    summary, _ = made(study, notes=("4 ratings that came twice counted once",))
    text = " ".join(summary.notes)
    for part in ("that came twice", "1 pages lacked a condition", "1 listeners began", "are few"):
        assert part in text
    few = "So few listeners cannot show any difference: the smallest p that 5 can give is 0.06"
    summary, _ = made(a_study())
    assert few in " ".join(listening_tables(summary)[1].footnotes)
    summary = replace(summary, level=0.5)
    assert few not in " ".join(listening_tables(summary)[1].footnotes)


def said(study, *, rules=True, **test):
    return paragraph(Source(study, a_test(**test) if test else None), analyse(study, rules=rules))


def eight(*without):
    """Eight listeners who all rate b above a, each a little differently."""
    scores: Scores = {}
    for n in range(8):
        scores |= listener_with(f"l{n}", 4, a=40.0 + n, b=60.0 + 2 * n)
    kept = {page: {c: s for c, s in of.items() if c not in without} for page, of in scores.items()}
    return study_of(kept)


def bad():
    """The eight, and three who are excluded."""
    scores = listener_with("x", 4, low_references=4) | listener_with("z", 2)
    scores |= listener_with("y", 4, low_references=4, high_anchors=4)
    good, others = eight(), study_of(scores)
    listeners = [replace(one, pages_planned=4) for one in good.listeners + others.listeners]
    return replace(good, answers=good.ratings + others.ratings, listeners=tuple(listeners))


KNOWN = replace(eight(), kbps={"a": 2.648}, domains={"i0": "speech", "i1": "music"})
EASY = tuple(replace(r, score=95.0) if (r.item, r.condition) == ("i0", ANCHOR70) else r
             for r in eight().ratings)  # fmt: skip
EQUAL = {(f"l{n}", f"i{k}"): {"a": 50.0 + n * (-1) ** n, "b": 50.0, "c": 50.0 + k}
         for n in range(6) for k in range(2)}  # fmt: skip


@pytest.mark.parametrize(("text", "parts", "absent"), [
    (said(eight()),
     ["2 systems (a, b), the hidden reference, a 3.5 kHz low-pass anchor and a 7 kHz low-pass",
      "on 4 items. 8 listeners took part; none was excluded.", "(a t interval on listener",
      "Mean scores were b 67.0 [", "a 43.5 [", "level of 0.05, b was rated higher than a."],
     "LUFS|Friedman"),  # a CSV does not tell; of two systems
    (said(KNOWN, rules=False, pages_per_listener=4),
     ["a at 2.65 kbps, b", "(1 speech, 1 music) of at most 8 s. One gain per item",
      "−23 LUFS, or", "−1 dBTP", "subset of 4 pages. 1 training page came first",
      "The post-screening of BS.1534-3 was not applied."], "hides"),
    (said(KNOWN, level=Level(match_per_condition=True)),
     ["Every condition was set to −23 LUFS on its own, which hides errors"], "One gain"),
    (said(bad()),
     ["Of 11 listeners, 3 were excluded (1 did not finish, 2 rated the hidden reference below",
      "1 rated the 7 kHz anchor above", "1 of them more than one of these), which leaves 8."],
     "none was"),
    (said(study_of(listener_with("x", 4, low_references=4))),
     ["which leaves 0. No answers are left to report."], "Mean"),
    (said(eight(ANCHOR35, ANCHOR70)), ["2 systems (a, b) and the hidden reference against",
      "Listeners were screened by the hidden reference alone."], "anchor"),
    (said(eight(ANCHOR70, REFERENCE)),
     ["There was no hidden reference to screen listeners by."], "hidden reference alone"),
    (said(replace(eight(), answers=EASY)), ["On 1 item the 7 kHz anchor was not held"], "LUFS"),
    (said(study_of(EQUAL)),
     ["did not differ significantly (Friedman: chi-square(2) =", "no pair differed"], "LUFS"),
    (said(choice_study([c for n in range(7) for c in ab(f"l{n}", "aab")], "ab"), form="ab"),
     ["In an AB preference test, listeners said of pairs of 2 systems (a, b)", "sign tests",
      "Preferences were a over b 67 %", "a was preferred to b."], "BS.1534"),
    (said(choice_study([*abx("x", 8, 8), *abx("y", 4, 8)], "abx", ("a",))),
     ["Listeners told a from the reference in 12 of 16 trials (75 %",
      "p = 0.038 after correction); 1 of 2 listeners was above chance."], "BS.1534"),
])  # fmt: skip
def test_what_is_known_is_said_and_nothing_else(text, parts, absent):
    assert [part for part in parts if part not in text] == []
    assert not re.search(absent, text)
