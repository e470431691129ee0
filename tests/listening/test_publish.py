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
from snacbench.listening.analysis.analyse import Analysis, analyse
from snacbench.listening.analysis.study_tables import tables_of, too_few_note, write_all
from snacbench.listening.publish import Published, published, run_of, write_rows
from snacbench.listening.read import Source
from snacbench.listening.study import Study
from snacbench.rows import ListenerScore, ListeningSummary
from snacbench.store.run_folder import RunFolder
from snacbench.tables.writers import to_markdown
from tests.support.studies import a_test, ab, abx, choice_study, listener_with, study_of
from tests.support.synthetic_runs import make_run

CLIPS = {"i0": "tiny/000", "i1": "tiny/001"}


def a_study(**fields: Any) -> Study:
    scores = {
        k: v for n in range(5) for k, v in listener_with(f"l{n}", 2, a=40.0 + n, b=60.0).items()
    }
    bad = listener_with("bad", 2, low_references=2)
    return study_of({**scores, **bad}, clips=CLIPS, kbps={"a": 2.0, "b": 4.0}, **fields)


def a_run(path: Path) -> RunFolder:
    values = np.array([1.0, 2.0])
    return make_run(path, {"a": {"up": values}, "b": {"up": values}})


def made(study: Study, **source: Any) -> tuple[Analysis, Published]:
    analysis = analyse(study)
    return analysis, published(Source(study, **source), analysis)


def test_rows_hold_every_rating_and_who_was_kept_but_no_text_of_listeners(tmp_path: Path) -> None:
    study, run = a_study(), a_run(tmp_path / "run")
    listeners = tuple(replace(one, answers={"age": "secret-9"}) for one in study.listeners)
    ratings = tuple(replace(r, comment="secret-8") for r in study.ratings)
    write_rows(made(replace(study, listeners=listeners, ratings=ratings))[1], run)
    scores, (summary,) = list(run.read(ListenerScore)), run.read(ListeningSummary)
    assert len(scores) == 6 * 2 * 5
    assert {s.listener for s in scores if not s.kept} == {"bad"}
    assert {s.clip for s in scores} == set(CLIPS.values())
    assert (summary.listeners_before, summary.listeners, summary.items) == (6, 5, 2)
    assert {c.condition: c.mean for c in summary.conditions}["a"] == 42
    assert summary.comparisons[0].value == pytest.approx(-18)
    assert summary.text.startswith("In a MUSHRA")
    assert b"secret" not in b"".join(p.read_bytes() for p in run.path.glob("listening*"))


def test_a_second_analysis_replaces_the_first_and_leaves_other_tests_alone(tmp_path: Path) -> None:
    run = a_run(tmp_path / "run")
    write_rows(made(a_study())[1], run)
    write_rows(made(a_study(name="other"))[1], run)
    write_rows(made(replace(a_study(), ratings=a_study().ratings[:10]))[1], run)
    assert [s.test for s in run.read(ListeningSummary)] == ["other", "t"]
    assert Counter(s.test for s in run.read(ListenerScore)) == {"t": 10, "other": 60}
    with run.locked(), pytest.raises(StoreError, match="another snacbench is writing"):
        write_rows(made(a_study())[1], run)


# ------------------------------------------------------------------------- which run they go to


def test_the_tests_own_run_is_found_where_it_still_is_that_run(tmp_path: Path) -> None:
    run, folder = a_run(tmp_path / "run"), tmp_path / "test"
    source = Source(a_study(), a_test(run="../run", run_id=run.run.id), folder)
    found = run_of(source, None)
    assert found
    assert found.path.samefile(run.path)
    assert run_of(replace(source, test=a_test(run="../run", run_id="another")), None) is None
    assert run_of(replace(source, test=a_test(run="../gone", run_id="r")), None) is None
    assert run_of(Source(a_study()), None) is None
    simulated = replace(source, study=a_study(simulated=True))  # goes only where it is sent
    assert run_of(simulated, None) is None
    assert run_of(simulated, run.path)


