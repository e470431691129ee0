"""A run's rows as they are read, what is said below numbers, and what a rate is worth."""

import csv
import json
import math
import re
from dataclasses import replace

import numpy as np
import pytest

from snacbench.errors import UserError
from snacbench.rows import Bits, Cost
from snacbench.tables.footnotes import notes
from snacbench.tables.from_runs import summary_csv, summary_markdown
from snacbench.tables.run_rows import MOST_UNITS, RunRows, scores_frame, scores_of, units_of
from snacbench.tables.savings import savings, savings_json, savings_text
from snacbench.tables.side_by_side import real_time_factor
from snacbench.types import WeightsInfo
from tests.support.synthetic_runs import UP, clip, make_run
from tests.support.written_runs import NEURAL, SPEED, coded, histograms, of, score


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
    assert only.codecs == (rows.codec("plain"),)
    assert not any("neural" in note for note in notes([only]))
    assert rows.codecs[0].entropies("all")
    assert RunRows.load(folder, histograms=False).codecs[0].entropies("all") == ()


def test_the_frame_of_scores_is_tidy_and_says_why_one_is_missing(folder):
    folder.append([score("a", "up", 11.0)])
    frame = scores_frame(folder.path)
    keys = "clip domain cluster codec model condition kbps tokens_per_s metric value status reason"
    assert " ".join(frame.columns) == keys
    assert len(frame) == 6
    found = {(r["clip"], r["codec"], r["metric"]): r for r in frame.to_dict("records")}
    a, b = found["a", NEURAL.name, "up"], found["b", NEURAL.name, "down"]
    assert (a["value"], a["domain"], a["model"], a["tokens_per_s"]) == (11, "speech", "neural", 30)
    assert a["kbps"] == pytest.approx(0.108)
    assert (b["status"], b["reason"], b["domain"]) == ("undefined", "silent", "music")
    assert math.isnan(b["value"])
    assert math.isnan(found["c", NEURAL.name, "up"]["kbps"])
    assert frame["cluster"].isna().all()


def clips(domain, *clusters):
    one = replace(clip(0), domain=domain)
    return [replace(one, id=f"{domain}{i}", cluster=cluster) for i, cluster in enumerate(clusters)]


def test_clips_of_a_speaker_are_one_unit_in_each_domain_anew():
    found = units_of([*clips("speech", *"aabbcdef"), *clips("music", *"uvwxyz")])
    assert [found[f"speech{i}"] for i in range(8)] == [0, 0, 1, 1, 2, 3, 4, 5]
    assert [found[f"music{i}"] for i in range(6)] == [0, 1, 2, 3, 4, 5]
    assert list(units_of(clips("speech", None, "a", None)).values()) == [0, 1, 2]


@pytest.mark.parametrize(("clusters", "units"), [
    ("aabbb", 5), ("abcabca", 7), ([f"s{i}" for i in range(100)], MOST_UNITS),
])  # fmt: skip
def test_no_speaker_is_in_both_halves(clusters, units):
    """Clips of few speakers are units themselves; many speakers share units."""
    found = list(units_of(clips("speech", *clusters)).values())
    assert len(set(found)) == units
    halves = {(c, n % 2) for c, n in zip(clusters, found, strict=True)}
    assert len(halves) == len(set(clusters))


ORDINARY = replace(NEURAL, truncated=False, demonstration=False, weights=WeightsInfo("published"))
HOW = (
    "RTF: seconds of computing per second of audio, lower is faster: median [least, greatest] of 3 "
    "repeats on 2 s of the same audio, measured apart in one process, one numerical thread. "
)
HERE = HOW + "On cpu, a machine."


