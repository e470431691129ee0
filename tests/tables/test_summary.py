from __future__ import annotations

import math
from dataclasses import replace

import pandas as pd
import pytest
from scipy.special import digamma

from snacbench.rows import Bits, Coded
from snacbench.store.folder import RunFolder
from snacbench.tables.run import RunRows
from snacbench.tables.summary import summary
from tests.tables.conftest import NEURAL, RUN, coded, histograms, score

COLUMNS = (
    "codec,domain,n,nominal_kbps,actual_kbps,entropy_kbps,entropy_low_kbps,entropy_high_kbps,"
    "efficiency,efficiency_low,efficiency_high,bitrate_efficiency,tokens_per_s,rtf_encode,"
    "rtf_encode_low,rtf_encode_high,rtf_decode,rtf_decode_low,rtf_decode_high,rtf_batch,"
    "rtf_unstable,params_m,up,n_up,down,n_down"
)


def row(frame: pd.DataFrame, codec: str, domain: str) -> pd.Series:
    (found,) = [r for _, r in frame.iterrows() if (r["codec"], r["domain"]) == (codec, domain)]
    return found


@pytest.fixture
def frame(rows) -> pd.DataFrame:
    return summary([rows])


@pytest.fixture
def overall(frame) -> pd.Series:
    return row(frame, NEURAL.name, "all")


def test_columns_are_fixed_and_metrics_follow_in_the_order_planned(frame):
    assert ",".join(frame.columns) == COLUMNS


def test_one_row_per_codec_and_domain_that_was_tried(frame):
    assert list(zip(frame["codec"], frame["domain"], strict=True)) == [
        (NEURAL.name, "speech"),
        (NEURAL.name, "music"),
        (NEURAL.name, "all"),
        ("plain", "speech"),
        ("plain", "all"),
    ]


def test_rates_are_totals_over_totals_and_no_means_of_rates(overall):
    assert overall["actual_kbps"] == pytest.approx((108 + 180) / 4.0 / 1000)


def test_entropy_is_pooled_over_clips_and_side_information_added(overall):
    # Stream 0: two codes in equal shares, 40 tokens; stream 1: one code, so no information.
    first_bits = (digamma(40) - digamma(20)) / math.log(2)
    assert overall["entropy_kbps"] == pytest.approx((first_bits * 40 + 8) / 4.0 / 1000)
    assert overall["efficiency"] == pytest.approx(10 * first_bits / (10 * 2 + 20 * 4))
    assert overall["bitrate_efficiency"] == pytest.approx(10 * 1.0 / (10 * 2 + 20 * 4))
    assert overall[["entropy_low_kbps", "efficiency_high"]].isna().all()


def test_fewer_tokens_than_entries_give_a_range_and_no_number(tmp_path):
    made = RunFolder.create(tmp_path / "few", RUN, [])
    made.append([coded("a", "speech", 1.0, Bits(100, 8)), *histograms("a", [10, 10], [8, 7])])
    found = row(summary([RunRows.load(made)]), NEURAL.name, "all")
    first = (digamma(20) - digamma(10)) / math.log(2)
    second = -sum(n / 15 * math.log2(n / 15) for n in (8, 7))  # plug-in: a lower end
    assert found[["entropy_kbps", "efficiency"]].isna().all()
    assert found["entropy_low_kbps"] == pytest.approx((20 * first + 15 * second + 8) / 1000)
    assert found["entropy_high_kbps"] == pytest.approx((20 * first + 15 * 4 + 8) / 1000)
    assert found["efficiency_high"] == pytest.approx((10 * first + 20 * 4) / 100)


def test_what_is_known_of_a_codec_stands_in_every_row(frame, overall):
    assert (overall["nominal_kbps"], overall["tokens_per_s"], overall["params_m"]) == (0.1, 30, 1.5)
    missing = ["nominal_kbps", "tokens_per_s", "params_m", "entropy_kbps", "efficiency", "down"]
    assert row(frame, "plain", "all")[missing].isna().all()


