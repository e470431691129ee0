"""What is said below numbers: what a codec is, what was left out, how speeds were measured."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from snacbench.rows import Bits
from snacbench.store.run_folder import RunFolder
from snacbench.tables.footnotes import notes
from snacbench.tables.from_runs import summary_csv, summary_markdown
from snacbench.tables.run_rows import RunRows
from snacbench.tables.side_by_side import real_time_factor
from snacbench.types import WeightsInfo
from tests.support.written_runs import NEURAL, SPEED, coded, histograms, of, score

ORDINARY = replace(NEURAL, truncated=False, demonstration=False, weights=WeightsInfo("published"))
HOW = (
    "RTF: seconds of computing per second of audio, lower is faster: median [least, greatest] of 3 "
    "repeats on 2 s of the same audio, measured apart in one process, one numerical thread. "
)


@pytest.mark.parametrize(
    "note",
    [
        r"^Test set tiny \(sha256 abababababab\), seed 7, mono, snacbench 1\.2\.",
        r"^neural: embedded demonstration models, not the published codecs",
        r"^neural@0.1kbps: truncated to a depth the model was not trained for\.",
        r"^neural@0.1kbps: weights from a local folder, see run.json for sha256\.",
        r"^Entropy of neural@0.1kbps rests on fewer than 3 tokens per codebook entry or fewer "
        "than 30 clips, per domain",
        r"^Undefined for some clips, see their reasons in scores.jsonl: down\.",
        r"^1 of 4 codings \(clips times codecs\) failed; means are over clips that all ",
    ],
)
def test_notes_say_what_a_reader_must_know(rows, note):
    assert any(re.search(note, found) for found in notes([rows]))


def test_a_run_without_peculiarities_has_two_notes(tmp_path):
    made = of(tmp_path / "f", [SPEED], codecs=(ORDINARY,))
    for clip in map(str, range(30)):
        made.append([coded(clip, "speech", 1.0, Bits(8)), score(clip, "up", 1.0)])
        made.append(histograms(clip, [6, 6], [24, 24]))
    assert [note.split()[0] for note in notes([RunRows.load(made)])] == ["Test", "RTF:"]


def test_an_entropy_of_few_tokens_is_unreliable(tmp_path):
    rows = [coded("a", "speech", 1.0, Bits(8)), *histograms("a", [6, 6], [8, 7])]
    note, _, _ = notes([RunRows.load(of(tmp_path / "f", rows, codecs=(ORDINARY,)))])
    unreliable = "Entropy of neural@0.1kbps is unreliable: some codebook has fewer tokens"
    assert note.startswith(unreliable)


@pytest.fixture
def bare(tmp_path) -> RunFolder:
    rows = [coded("a", "speech", 1.0, Bits(8), codec=name) for name in (NEURAL.name, "plain")]
    return of(tmp_path / "bare", rows)


def about_speed(rows: RunRows) -> list[str]:
    return [note for note in notes([rows]) if "RTF" in note or "peed" in note]


def test_factors_are_medians_with_least_and_greatest():
    encode, _, both = real_time_factor(SPEED)
    assert encode == (0.5, 0.45, 0.6)
    assert both == pytest.approx((1.5, 1.45, 1.65))
    assert real_time_factor(replace(SPEED, batch=4))[1].value == 0.25
    assert real_time_factor(replace(SPEED, encode_s=(), decode_s=())) is None


def test_the_seconds_of_coding_are_never_printed(bare):
    rows = RunRows.load(bare)
    assert "0.5" not in summary_csv([rows])
    assert about_speed(rows) == ["Speed was not measured; 'snacbench speed RUN' does."]


def test_an_unstable_speed_is_marked_and_explained(bare):
    shaky = replace(SPEED, unstable="other processes kept 2.0 of 2 processors busy")
    bare.append([replace(shaky, codec="plain"), SPEED])
    rows = RunRows.load(bare)
    cells = re.findall(r"0\.500!? \\\[0\.450, 0\.600\\\]", summary_markdown([rows]))
    assert [cell[:6].strip() for cell in cells] == ["0.500", "0.500!"]
    assert about_speed(rows) == [
        HOW + "On cpu, a machine.",
        "! RTF of plain is unstable: other processes kept 2.0 of 2 processors busy.",
    ]
    assert shaky.unstable in summary_csv([rows])


def test_many_unstable_speeds_share_a_note_and_of_two_measurements_the_last_counts(tmp_path):
    specs = tuple(replace(NEURAL, name=name) for name in "abcd")
    made = [coded("a", "speech", 1.0, Bits(8), codec=n) for n in "abcd"]
    speeds = [replace(SPEED, codec=c, unstable=f"{c} shook") for c in "abc"]
    late = replace(speeds[0], encode_s=(4.0, 4.0, 4.0))
    rows = RunRows.load(of(tmp_path / "f", [*made, *speeds, late], codecs=specs))
    assert real_time_factor(rows.codec("a").speed)[0].value == 2.0
    _, unstable, missing = about_speed(rows)
    assert unstable == "! RTF is unstable: a, b, c; rtf_unstable in summary.csv says why of each."
    assert missing == "Speed of d was not measured; 'snacbench speed RUN' does."


ELSEWHERE = {"machine": "another"}
BATCHED = {"device": "cuda H200", "precision": "bf16", "batch": 8}
BROKEN = {"encode_s": (), "decode_s": (), "reason": "it broke"}


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ({}, ELSEWHERE, ["MEASURED ON DIFFERENT MACHINES, do not compare: neural@0.1kbps on cpu, "
                         "a machine; plain on cpu, another."]),
        (BATCHED, {"starts_process": True}, [
            "On a machine: neural@0.1kbps on cuda H200 in bf16; plain on cpu.",
            "RTF in batches: so many signals at once, which says nothing of one alone: "
            "neural@0.1kbps (8).",
            "RTF with the start of a program for every call: plain.",
        ]),
        (BROKEN, {}, ["On cpu, a machine.", "Speed of neural@0.1kbps could not be measured: it "
                      "broke."]),
    ],
)  # fmt: skip
def test_where_and_how_speeds_were_measured_is_said(bare, first, second, said):
    bare.append([replace(SPEED, **first), replace(SPEED, codec="plain", **second)])
    assert about_speed(RunRows.load(bare)) == [HOW + said[0], *said[1:]]


def test_decodes_from_elsewhere_have_no_speed(tmp_path):
    outside = replace(NEURAL, name="theirs", model="theirs", family="outside", streams=())
    rows = [coded("a", "speech", 1.0, Bits(8), codec="theirs")]
    made = RunRows.load(of(tmp_path / "o", rows, codecs=(outside,)))
    assert about_speed(made) == ["No speed of theirs: decoded elsewhere."]