@pytest.mark.parametrize(
    ("test", "systems", "message"),
    [
        ({"set_sha256": "cd" * 32}, ("a", "b"), r"the run is of another test set \(tiny\)"),
        (None, ("x", "y"), r"none of the systems that were listened to \(x, y\)"),
    ],
)
def test_a_run_that_does_not_fit_is_refused(
    tmp_path: Path, test: dict[str, Any] | None, systems: tuple[str, ...], message: str
) -> None:
    source = Source(a_study(systems=systems), a_test(**test) if test else None)
    with pytest.raises(UserError, match=message):
        run_of(source, a_run(tmp_path / "run").path)


# -------------------------------------------------------------------------------- files, figures


def files_of(study: Study, folder: Path) -> dict[str, Path]:
    analysis, rows = made(study)
    return {path.name: path for path in write_all(analysis, rows.summary, rows.scores, folder)}


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open() as stream:
        return list(csv.DictReader(stream))


def test_files_of_a_mushra_test_are_the_same_for_the_same_answers(tmp_path: Path) -> None:
    study = replace(a_study(), simulated=True)
    found, again = (files_of(study, tmp_path / name) for name in "xy")
    for name, path in found.items():
        assert path.read_bytes() == again[name].read_bytes(), name
    tables = {f"{name}.csv" for name in ("scores", "pairs", "items", "listeners")}
    figures = {"scores.svg", "scores.pdf", "scores.png", "distribution.svg", "rate.svg"}
    assert {"summary.md", "paragraph.txt", "tables.tex"} | tables | figures <= set(found)
    check_all_say_simulated(found)
    wanted = {"screening": "after", "condition": "a", "domain": "all"}
    (row,) = [row for row in rows_of(found["scores.csv"]) if wanted.items() <= row.items()]
    assert (float(row["mean"]), row["kbps"], row["listeners"]) == (42, "2.0", "5")
    (bad,) = [row for row in rows_of(found["listeners.csv"]) if row["listener"] == "bad"]
    assert bad["kept"] == "no"
    assert bad["excluded"].startswith("hidden reference below 90 on 2 of 2 items")


def check_all_say_simulated(found: dict[str, Path]) -> None:
    for name, path in found.items():
        if path.suffix in (".md", ".txt", ".tex", ".csv", ".svg"):
            assert "simulated" in path.read_text("utf-8").lower(), name


@pytest.mark.parametrize(
    ("form", "choices", "names"),
    [
        ("ab", ab("x", "abt"), {"preferences.csv", "answers.svg", "listeners.csv"}),
        ("abx", abx("x", 3, 4), {"abx.csv", "abx-listeners.csv", "answers.svg"}),
    ],
)
def test_files_of_choices(tmp_path: Path, form: str, choices: Any, names: set[str]) -> None:
    study = choice_study(choices, form, ("a", "b"))
    found = files_of(replace(study, simulated=True), tmp_path)
    assert names <= set(found)
    check_all_say_simulated(found)


def test_nobody_left_still_gives_files_and_a_name_like_a_formula_is_none(tmp_path: Path) -> None:
    files_of(a_study(), tmp_path)  # of which nothing may stay
    found = files_of(study_of(listener_with("=1+1", 2, low_references=2)), tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == set(found)
    assert "No ratings are left" in found["paragraph.txt"].read_text("utf-8")
    assert "\n'=1+1," in found["listeners.csv"].read_text("utf-8")


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"cannot write to .* choose another folder with -o"):
        files_of(a_study(), tmp_path / "file" / "out")


# --------------------------------------------------------------------------------------- tables


def test_tables_show_before_and_after() -> None:
    text = to_markdown(tables_of(made(a_study())[0]))
    (line,) = [line for line in text.splitlines() if line.startswith("| hidden reference")]
    assert " 90.0 " in line
    assert " 89.8 " in line  # with the one who missed it


def test_too_few_listeners_to_show_anything_is_said() -> None:
    analysis, _ = made(a_study())
    (note,) = too_few_note(analysis, 3)
    assert note.startswith(
        "5 listeners cannot show any difference: the smallest p that they can give is 0.06"
    )
    assert too_few_note(replace(analysis, level=0.5), 1) == []


def test_notes_tell_what_was_left_out() -> None:
    study = a_study()
    study = replace(study, ratings=study.ratings[:-1])  # one page lacks a condition
    _, rows = made(study, notes=("4 ratings that came twice counted once",))
    text = " ".join(rows.summary.notes)
    assert "4 ratings that came twice counted once." in text
    assert "1 pages lacked a condition that others rated there and were left out" in text
    assert "listeners are few" in text
