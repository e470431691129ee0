from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.special import digamma

from snacbench.errors import UnknownName
from snacbench.rows import Bits, Coded
from snacbench.store.folder import RunFolder
from snacbench.tables.build import tables_of
from snacbench.tables.layouts import LAYOUTS
from snacbench.tables.options import Options
from snacbench.tables.run import RunRows
from snacbench.tables.table import Table
from tests.tables.competition import OFFSETS, TURNS, make
from tests.tables.conftest import NEURAL

PAPER = LAYOUTS["dac-table3"]
PLAIN = Options()


def one_table(rows, options: Options = PLAIN, layout=PAPER) -> Table:
    (found,) = tables_of([rows], layout, options)
    return found


def cell(table: Table, label: str, key: str):
    (row,) = [row for row in table.rows if row.label == label]
    return row.cells[key]


def note(table: Table, start: str) -> str:
    (found,) = [n for n in table.footnotes if n.startswith(start)]
    return found


def t_test(differences: list[float]) -> tuple[float, float]:
    """Standard error over six equal clusters and its p value, from the textbook."""
    means = np.mean(np.reshape(differences, (6, 2)), axis=1)
    error = np.std(means, ddof=1) / np.sqrt(6)
    return float(error), float(2 * stats.t.sf(abs(means.mean()) / error, 5))


def test_means_rates_and_bandwidths(tmp_path):
    table = one_table(make(tmp_path / "r"))
    assert cell(table, "two", "si_sdr").value == 15.5
    assert cell(table, "one", "si_sdr").value == pytest.approx(14.5)
    assert cell(table, "two", "actual_kbps").value == pytest.approx(0.76)
    assert cell(table, "two", "bandwidth_khz").value == 12.0
    assert cell(table, "low", "bandwidth_khz").value == 3.5


def test_intervals_are_those_of_t_on_equal_clusters(tmp_path):
    table = one_table(make(tmp_path / "r"), Options(ci=True))
    means = np.arange(12.0).reshape(6, 2).mean(axis=1)
    half = stats.t.ppf(0.975, 5) * np.std(means, ddof=1) / np.sqrt(6)
    interval = cell(table, "two", "si_sdr").interval
    assert (interval.low, interval.high) == pytest.approx((15.5 - half, 15.5 + half))
    assert note(table, "In brackets").startswith("In brackets 95 % intervals of the mean: t ")
    assert "(6 clusters)" in note(table, "In brackets")
    assert (
        note(table, "n = ")
        == "n = 12 clips of 6 speakers or tracks, unless a letter says otherwise."
    )


def test_without_ci_there_is_no_interval(tmp_path):
    assert cell(one_table(make(tmp_path / "r")), "two", "si_sdr").interval is None


def test_best_and_second_leave_out_anchors(tmp_path):
    table = one_table(make(tmp_path / "r"))
    found = [cell(table, row.label, "si_sdr").marks for row in table.rows]
    assert found == [(), ("best",), ("second",), ()]
    assert "Neither ranked nor compared, being yardsticks: low." in table.footnotes


def test_a_mark_stands_where_holm_over_all_pairs_leaves_a_difference(tmp_path):
    table = one_table(make(tmp_path / "r"), Options(significance=True))
    _, p_one = t_test([o - 1 for o in OFFSETS])
    _, p_three = t_test([t - 0.25 for t in TURNS])
    assert p_one * 3 <= 0.05 < p_three  # three pairs, anchors left out
    assert cell(table, "one", "si_sdr").marks == ("significant",)
    assert cell(table, "three_3%&", "si_sdr").marks == ("second",)
    assert note(table, "*") == (
        "* differs from the best of the column (paired, p ≤ 0.05): t test on cluster means "
        "weighted by their clips; Holm's correction over all pairs within one metric and domain "
        "(3 comparisons); n = 12 shared clips, 6 clusters; no clip lost on either side."
    )


def test_a_baseline_has_a_family_of_its_own_pairs(tmp_path):
    options = Options(significance=True, baseline="one")
    table = one_table(make(tmp_path / "r"), options)
    assert "significant" in cell(table, "two", "si_sdr").marks
    assert "significant" not in cell(table, "one", "si_sdr").marks
    assert "differs from one" in note(table, "*")
    assert "(2 comparisons)" in note(table, "*")


def test_an_unknown_baseline_is_told(tmp_path):
    with pytest.raises(
        UnknownName, match=r"no codec named 'tow' to compare with; did you mean two"
    ):
        one_table(make(tmp_path / "r"), Options(significance=True, baseline="tow"))


def test_lost_clips_are_counted_in_cells_and_in_pairs(tmp_path):
    table = one_table(make(tmp_path / "r", lost=3), Options(significance=True))
    found = cell(table, "three_3%&", "si_sdr")
    assert (found.n, found.notes) == (9, ("n = 9 of 12 clips (3 undefined)",))
    # It has lost the three lowest clips, so they count for nobody.
    other = cell(table, "two", "si_sdr")
    assert other.n == 9
    assert other.notes == ("n = 9 of 12 clips (3 not used, as another codec lacks them)",)
    assert [table.letters_of(other), table.letters_of(found)] == ["a", "b"]
    assert found.value < other.value
    assert [found.marks, other.marks] == [("second",), ("best",)]
    assert "si_sdr: over the 9 clips that all codecs have (three_3%& lacks 3)." in table.footnotes
    assert "n = 9 shared clips, 5 clusters" in note(table, "*")


