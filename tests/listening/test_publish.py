"""Results as rows of a run, as files, and as figures."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snacbench.errors import StoreError, UserError
from snacbench.listening.analysis.analyse import analyse
from snacbench.listening.analysis.output import write_all
from snacbench.listening.publish import published, run_of, write_rows
from snacbench.listening.read import Source
from snacbench.listening.study import Listener, Study
from snacbench.rows import ListenerScore, ListeningSummary
from snacbench.store.run_folder import RunFolder
from snacbench.tables.listening_tables import listening_tables
from tests.support.studies import a_test, ab, abx, choice_study, listener_with, study_of
from tests.support.synthetic_runs import make_run

CLIPS = {"i0": "tiny/000", "i1": "tiny/001"}


def a_study(**fields: Any) -> Study:
    scores = listener_with("bad", 2, low_references=2)
    for n in range(5):
        scores |= listener_with(f"l{n}", 2, a=40.0 + n, b=60.0)
    return study_of(scores, clips=CLIPS, kbps={"a": 2.0, "b": 4.0}, **fields)


def a_run(path: Path) -> RunFolder:
    values = np.array([1.0, 2.0])
    return make_run(path, {"a": {"up": values}, "b": {"up": values}})


def made(study: Study, **source: Any) -> tuple[ListeningSummary, list[ListenerScore]]:
    return published(Source(study, **source), analyse(study))


def test_rows_hold_every_rating_but_no_text_of_listeners_and_replace_earlier_ones(
    tmp_path: Path,
) -> None:
    study, run = a_study(), a_run(tmp_path / "run")
    listeners = tuple(replace(one, answers={"age": "secret-9"}) for one in study.listeners)
    ratings = tuple(replace(r, comment="secret-8") for r in study.ratings)
    write_rows(*made(replace(study, listeners=listeners, ratings=ratings)), run)
    scores, (summary,) = list(run.read(ListenerScore)), run.read(ListeningSummary)
    assert len(scores) == 6 * 2 * 5
    assert {s.listener for s in scores if not s.kept} == {"bad"}
    assert {s.clip for s in scores} == set(CLIPS.values())
    assert (summary.listeners_before, summary.listeners, summary.items) == (6, 5, 2)
    assert {c.condition: c.mean for c in summary.conditions}["a"] == 42
    assert summary.comparisons[0].value == pytest.approx(-18)
    assert summary.text.startswith("In a MUSHRA")
    assert b"secret" not in b"".join(p.read_bytes() for p in run.path.glob("listening*"))

    write_rows(*made(a_study(name="other")), run)
    write_rows(*made(replace(study, ratings=study.ratings[:10])), run)
    assert [s.test for s in run.read(ListeningSummary)] == ["other", "t"]
    assert Counter(s.test for s in run.read(ListenerScore)) == {"t": 10, "other": 60}
    with run.locked(), pytest.raises(StoreError, match="another snacbench is writing"):
        write_rows(*made(study), run)


def test_the_run_that_results_go_to(tmp_path: Path) -> None:
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


def files_of(study: Study, folder: Path) -> dict[str, Path]:
    analysis = analyse(study)
    paths = write_all(analysis, *published(Source(study), analysis), folder)
    return {path.name: path for path in paths}


def row_of(path: Path, **wanted: str) -> dict[str, str]:
    with path.open() as stream:
        (row,) = [row for row in csv.DictReader(stream) if wanted.items() <= row.items()]
    return row


def test_files_of_a_mushra_test_are_the_same_for_the_same_answers(tmp_path: Path) -> None:
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
    assert (bad["kept"], bad["said_age"]) == ("no", "33")
    assert "Excluded bad: hidden reference below 90" in found["summary.md"].read_text("utf-8")


@pytest.mark.parametrize(
    ("study", "names", "said"),
    [
        (choice_study(ab("x", "abt"), "ab", ("a", "b")), {"preferences.csv"}, "a over b"),
        (choice_study(abx("x", 3, 4), "abx", ("a", "b")), {"abx.csv", "abx-listeners.csv"},
         "a from hidden reference"),
    ],
)  # fmt: skip
def test_files_of_choices(tmp_path: Path, study: Study, names: set[str], said: str) -> None:
    found = files_of(study, tmp_path)
    assert names | {"answers.svg", "listeners.csv"} <= set(found)
    assert said in found["summary.md"].read_text("utf-8")


def test_nobody_left_a_name_like_a_formula_and_a_folder_that_cannot_be_written(
    tmp_path: Path,
) -> None:
    files_of(a_study(), tmp_path / "out")  # of which nothing may stay
    found = files_of(study_of(listener_with("=1+1", 2, low_references=2)), tmp_path / "out")
    assert {path.name for path in (tmp_path / "out").iterdir()} == set(found)
    assert "No answers are left" in found["paragraph.txt"].read_text("utf-8")
    assert "\n'=1+1," in found["listeners.csv"].read_text("utf-8")
    with pytest.raises(StoreError, match=r"cannot write to .* choose another folder with -o"):
        files_of(a_study(), found["paragraph.txt"] / "out")


def test_notes_tell_what_was_left_out_and_whether_so_few_can_show_anything() -> None:
    study = a_study()
    idle = (*study.listeners, Listener("idle", finished=False))
    study = replace(study, ratings=study.ratings[:-1], listeners=idle)  # one page lacks a condition
    summary, _ = made(study, notes=("4 ratings that came twice counted once",))
    text = " ".join(summary.notes)
    for part in ("that came twice", "1 pages lacked a condition", "1 listeners began", "are few"):
        assert part in text
    few = "So few listeners cannot show any difference: the smallest p that 5 can give is 0.06"
    summary, _ = made(a_study())
    assert few in " ".join(listening_tables(summary)[1].footnotes)
    summary = replace(summary, level=0.5)
    assert few not in " ".join(listening_tables(summary)[1].footnotes)
