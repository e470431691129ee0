"""What is said below numbers: what a codec is, what was left out, how speeds were measured."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from snacbench.rows import Bits
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
HERE = HOW + "On cpu, a machine."


@pytest.mark.parametrize(
    "note",
    [
        r"^Test set tiny \(sha256 abababababab\), seed 7, mono, snacbench 1\.2\.",
        r"^neural: embedded demonstration models, not the published codecs",
        r"^neural@0.1kbps: truncated to a depth the model was not trained for\.",
        r"^neural@0.1kbps: weights from a local folder, see run.json for sha256\.",
        r"^Entropy of neural@0.1kbps rests on fewer than 3 tokens per codebook entry or fewer "
        "than 30 clips, per domain",
        r"^1 of 4 codings \(clips times codecs\) failed; means are over clips that all ",
    ],
)
def test_notes_say_what_a_reader_must_know(rows, note):
    assert any(re.search(note, found) for found in notes([rows]))


def test_a_run_without_peculiarities_has_two_notes_and_few_tokens_give_one(tmp_path):
    made = of(tmp_path / "f", [SPEED], codecs=(ORDINARY,))
    for clip in map(str, range(30)):
        made.append([coded(clip, "speech", 1.0, Bits(8)), score(clip, "up", 1.0)])
        made.append(histograms(clip, [6, 6], [24, 24]))
    assert [note.split()[0] for note in notes([RunRows.load(made)])] == ["Test", "RTF:"]
    rows = [coded("a", "speech", 1.0, Bits(8)), *histograms("a", [6, 6], [8, 7])]
    note, _, _ = notes([RunRows.load(of(tmp_path / "g", rows, codecs=(ORDINARY,)))])
    assert note.startswith("Entropy of neural@0.1kbps is unreliable: some codebook has fewer token")


def about_speed(rows: RunRows) -> list[str]:
    return [note for note in notes([rows]) if "RTF" in note or "peed" in note]


def test_factors_are_medians_with_least_and_greatest():
    encode, _, both = real_time_factor(SPEED)
    assert encode == (0.5, 0.45, 0.6)
    assert both == pytest.approx((1.5, 1.45, 1.65))
    assert real_time_factor(replace(SPEED, batch=4))[1].value == 0.25
    assert real_time_factor(replace(SPEED, encode_s=(), decode_s=())) is None


SHAKY = {"unstable": "others kept 2 processors busy"}
ELSEWHERE = {"machine": "another"}
IN_BF16 = {"device": "cuda H200", "precision": "bf16", "batch": 8}
BROKEN = {"encode_s": (), "decode_s": (), "reason": "it broke"}


@pytest.mark.parametrize(
    ("speeds", "said"),
    [
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
    ],
)  # fmt: skip
def test_where_and_how_speeds_were_measured_is_said(tmp_path, speeds, said):
    specs = tuple(replace(NEURAL, name=name) for name in "abcd")
    made = [coded("a", "speech", 1.0, Bits(8), codec=n) for n in "abcd"]
    earlier = replace(SPEED, codec="a", encode_s=(4.0, 4.0, 4.0))  # of two rows the last counts
    made += [earlier] * bool(speeds)
    made += [replace(SPEED, codec=c, **how) for c, how in zip("abcd", speeds, strict=False)]
    rows = RunRows.load(of(tmp_path / "f", made, codecs=specs))
    assert about_speed(rows) == said
    if SHAKY in speeds:
        cells = re.findall(r"0\.500!? \\\[0\.450, 0\.600\\\]", summary_markdown([rows]))
        assert [cell[5] for cell in cells] == ["! "[of != SHAKY] for of in speeds]
        assert SHAKY["unstable"] in summary_csv([rows])


def test_decodes_from_elsewhere_have_no_speed(tmp_path):
    outside = replace(NEURAL, name="theirs", model="theirs", family="outside", streams=())
    rows = [coded("a", "speech", 1.0, Bits(8), codec="theirs")]
    assert about_speed(RunRows.load(of(tmp_path / "o", rows, codecs=(outside,)))) == []