def test_unknown_clusters_are_said(tmp_path):
    table = one_table(make(tmp_path / "r", clusters=False), Options(ci=True))
    assert note(table, "n = 12").endswith("is not known: taken as independent of all others.")
    assert "t interval over clips (12 clips)" in note(table, "In brackets")


def test_metrics_that_a_run_lacks_are_named_with_the_command(tmp_path):
    table = one_table(make(tmp_path / "r"))
    assert cell(table, "two", "visqol_audio").number(2) == "–"
    assert note(table, "Not in this run") == (
        "Not in this run: mel distance, STFT distance, ViSQOL; add with: "
        "snacbench score RUN --metrics mel_dac7,stft_dac,visqol_audio"
    )


def test_columns_name_their_metrics_and_codecs_what_they_are(tmp_path):
    table = one_table(make(tmp_path / "r"))
    assert "Metrics: SI-SDR is si_sdr." in table.footnotes
    assert note(table, "three_3%&: embedded demonstration")
    assert note(table, "Test set tiny")


def test_band_limited_metrics_say_what_they_cannot_hear(tmp_path):
    table = one_table(make(tmp_path / "r"), layout=LAYOUTS["default"])
    assert "stoi hears nothing above 5 kHz." in table.footnotes


def test_truncated_codecs_and_undefined_values_have_notes(rows):
    tables = tables_of([rows], LAYOUTS["default"])
    assert [t.title.split(", ")[1] for t in tables] == ["speech", "music", "all clips"]
    assert any(n.startswith(f"{NEURAL.name}: truncated") for n in tables[0].footnotes)
    assert cell(tables[1], NEURAL.name, "up").notes == ("n = 1 of 2 clips (1 not coded)",)
    assert cell(tables[1], NEURAL.name, "down").notes == (
        "n = 0 of 2 clips (1 not coded, 1 undefined)",
    )


def test_an_unscored_clip_is_without_a_score(folder):
    folder.append([Coded("z", NEURAL.name, "ok", "", "music", 1.0, Bits(codes=8))])
    (table,) = tables_of([RunRows.load(folder)], LAYOUTS["default"], Options(by="all"))
    assert "1 without a score" in cell(table, NEURAL.name, "up").notes[0]


def test_digits_are_the_metrics_only(tmp_path):
    table = one_table(make(tmp_path / "r"), Options(digits=4))
    digits = {column.key: column.digits for column in table.columns}
    assert (digits["si_sdr"], digits["actual_kbps"]) == (4, 2)


@pytest.mark.parametrize(
    ("layout", "keys"),
    [
        ("snac-paper", "actual_kbps tokens_per_s visqol_audio si_sdr mel_dac7 stft_dac"),
        ("dac-table3", "actual_kbps bandwidth_khz mel_dac7 stft_dac visqol_audio si_sdr"),
        (
            "dac-table2",
            "mel_dac7 stft_dac visqol_audio si_sdr bitrate_efficiency_percent efficiency_percent",
        ),
    ],
)
def test_columns_of_the_papers(tmp_path, layout, keys):
    table = one_table(make(tmp_path / "r"), layout=LAYOUTS[layout])
    assert " ".join(column.key for column in table.columns) == keys


def test_efficiency_is_in_percent_and_per_domain(rows):
    (table,) = tables_of([rows], LAYOUTS["dac-table2"])
    first_bits = (digamma(40) - digamma(20)) / np.log(2)  # as the summary's own test works it out
    value = cell(table, NEURAL.name, "efficiency_percent").value
    assert value == pytest.approx(100 * 10 * first_bits / (10 * 2 + 20 * 4))


def test_snac_paper_has_a_table_per_domain_and_none_of_all(rows):
    found = tables_of([rows], LAYOUTS["snac-paper"])
    assert [t.title for t in found] == [
        "Rate, tokens and quality, speech",
        "Rate, tokens and quality, music",
    ]


def test_a_codec_in_two_runs_carries_the_runs_name(tmp_path):
    first, second = make(tmp_path / "a" / "run"), make(tmp_path / "b" / "run")
    other = replace(second, run=replace(second.run, id="day"))
    renamed = replace(second, name="again")
    for runs, labels in (
        ((first, other), ["two (night)", "two (day)"]),  # folders of one name: the runs' ids
        ((first, renamed), ["two (run)", "two (again)"]),
        ((first, second), ["two (night)", "two (night) #2"]),
    ):
        (table,) = tables_of(runs, PAPER)
        assert [row.label for row in table.rows if row.label.startswith("two")] == labels


def test_anchors_alone_are_ranked(tmp_path):
    rows = make(tmp_path / "r")
    only = replace(rows, codecs=rows.codecs[3:])
    assert one_table(only).rows[0].ranked


def test_a_run_without_any_score_still_has_a_table(tmp_path):
    rows = make(tmp_path / "r")
    folder = RunFolder.create(tmp_path / "e", rows.run, [])
    folder.append([Coded("c", "one", "ok", "", "speech", 1.0, Bits(codes=760))])
    table = one_table(RunRows.load(folder), Options(ci=True, significance=True))
    assert cell(table, "one", "si_sdr").value is None
    assert not [n for n in table.footnotes if n.startswith(("*", "In brackets"))]
