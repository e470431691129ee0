"""From rows written by hand to tables: figures, marks, layouts, the summary."""

import csv
import io
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.special import digamma

from snacbench.errors import UnknownName, UserError
from snacbench.plugins import Origin, discovered
from snacbench.rows import Bits, Coded
from snacbench.tables import from_runs as made
from snacbench.tables.layouts import layouts
from snacbench.tables.layouts.parts import Fact, Layout
from snacbench.tables.run_rows import RunRows
from snacbench.tables.table_model import Cell, Column
from tests.support import written_runs as kept
from tests.support.written_runs import of

PAPER, DEFAULT = layouts()["dac-table3"], layouts()["default"]
PLAIN = made.Options()


def one_table(rows, options=PLAIN, layout=PAPER):
    (found,) = made.tables_of([rows], layout, options)
    return found


def cell(table, label, key):
    (row,) = [row for row in table.rows if row.label == label]
    return row.cells[key]


def note(table, start):
    (found,) = [n for n in table.footnotes if n.startswith(start)]
    return found


def t_test(differences):
    """The p value over six equal clusters, from the textbook."""
    means = np.mean(np.reshape(differences, (6, 2)), axis=1)
    return float(2 * stats.t.sf(abs(means.mean()) / stats.sem(means), 5))


def test_means_rates_bandwidths_intervals_and_notes(tmp_path):
    table = one_table(kept.competition(tmp_path / "r"), made.Options(ci=True, digits=4))
    assert cell(table, "one", "si_sdr").value == pytest.approx(14.5)
    assert cell(table, "two", "actual_kbps").value == pytest.approx(0.76)
    assert [cell(table, of, "bandwidth_khz").value for of in ("two", "low")] == [12.0, 3.5]
    means, found = np.arange(12.0).reshape(6, 2).mean(axis=1), cell(table, "two", "si_sdr")
    half = stats.t.ppf(0.975, 5) * stats.sem(means)
    assert (found.interval.low, found.interval.high) == pytest.approx((15.5 - half, 15.5 + half))
    assert found.value == 15.5
    assert note(table, "In brackets").startswith("In brackets 95 % intervals of the mean: t ")
    size = "n = 12 clips of 6 speakers or tracks, unless a letter says otherwise."
    assert note(table, "n = ") == size
    assert cell(table, "two", "visqol_audio") == Cell()
    assert note(table, "Not in this run") == (
        "Not in this run: mel distance, STFT distance, ViSQOL; add with: "
        "snacbench score RUN --metrics mel_dac7,stft_dac,visqol_audio"
    )
    assert "Metrics: SI-SDR is si_sdr." in table.footnotes
    digits = {column.key: column.digits for column in table.columns}
    assert (digits["si_sdr"], digits["actual_kbps"]) == (4, 2)
    table = one_table(kept.competition(tmp_path / "s", clusters=False), layout=DEFAULT)
    assert note(table, "n = 12").endswith("is not known: taken as independent of all others.")
    assert "stoi hears nothing above 5 kHz." in table.footnotes


def test_marks_are_of_who_competes_and_of_what_holm_over_all_pairs_leaves(tmp_path):
    rows = kept.competition(tmp_path / "r")
    table = one_table(rows, made.Options(significance=True))
    p_three = t_test([t - 0.25 for t in kept.TURNS])
    assert t_test([o - 1 for o in kept.OFFSETS]) * 3 <= 0.05 < p_three  # pairs, without yardsticks
    marks = [cell(table, row.label, "si_sdr").marks for row in table.rows]
    assert marks == [("significant",), ("best",), ("second",), ()]
    assert cell(table, "two", "si_sdr").interval is None
    assert note(table, "*") == (
        "* differs from the best of the column (paired, p ≤ 0.05): t test on cluster means "
        "weighted by their clips; Holm's correction over all pairs within one metric and domain "
        "(3 comparisons); n = 12 shared clips, 6 clusters."
    )
    assert "Neither ranked nor compared, being yardsticks: low." in table.footnotes
    assert one_table(rows.only({"low"})).rows[0].ranked  # alone they compete
    table = one_table(rows, made.Options(significance=True, baseline="one"))
    starred = [row.label for row in table.rows if "significant" in row.cells["si_sdr"].marks]
    assert starred[0] == "two"
    assert "differs from one" in note(table, "*")
    assert "(2 comparisons)" in note(table, "*")  # a family of its own pairs


def test_lost_clips_are_counted_in_cells_and_in_pairs(tmp_path):
    table = one_table(kept.competition(tmp_path / "r", lost=3), made.Options(significance=True))
    found = cell(table, "three_3%&", "si_sdr")
    assert (found.n, found.notes) == (9, ("n = 9 of 12 clips (3 undefined)",))
    # It has lost the three lowest clips, so they count for nobody.
    other = cell(table, "two", "si_sdr")
    assert other.n == 9
    assert other.notes == ("n = 9 of 12 clips (3 not used, as another codec lacks them)",)
    assert [table.letters[note] for note in (*other.notes, *found.notes)] == ["a", "b"]
    assert found.value < other.value
    assert [found.marks, other.marks] == [("second",), ("best",)]
    assert "si_sdr: over the 9 clips that all codecs have (three_3%& lacks 3)." in table.footnotes
    assert "n = 9 shared clips, 5 clusters" in note(table, "*")


