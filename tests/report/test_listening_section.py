"""The report's section on listening tests: from rows alone, and only where there are any."""

import re
from dataclasses import replace

import numpy as np
import pytest

from snacbench.report.build import build_report, listening_sections
from snacbench.rows import ComparisonSummary, ConditionSummary, ListenerScore, ListeningSummary
from snacbench.tables.run_rows import RunRows
from tests.support.synthetic_runs import make_run

EVIL = "<script>alert(1)</script>\"'&"
CODECS = {"a@1kbps": 30.0, "a@2kbps": 50.0, "b": 70.0}


def condition(name, mean, domain="all", **fields):
    ends = (mean - 4, mean + 4, None, None, mean, mean - 9, mean + 9)
    return replace(ConditionSummary(name, domain, mean, *ends, 12, 4, 3), **fields)


SUMMARY = ListeningSummary(
    "t1", f"A test {EVIL}", "mushra", False, 5, 4, 3, 0.95,
    conditions=(*(condition(n, m, kbps=1.0 + m / 10) for n, m in CODECS.items()),
                condition("reference", 99.0), condition("anchor35", 20.0)),
    text=f"In a MUSHRA listening test {EVIL}", notes=("4 listeners are few.",),
)  # fmt: skip
ANSWERS = ComparisonSummary("a@1kbps", "b", 0.25, 0.1, 0.4, 0.03, 0.03, 5, (3, 2, 10))
PAIRS = replace(SUMMARY, test="t2", form="ab", conditions=(), comparisons=(ANSWERS,))
RIGHT = ComparisonSummary("b", "reference", 0.75, 0.6, 0.9, 1e-9, 1e-9, 5, (30, 10))
TRIALS = replace(PAIRS, test="t3", form="abx", comparisons=(RIGHT,))


def ratings(listener="x", *, kept=True):
    """Three clips, each codec rated by its mean, a little more for each later clip."""
    return [
        ListenerScore("t1", listener, f"i{k}", f"tiny/{k:03}", name, mean + k, kept)
        for name, mean in CODECS.items()
        for k in range(3)
    ]


@pytest.fixture
def run(tmp_path):
    """Two metrics that agree with the listeners fully, `down` by falling."""
    up = {name: mean + np.arange(3.0) for name, mean in CODECS.items()}
    scores = {name: {"up": values, "down": -values} for name, values in up.items()}
    return make_run(tmp_path / "run", scores)


def test_the_page_has_figure_table_and_paragraph(run, tmp_path):
    """Of the last analysis, escaped; both metrics rank as the listeners, however they count."""
    assert listening_sections(run, RunRows.load(run), tmp_path) == []
    run.append([*ratings(EVIL), replace(SUMMARY, title="Before"), SUMMARY])
    page = build_report(run, tmp_path / "page", clips=0).read_text("utf-8")
    for part in (
        r"4 listeners \(1 of 5 excluded\) on 3 items",
        ">hidden reference</th><td>–</td><td>99.0",
        r'>70.0 <span class="ends">\[66.0, 74.0\]',
        "In a MUSHRA listening test &lt;script&gt;",
        "4 listeners are few",
        *(f"figures/listening-1-{name}.svg" for name in ("scores", "distribution", "rate")),
        "9 of 10 cells, 3 of 5 items",
    ):
        assert re.search(part, page), part
    assert not re.search("<script>alert|Before|SIMULATED", page)
    assert len(list((tmp_path / "page" / "figures").glob("listening-1-*.svg"))) == 3


def test_pairs_trials_and_simulated_listeners(run, tmp_path):
    run.append([PAIRS, TRIALS, *ratings(), replace(SUMMARY, simulated=True)])
    pairs, trials, simulated = listening_sections(run, RunRows.load(run), tmp_path)
    row = r"a@1kbps over b</th><td>25 <span[^>]*>\[10, 40\]</span></td><td>3 : 2 : 10<"
    assert re.search(row, pairs["table"])
    assert re.search(r"b from hidden reference</th><td>75", trials["table"])
    assert "&lt; 0.001" in trials["table"]
    assert (pairs["agreement"], trials["form"]) == ("", "ABX")
    assert (tmp_path / "figures" / "listening-2-answers.svg").is_file()
    assert "(simulated)" in simulated["table"]
    assert "(simulated)" in simulated["agreement"]
    figures = list((tmp_path / "figures").glob("listening-3-*.svg"))
    assert all("SIMULATED LISTENERS" in path.read_text("utf-8") for path in figures)
    page = build_report(run, tmp_path / "page", clips=0).read_text("utf-8")
    assert "4 simulated listeners" in page
