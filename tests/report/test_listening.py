"""The report's section on listening tests: from rows alone, and only where there are any."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from snacbench.report.build import Request, build
from snacbench.report.listening import mean_ratings
from snacbench.rows import (
    ComparisonSummary,
    ConditionSummary,
    ListenerScore,
    ListeningSummary,
)
from snacbench.store.folder import RunFolder
from tests.synthetic_runs import make_run

EVIL = "<script>alert(1)</script>\"'&"
CODECS = {"a@1kbps": 30.0, "a@2kbps": 50.0, "b": 70.0}


def condition(name: str, mean: float, domain: str = "all", **fields: Any) -> ConditionSummary:
    given = ConditionSummary(
        name, domain, mean, mean - 4, mean + 4, None, None, mean, mean - 9, mean + 9, 12, 4, 3
    )
    return replace(given, **fields)


SUMMARY = ListeningSummary(
    test="t1",
    title=f"A test {EVIL}",
    form="mushra",
    simulated=False,
    listeners_before=5,
    listeners=4,
    items=3,
    level=0.95,
    conditions=(
        *(condition(n, m, kbps=1.0 + m / 10) for n, m in CODECS.items()),
        condition("reference", 99.0),
        condition("anchor35", 20.0),
    ),
    text=f"In a MUSHRA listening test {EVIL}",
    notes=("4 listeners are few.",),
)
PAIRS = ListeningSummary(
    "t2", "Preferences", "ab", True, 5, 5, 3, 0.95,
    comparisons=(ComparisonSummary("a@1kbps", "b", 0.25, 0.1, 0.4, 0.03, 0.03, 5, (3, 2, 10)),),
)  # fmt: skip
TRIALS = ListeningSummary(
    "t3", "Hearing", "abx", False, 5, 5, 3, 0.95,
    comparisons=(ComparisonSummary("b", "reference", 0.75, 0.6, 0.9, 1e-9, 1e-9, 5, (30, 10)),),
)  # fmt: skip


def ratings(listener: str = "x", *, kept: bool = True) -> list[ListenerScore]:
    """Three clips, each codec rated by its mean, a little more for each later clip."""
    return [
        ListenerScore("t1", listener, f"i{k}", f"tiny/{k:03}", name, mean + k, kept)
        for name, mean in CODECS.items()
        for k in range(3)
    ]


@pytest.fixture
def run(tmp_path: Path) -> RunFolder:
    """Two metrics that agree with the listeners fully, `down` by falling."""
    scores = {
        name: {"up": mean + np.arange(3.0), "down": -mean - np.arange(3.0)}
        for name, mean in CODECS.items()
    }
    return make_run(tmp_path / "run", scores)


def page_of(run: RunFolder, target: Path) -> str:
    return build(run, target, Request(clips=0)).index.read_text("utf-8")


def test_a_run_without_a_listening_test_has_no_such_section(run: RunFolder, tmp_path: Path) -> None:
    assert "listening-test" not in page_of(run, tmp_path / "page")


def test_the_section_has_figure_table_and_paragraph(run: RunFolder, tmp_path: Path) -> None:
    run.append([*ratings(), SUMMARY])
    page = page_of(run, tmp_path / "page")
    assert "4 listeners (1 of 5 excluded) on 3 items" in page
    assert re.search(r">hidden reference</th><td>–</td><td>99.0", page)
    assert re.search(r'>70.0<small class="interval">66.0 to 74.0', page)
    assert "In a MUSHRA listening test &lt;script&gt;" in page
    assert "4 listeners are few." in page
    for name in ("scores", "distribution", "rate"):
        assert f"figures/listening-1-{name}.svg" in page
        assert (tmp_path / "page" / "figures" / f"listening-1-{name}.svg").is_file()
    assert "SIMULATED" not in page


def test_metrics_are_compared_with_what_listeners_said(run: RunFolder, tmp_path: Path) -> None:
    """Both metrics rank as the listeners, whichever way they count."""
    run.append([*ratings(), SUMMARY])
    page = page_of(run, tmp_path / "page")
    for metric in ("up", "down"):
        assert re.search(rf">{metric}</th><td>1.00", page), metric
    assert "9 of 3 clips" in page


def test_names_of_tests_are_escaped(run: RunFolder, tmp_path: Path) -> None:
    run.append([*ratings(EVIL), SUMMARY])
    assert "<script>alert" not in page_of(run, tmp_path / "page")


def test_the_last_analysis_counts(run: RunFolder, tmp_path: Path) -> None:
    run.append([SUMMARY, replace(SUMMARY, title="Anew")])
    page = page_of(run, tmp_path / "page")
    assert "<h3>Anew</h3>" in page
    assert page.count("<h3>A") == 1


def test_pairs_and_trials(run: RunFolder, tmp_path: Path) -> None:
    run.append([PAIRS, TRIALS])
    page = page_of(run, tmp_path / "page")
    assert "Listening tests</h2>" in page
    assert re.search(
        r"a@1kbps over b</th><td>25<small[^>]*>10 to 40</small></td><td>3 : 2 : 10<", page
    )
    assert re.search(r"b from hidden reference</th><td>75", page)
    assert "&lt; 0.001" in page
    assert (tmp_path / "page" / "figures" / "listening-2-answers.svg").is_file()


def test_simulated_listeners_are_named_everywhere(run: RunFolder, tmp_path: Path) -> None:
    run.append([*ratings(), replace(SUMMARY, simulated=True)])
    page = page_of(run, tmp_path / "page")
    assert "Nobody listened" in page
    assert "4 simulated listeners" in page
    for path in (tmp_path / "page" / "figures").glob("listening-*.svg"):
        assert "SIMULATED LISTENERS" in path.read_text("utf-8")


def test_only_kept_listeners_and_systems_are_in_the_mean_ratings() -> None:
    rows = [
        *ratings(),
        *(replace(row, score=0.0, kept=False) for row in ratings("bad")),
        *(replace(row, score=row.score + 10) for row in ratings("y")),
        ListenerScore("t1", "x", "i0", "tiny/000", "reference", 100.0),
        ListenerScore("t1", "x", "i9", "", "b", 1.0),
    ]
    found = mean_ratings(rows)
    assert found["b"] == {"tiny/000": 75, "tiny/001": 76, "tiny/002": 77}
    assert set(found) == set(CODECS)