def test_why_a_mean_rests_on_fewer_clips(folder, rows):
    tables = made.tables_of([rows], DEFAULT)
    assert [t.title.split(", ")[1] for t in tables] == ["speech", "music", "all clips"]
    assert cell(tables[1], kept.NEURAL.name, "up").notes == ("n = 1 of 2 clips (1 not coded)",)
    undefined = "n = 0 of 2 clips (1 not coded, 1 undefined)"
    assert cell(tables[1], kept.NEURAL.name, "down").notes == (undefined,)
    folder.append([Coded("z", kept.NEURAL.name, "ok", "", "music", 1.0, Bits(codes=8))])
    table = one_table(RunRows.load(folder), made.Options(by="all"), DEFAULT)
    assert "1 without a score" in cell(table, kept.NEURAL.name, "up").notes[0]


def test_a_layout_of_another_package_that_fails_is_named(rows, monkeypatch):
    monkeypatch.setitem(discovered("layouts").origins, "broken", Origin("rival", "2.0"))
    fact = Fact(Column("x", "x"), lambda entry, record: record["nothing"])
    for parts in (lambda _: 1 / 0, lambda _: (fact,)):
        with pytest.raises(UserError, match=r"plug-in broken \(layouts\) of rival 2.0 failed: "):
            made.tables_of([rows], Layout("broken", "fails", parts, by="all"))


def test_a_codec_in_two_runs_carries_the_runs_name(tmp_path):
    first, second = (kept.competition(tmp_path / name / "run") for name in "ab")
    other = replace(second, run=replace(second.run, id="day"))
    for of_second, labels in (
        (other, ["two (night)", "two (day)"]),  # folders of one name: the runs' ids
        (replace(second, name="again"), ["two (run)", "two (again)"]),
        (second, ["two (night)", "two (night) #2"]),
    ):
        (table,) = made.tables_of([first, of_second], PAPER)
        assert [row.label for row in table.rows if row.label.startswith("two")] == labels


def test_labels_titles_and_captions_are_as_asked(tmp_path):
    rows = kept.competition(tmp_path / "r", lost=1)
    labels = {"two": "Number 2", "three_3%&": "III"}
    named = one_table(rows, made.Options(labels=labels, title="Mine"))
    assert [row.label for row in named.rows] == ["one", "Number 2", "III", "low"]
    assert named.title == "Mine, all clips"
    assert "si_sdr: over the 11 clips that all codecs have (III lacks 1)." in named.footnotes
    bare = one_table(rows, made.Options(caption=False))
    assert (bare.title, bare.footnotes, bare.letters) == ("", (), {})
    with pytest.raises(UnknownName, match="no codec named 'tow' to label; did you mean two"):
        one_table(rows, made.Options(labels={"tow": "x"}))


HEADER = (
    "schema,table,codec,domain,source,beside,n,nominal_kbps,actual_kbps,entropy_kbps,"
    "entropy_kbps_low,entropy_kbps_high,efficiency_percent,efficiency_percent_low,"
    "efficiency_percent_high,bitrate_efficiency_percent,tokens_per_s,rtf_encode,rtf_encode_low,"
    "rtf_encode_high,rtf_decode,rtf_decode_low,rtf_decode_high,rtf_batch,rtf_unstable,params_m,"
    "encode_gmacs_per_s,decode_gmacs_per_s,peak_mb,delay_ms,condition,realised"
)


def line(*runs, codec=kept.NEURAL.name, domain="all"):
    found = csv.DictReader(io.StringIO(made.summary_csv(runs)))
    (one,) = [row for row in found if (row["codec"], row["domain"]) == (codec, domain)]
    return one


def test_the_summary_has_one_schema_a_row_per_codec_and_domain_and_a_frame(rows):
    metrics = "".join(f",{n},{n}_low,{n}_high,{n}_n,{n}_marks" for n in ("up", "down"))
    lines = list(csv.reader(io.StringIO(made.summary_csv([rows]))))
    assert ",".join(lines[0]) == f"{HEADER}{metrics},notes"
    assert [tuple(cells[2:4]) for cells in lines[1:]] == [
        (kept.NEURAL.name, "speech"), ("plain", "speech"), (kept.NEURAL.name, "music"),
        (kept.NEURAL.name, "all"), ("plain", "all"),
    ]  # fmt: skip
    frame = made.summary_frame([rows], by="both")
    figures = HEADER.partition("beside,")[2] + metrics
    assert ",".join(frame.columns) == f"codec,domain,{figures},notes"
    found = frame[(frame["codec"] == kept.NEURAL.name) & (frame["domain"] == "all")].iloc[0]
    for key in ("entropy_kbps", "up_low"):
        assert found[key] == float(line(rows)[key])
    by_domain = made.summary_frame([rows], ci=False)
    assert list(dict.fromkeys(by_domain["domain"])) == ["speech", "music"]
    assert by_domain["up_low"].isna().all()