def test_notes_say_what_a_reader_must_know(rows):
    found = notes([rows])
    for note in (
        r"^Test set tiny \(sha256 abababababab\), seed 7, mono, snacbench 1\.2\.",
        r"^neural: embedded demonstration models, not the published codecs",
        r"^neural@0.1kbps: truncated to a depth the model was not trained for\.",
        r"^neural@0.1kbps: weights from a local folder, see run.json for sha256\.",
        r"^Entropy of neural@0.1kbps rests on fewer than 3 tokens per codebook entry or fewer "
        "than 30 clips, per domain",
        r"^1 of 4 codings \(clips times codecs\) failed; means are over clips that all ",
    ):
        assert any(re.search(note, one) for one in found), note


def test_a_run_without_peculiarities_has_two_notes_and_few_tokens_give_one(tmp_path):
    made = of(tmp_path / "f", [SPEED], codecs=(ORDINARY,))
    for name in map(str, range(30)):
        made.append([coded(name, "speech", 1.0, Bits(8)), score(name, "up", 1.0)])
        made.append(histograms(name, [6, 6], [24, 24]))
    assert [note.split()[0] for note in notes([RunRows.load(made)])] == ["Test", "RTF:"]
    rows = [coded("a", "speech", 1.0, Bits(8)), *histograms("a", [6, 6], [8, 7])]
    note, _, _ = notes([RunRows.load(of(tmp_path / "g", rows, codecs=(ORDINARY,)))])
    assert note.startswith("Entropy of neural@0.1kbps is unreliable: some codebook has fewer token")


def about_speed(rows):
    return [note for note in notes([rows]) if "RTF" in note or "peed" in note]


def test_factors_are_medians_with_least_and_greatest():
    assert real_time_factor(SPEED)[0] == (0.5, 0.45, 0.6)
    assert real_time_factor(SPEED)[2] == pytest.approx((1.5, 1.45, 1.65))
    assert real_time_factor(replace(SPEED, batch=4))[1].value == 0.25


SHAKY = {"unstable": "others kept 2 processors busy"}
ELSEWHERE = {"machine": "another"}
IN_BF16 = {"device": "cuda H200", "precision": "bf16", "batch": 8}
BROKEN = {"encode_s": (), "decode_s": (), "reason": "it broke"}
FOUR = tuple(replace(NEURAL, name=name) for name in "abcd")
OF_FOUR = [coded("a", "speech", 1.0, Bits(8), codec=name) for name in "abcd"]


@pytest.mark.parametrize(("speeds", "said"), [
    ([], ["Speed was not measured; 'snacbench speed RUN' does."]),
    ([{}], [HERE, "Speed of b, c, d was not measured; 'snacbench speed RUN' does."]),
    ([{}, SHAKY, {}, {}], [HERE, "! RTF of b is unstable: others kept 2 processors busy."]),
    ([SHAKY, SHAKY, SHAKY, {}],
     [HERE, "! RTF is unstable: a, b, c; rtf_unstable in summary.csv says why of each."]),
    ([{}, ELSEWHERE, {}, {}], [HOW + "MEASURED ON DIFFERENT MACHINES, do not compare: a, c, d "
                               "on cpu, a machine; b on cpu, another."]),
    ([IN_BF16, {"starts_process": True}, {}, {}], [
        HOW + "a on cuda H200 in bf16, a machine; b, c, d on cpu, a machine.",
        "RTF in batches, which says nothing of one signal alone: a (8).",
        "RTF with the start of a program for every call: b.",
    ]),
    ([BROKEN, {}, {}, {}], [HERE, "Speed of a could not be measured: it broke."]),
])  # fmt: skip
def test_where_and_how_speeds_were_measured_is_said(tmp_path, speeds, said):
    earlier = replace(SPEED, codec="a", encode_s=(4.0, 4.0, 4.0))  # of two rows the last counts
    made = OF_FOUR + [earlier] * bool(speeds)
    made += [replace(SPEED, codec=c, **how) for c, how in zip("abcd", speeds, strict=False)]
    rows = RunRows.load(of(tmp_path / "f", made, codecs=FOUR))
    assert about_speed(rows) == said
    for codec in rows.codecs:  # decodes from elsewhere have none
        codec.spec = replace(codec.spec, family="outside")
    assert "was not measured" not in " ".join(about_speed(rows))
    if SHAKY in speeds:
        cells = re.findall(r"0\.500!? \\\[0\.450, 0\.600\\\]", summary_markdown([rows]))
        assert [cell[5] for cell in cells] == ["! "[of != SHAKY] for of in speeds]
        assert SHAKY["unstable"] in summary_csv([rows])