def test_means_are_over_ok_scores_with_their_n(overall):
    assert (overall["up"], overall["n_up"]) == (15.0, 2)
    assert (overall["down"], overall["n_down"]) == (3.0, 1)


@pytest.mark.parametrize("status", ["failed", "undefined", "skipped"])
def test_a_score_that_is_not_ok_counts_nowhere_even_with_a_value(folder, status):
    folder.append([replace(score("b", "up", 1e6), status=status)])
    overall = row(summary([RunRows.load(folder)]), NEURAL.name, "all")
    assert (overall["up"], overall["n_up"]) == (10.0, 1)


def test_clips_that_failed_to_code_count_nowhere(frame, overall):
    assert overall["n"] == 2
    assert (row(frame, NEURAL.name, "music")[["n", "up"]] == [1, 20.0]).all()


def test_a_codec_that_failed_everywhere_has_a_row_without_numbers(tmp_path):
    made = RunFolder.create(tmp_path / "f", RUN, [])
    made.append([Coded("c", NEURAL.name, "failed", "why", "music", 1.0), score("c", "up", 1.0)])
    found = row(summary([RunRows.load(made)]), NEURAL.name, "all")
    assert (found["n"], found["n_up"]) == (0, 0)
    assert found[["up", "actual_kbps", "entropy_kbps", "rtf_encode"]].isna().all()


def test_rows_that_a_killed_process_wrote_twice_count_once(folder, frame):
    folder.append([coded("b", "music", 3.0, Bits(codes=180)), score("b", "up", 20.0)])
    folder.append(histograms("b", [10, 10], [20]))
    pd.testing.assert_frame_equal(summary([RunRows.load(folder)]), frame)


def test_of_two_rows_the_last_counts(folder):
    folder.append([score("b", "up", 40.0)])
    assert row(summary([RunRows.load(folder)]), NEURAL.name, "all")["up"] == 25.0


def test_a_speed_is_the_codecs_in_every_domain(frame):
    for domain in ("speech", "music", "all"):
        found = row(frame, NEURAL.name, domain)
        assert (found["rtf_encode"], found["rtf_decode"]) == (0.5, 1.0)
        assert (found["rtf_encode_low"], found["rtf_encode_high"]) == (0.45, 0.6)
        assert (found["rtf_batch"], found["rtf_unstable"]) == (1, "")


def test_a_clip_without_bits_leaves_no_rate_rather_than_a_wrong_one(folder):
    folder.append([replace(coded("b", "music", 3.0, Bits()), bits=None)])
    overall = row(summary([RunRows.load(folder)]), NEURAL.name, "all")
    assert math.isnan(overall["actual_kbps"])
    assert math.isnan(overall["entropy_kbps"])


def test_a_clip_without_histograms_leaves_no_entropy_rather_than_a_wrong_one(folder):
    folder.append([coded("d", "music", 3.0, Bits(180))])
    frame = summary([RunRows.load(folder)])
    assert math.isnan(row(frame, NEURAL.name, "all")["entropy_kbps"])
    assert row(frame, NEURAL.name, "speech")["entropy_kbps"] > 0


def test_runs_stand_one_after_the_other_with_the_metrics_of_all(rows, tmp_path):
    made = RunFolder.create(tmp_path / "f", replace(RUN, metrics=()), [])
    made.append([coded("a", "speech", 1.0, Bits(8)), score("a", "extra", 2.0)])
    frame = summary([rows, RunRows.load(made)])
    assert ",".join(frame.columns) == f"{COLUMNS},extra,n_extra"
    assert frame["n_extra"].tolist() == [0, 0, 0, 0, 0, 1, 1]


@pytest.mark.parametrize("order", ["abc", "acb", "cab"])
def test_means_are_exact_in_whatever_order_the_rows_were_written(tmp_path, order):
    values = {"a": 1e16, "b": 1.0, "c": -1e16}
    made = RunFolder.create(tmp_path / "f", RUN, [])
    made.append([coded(clip, "speech", 1.0, Bits(8)) for clip in order])
    made.append([score(clip, "up", values[clip]) for clip in order])
    assert row(summary([RunRows.load(made)]), NEURAL.name, "all")["up"] == 1 / 3