def test_figures_of_the_summary(rows):
    found = line(rows)
    # Rates are totals over totals. Stream 0: two codes in equal shares, 40 tokens; stream 1: one.
    assert float(found["actual_kbps"]) == pytest.approx((108 + 180) / 4.0 / 1000)
    bits = (digamma(40) - digamma(20)) / math.log(2)
    assert float(found["entropy_kbps"]) == pytest.approx((bits * 40 + 8) / 4.0 / 1000)
    assert float(found["efficiency_percent"]) == pytest.approx(1000 * bits / (10 * 2 + 20 * 4))
    assert float(found["bitrate_efficiency_percent"]) == pytest.approx(100 * 10 / (10 * 2 + 20 * 4))
    assert (found["entropy_kbps_low"], found["n"], found["params_m"]) == ("", "2", "1.5")
    assert (found["nominal_kbps"], found["tokens_per_s"]) == ("0.1", "30.0")
    assert (found["up"], found["up_n"], found["down"], found["down_n"]) == ("15.0", "2", "3.0", "1")
    assert found["up_low"] != "" != found["up_high"]
    assert found["notes"].split(" | ")[-1] == "down: n = 1 of 3 clips (1 not coded, 1 undefined)"
    for domain in ("speech", "music", "all"):  # a speed is the codec's in every domain
        speeds = [line(rows, domain=domain)[f"rtf_encode{end}"] for end in ("", "_low", "_high")]
        assert speeds == ["0.5", "0.45", "0.6"]
    plain = line(rows, codec="plain")
    assert [plain[k] for k in ("nominal_kbps", "tokens_per_s", "entropy_kbps", "down")] == [""] * 4
    assert line(rows, domain="music")["n"] == "1"  # what failed to code counts nowhere


def test_fewer_tokens_than_entries_give_a_range_and_no_number(tmp_path):
    rows = [kept.coded("a", "speech", 1.0, Bits(100, 8)), *kept.histograms("a", [10, 10], [8, 7])]
    run = RunRows.load(of(tmp_path / "few", rows))
    found = line(run)
    first = (digamma(20) - digamma(10)) / math.log(2)
    second = -sum(n / 15 * math.log2(n / 15) for n in (8, 7))  # plug-in: a lower end
    low, high = (float(found[f"entropy_kbps_{end}"]) for end in ("low", "high"))
    assert (found["entropy_kbps"], found["efficiency_percent"]) == ("", "")
    assert low == pytest.approx((20 * first + 15 * second + 8) / 1000)
    assert high == pytest.approx((20 * first + 15 * 4 + 8) / 1000)
    assert float(found["efficiency_percent_high"]) == pytest.approx(10 * first + 20 * 4)
    assert "unreliable" in made.summary_markdown([run])


def test_what_is_not_known_leaves_no_figure_rather_than_a_wrong_one(folder, tmp_path):
    rows = [Coded("c", kept.NEURAL.name, "failed", "why", "music", 1.0), kept.score("c", "up", 1.0)]
    found = line(RunRows.load(of(tmp_path / "f", rows)))
    assert (found["n"], found["up_n"]) == ("0", "0")
    assert {found[k] for k in ("up", "actual_kbps", "entropy_kbps", "rtf_encode")} == {""}
    for status in ("failed", "undefined", "skipped"):  # even with a value
        folder.append([replace(kept.score("b", "up", 1e6), status=status)])
        found = line(RunRows.load(folder))
        assert (found["up"], found["up_n"]) == ("10.0", "1")
    folder.append([kept.coded("d", "music", 3.0, Bits(180))])  # without a histogram
    rows = RunRows.load(folder)
    assert line(rows)["entropy_kbps"] == ""
    assert float(line(rows, domain="speech")["entropy_kbps"]) > 0
    folder.append([replace(kept.coded("b", "music", 3.0, Bits()), bits=None)])
    assert line(RunRows.load(folder))["actual_kbps"] == ""


def test_means_are_exact_and_a_run_without_any_score_has_a_table(tmp_path):
    values = {"a": 1e16, "c": -1e16, "b": 1.0}  # in whatever order
    rows = [kept.coded(clip, "speech", 1.0, Bits(8)) for clip in values]
    empty = RunRows.load(of(tmp_path / "e", rows))
    none = one_table(empty, made.Options(ci=True, significance=True))
    assert cell(none, kept.NEURAL.name, "si_sdr").value is None
    assert not [n for n in none.footnotes if n.startswith(("*", "In brackets"))]
    rows += [kept.score(clip, "up", value) for clip, value in reversed(values.items())]
    assert float(line(RunRows.load(of(tmp_path / "f", rows)))["up"]) == 1 / 3