def test_costs_are_columns_where_they_were_measured_and_what_is_not_counted_is_said(tmp_path):
    none = RunRows.load(of(tmp_path / "f", OF_FOUR, codecs=FOUR))
    assert "MACs" not in summary_markdown([none])
    made = [
        *OF_FOUR,
        Cost("a", "cpu", 16_000, 1, 10.0, {"encoder": 1e9, "quantiser": 5e8}, {"decoder": 2e9},
             {"decoder": 4.5}, 250.4, 320, block_samples=320),
        Cost("b", "cpu", 48_000, whole_file=True),
        Cost("c", "cpu", reason="it broke"),
    ]  # fmt: skip
    rows = RunRows.load(of(tmp_path / "g", made, codecs=FOUR))
    keys = ("encode_gmacs_per_s", "decode_gmacs_per_s", "peak_mb", "delay_ms")
    table = list(csv.DictReader(summary_csv([rows]).splitlines()))[:4]
    told = [[row[key] for key in keys] for row in table]
    assert told == [["1.5", "2.0", "250.4", "20.0"], *[[""] * 4] * 3]
    shown = summary_markdown([rows])
    assert re.search(r"\| +file \|", shown)
    assert "MACs of b: not counted, as these are no PyTorch models." in shown
    assert "Cost of c could not be measured: it broke." in shown


NOISE = np.random.default_rng(1).normal(0, 0.2, 30)


@pytest.fixture
def rated(tmp_path):
    """Quality 10 log2(kbps) of one codec, 10 dB more of another, and one with a single rate."""
    kbps = {f"slow@{r}": float(r) for r in (2, 4, 8, 16)} | {"one": 4.0}
    kbps |= {f"fast@{r}": float(r) for r in (2, 4, 8)}
    scores = {n: {"up": 10 * np.log2(r) + 10 * (n[:4] == "fast") + NOISE} for n, r in kbps.items()}
    scores["one"] = {"up": 25 + NOISE}
    return RunRows.load(make_run(tmp_path / "run", scores, kbps=kbps, speakers=10))


def test_a_codec_with_one_rate_has_a_matched_rate_and_others_bjontegaard_deltas(rated):
    (one,) = savings([rated], [UP], of=["one"], against=["slow"])
    assert one.matched.kbps == pytest.approx(2**2.5, rel=0.03)
    text = savings_text([one])
    assert text.startswith("speech: slow needs 5.6")
    assert "to reach the up of one at 4 kbps (n = 30 clips, 10 speakers)" in text
    assert "at 4 kbps, one differs from slow by +5" in text
    (fast,) = savings([rated], [UP], of=["fast"], against=["slow"])
    assert fast.rate.value == pytest.approx(-50, abs=0.5)
    text = savings_text([fast])
    assert "speech: by up, fast needs 50 % less rate than slow for equal quality" in text
    assert "at equal rate, fast differs from slow by +10" in text
    found = savings([rated], [UP], of=["one"])  # against all with a curve
    assert [s.against for s in found] == ["slow", "fast"]
    assert json.loads(savings_json(found))[0]["sentences"]

    with pytest.raises(UserError, match="no model 'slo'; did you mean slow"):
        savings([rated], [UP], of=["slo"], against=["slow"])
    with pytest.raises(UserError, match="a curve needs a codec with two rates"):
        savings([rated], [UP], of=["slow"], against=["slow"])
