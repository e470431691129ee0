"""A run's rows as they are read: rows written twice, units, the tidy frame."""

from __future__ import annotations

import math

import pytest

from snacbench.rows import Bits
from snacbench.tables.from_runs import summary_csv
from snacbench.tables.run_rows import (
    MOST_UNITS,
    ClipFacts,
    RunRows,
    scores_frame,
    scores_of,
    units_of,
)
from tests.support.written_runs import NEURAL, coded, histograms, of, score


def test_rows_that_a_killed_process_wrote_twice_count_once(folder, tmp_path):
    before = summary_csv([RunRows.load(folder)])
    folder.append([coded("b", "music", 3.0, Bits(codes=180)), score("b", "up", 20.0)])
    folder.append(histograms("b", [10, 10], [20]))
    assert summary_csv([RunRows.load(folder)]) == before
    empty = of(tmp_path / "empty", [coded(clip, "speech", 1.0, Bits(codes=8)) for clip in "abc"])
    empty.append([score("a", "up", 1.0), score("b", "up", None), score("a", "up", 3.0)])
    empty.append([score("elsewhere", "up", 7.0)])  # of a clip that was never coded
    rows = RunRows.load(empty)
    assert rows.clips[3].id == "elsewhere"
    assert scores_of([rows], "up", "all")[NEURAL.name] == {"a": 3.0}
    assert rows.codecs[0].scores["up"]["undefined"].tolist() == [False, True, False, False]


def test_a_run_of_some_codecs_or_without_histograms(rows, folder):
    only = rows.only({"plain"})
    assert [spec.name for spec in only.run.codecs] == ["plain"]
    assert only.codecs == (rows.codec("plain"),)
    assert rows.codecs[0].entropies("all")
    assert RunRows.load(folder, histograms=False).codecs[0].entropies("all") == ()


def test_the_frame_of_scores_is_tidy_and_says_why_one_is_missing(folder):
    folder.append([score("a", "up", 11.0)])
    frame = scores_frame(folder.path)
    columns = "clip domain cluster codec model kbps tokens_per_s metric value status reason"
    assert " ".join(frame.columns) == columns
    assert len(frame) == 6
    found = {(r["clip"], r["codec"], r["metric"]): r for r in frame.to_dict("records")}
    a, b = found["a", NEURAL.name, "up"], found["b", NEURAL.name, "down"]
    assert (a["value"], a["domain"], a["model"], a["tokens_per_s"]) == (11, "speech", "neural", 30)
    assert a["kbps"] == pytest.approx(0.108)
    assert (b["status"], b["reason"], b["domain"]) == ("undefined", "silent", "music")
    assert math.isnan(b["value"])
    assert math.isnan(found["c", NEURAL.name, "up"]["kbps"])
    assert frame["cluster"].isna().all()


def clips(domain: str, *clusters: str | None) -> list[ClipFacts]:
    return [ClipFacts(f"{domain}{i}", domain, cluster) for i, cluster in enumerate(clusters)]


def test_clips_of_a_speaker_are_one_unit_in_each_domain_anew():
    found = units_of([*clips("speech", *"aabbcdef"), *clips("music", *"uvwxyz")])
    assert [found[f"speech{i}"] for i in range(8)] == [0, 0, 1, 1, 2, 3, 4, 5]
    assert [found[f"music{i}"] for i in range(6)] == [0, 1, 2, 3, 4, 5]
    assert list(units_of(clips("speech", None, "a", None)).values()) == [0, 1, 2]


@pytest.mark.parametrize(
    ("clusters", "units"),
    [("aabbb", 5), ("abcabca", 7), ([f"s{i}" for i in range(100)], MOST_UNITS)],
)
def test_no_speaker_is_in_both_halves(clusters, units):
    """Clips of few speakers are units themselves; many speakers share units."""
    found = list(units_of(clips("speech", *clusters)).values())
    assert len(set(found)) == units
    halves = {(c, n % 2) for c, n in zip(clusters, found, strict=True)}
    assert len(halves) == len(set(clusters))
