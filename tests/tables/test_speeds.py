"""Speeds in tables: medians with their range, marked where unstable, never from coding's own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from snacbench.rows import Bits, Speed
from snacbench.store.folder import RunFolder
from snacbench.tables.formats import notes, to_csv, to_markdown
from snacbench.tables.run import RunRows
from snacbench.tables.speeds import real_time_factor
from tests.tables.conftest import NEURAL, RUN, SPEED, coded

HOW = (
    "RTF: seconds of computing per second of audio, lower is faster: median [least, greatest] of 3 "
    "repeats on 2 s of the same audio, measured apart in one process, one numerical thread. "
)


def run_with(folder: RunFolder, *speeds: Speed) -> RunRows:
    folder.append(speeds)
    return RunRows.load(folder)


@pytest.fixture
def bare(tmp_path) -> RunFolder:
    made = RunFolder.create(tmp_path / "bare", RUN, [])
    made.append(
        [coded("a", "speech", 1.0, Bits(8)), coded("a", "speech", 1.0, Bits(8), codec="plain")]
    )
    return made


def about_speed(*runs: RunRows) -> list[str]:
    return [note for note in notes(runs) if "RTF" in note or "peed" in note]


def test_factors_are_medians_with_least_and_greatest():
    encode, both = real_time_factor(SPEED, "encode"), real_time_factor(SPEED, "both")
    assert encode is not None
    assert (encode.median, encode.low, encode.high) == (0.5, 0.45, 0.6)
    assert both is not None
    assert (both.median, both.low, both.high) == pytest.approx((1.5, 1.45, 1.65))
    batch = real_time_factor(replace(SPEED, batch=4), "decode")
    assert batch is not None
    assert batch.median == 0.25
    assert real_time_factor(None, "encode") is None
    assert real_time_factor(replace(SPEED, encode_s=(), decode_s=()), "encode") is None


def test_the_seconds_of_coding_are_never_printed(bare):
    rows = RunRows.load(bare)
    assert "0.5" not in to_csv([rows])
    assert about_speed(rows) == ["Speed was not measured; 'snacbench speed RUN' does."]


def test_an_unstable_speed_is_marked_and_explained(bare):
    shaky = replace(SPEED, unstable="other processes kept 2.0 of 2 processors busy")
    rows = run_with(bare, replace(shaky, codec="plain"), SPEED)
    cells = [line.split("|") for line in to_markdown([rows]).splitlines() if "0.500" in line]
    assert [cell.strip() for line in cells for cell in line if "0.500" in cell] == [
        "0.500 [0.450, 0.600]",
        "0.500 [0.450, 0.600]!",
    ]
    assert about_speed(rows) == [
        HOW + "On cpu, a machine.",
        "! RTF of plain is unstable: other processes kept 2.0 of 2 processors busy.",
    ]


def test_many_unstable_speeds_share_a_note(tmp_path):
    specs = tuple(replace(NEURAL, name=name) for name in "abc")
    made = RunFolder.create(tmp_path / "three", replace(RUN, codecs=specs), [])
    made.append([coded("a", "speech", 1.0, Bits(8), codec=name) for name in "abc"])
    rows = run_with(made, *(replace(SPEED, codec=c, unstable=f"{c} shook") for c in "abc"))
    assert [note for note in about_speed(rows) if note.startswith("!")] == [
        "! RTF is unstable: a, b, c; rtf_unstable in summary.csv says why of each."
    ]


def test_of_two_measurements_the_last_counts(bare):
    rows = run_with(bare, SPEED, replace(SPEED, encode_s=(4.0, 4.0, 4.0)))
    (codec,) = (codec for codec in rows.codecs if codec.speed)
    assert real_time_factor(codec.speed, "encode").median == 2.0
    assert about_speed(rows)[-1] == "Speed of plain was not measured; 'snacbench speed RUN' does."


def test_different_machines_are_said(bare):
    rows = run_with(bare, SPEED, replace(SPEED, codec="plain", machine="another"))
    assert about_speed(rows)[0] == HOW + (
        "MEASURED ON DIFFERENT MACHINES, do not compare: neural@0.1kbps on cpu, a machine; "
        "plain on cpu, another."
    )


def test_devices_precisions_batches_and_programs_are_said(bare):
    fast = replace(SPEED, device="cuda H200", precision="bf16", batch=8)
    rows = run_with(bare, fast, replace(SPEED, codec="plain", starts_process=True))
    assert about_speed(rows) == [
        HOW + "On a machine: neural@0.1kbps on cuda H200 in bf16; plain on cpu.",
        "RTF in batches: so many signals at once, which says nothing of one alone: "
        "neural@0.1kbps (8).",
        "RTF with the start of a program for every call: plain.",
    ]


def test_what_could_not_be_measured_is_said(bare):
    rows = run_with(bare, replace(SPEED, encode_s=(), decode_s=(), reason="it broke"))
    assert about_speed(rows) == [
        "Speed of neural@0.1kbps could not be measured: it broke.",
        "Speed of plain was not measured; 'snacbench speed RUN' does.",
    ]


def test_decodes_from_elsewhere_have_no_speed(tmp_path):
    outside = replace(NEURAL, name="theirs", model="theirs", family="outside", streams=())
    made = RunFolder.create(tmp_path / "o", replace(RUN, codecs=(outside,)), [])
    made.append([coded("a", "speech", 1.0, Bits(8), codec="theirs")])
    assert about_speed(RunRows.load(made)) == ["No speed of theirs: decoded elsewhere."]
