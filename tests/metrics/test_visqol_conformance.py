"""Scores of Google's C++ program, as its own conformance test states them."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest

from snacbench.audio.io import read
from snacbench.metrics.visqol import moslqo

FOLDER = (
    Path(os.environ.get("SNACBENCH_SHARED", Path(__file__).resolve().parents[2].parent / "shared"))
    / "visqol_conformance"
)
TABLE = FOLDER / "expected.csv"
MODES = {"speech_lattice": "speech"}


def cases() -> list[dict[str, str]]:
    if not TABLE.is_file():
        return []
    with TABLE.open(newline="") as stream:
        return list(csv.DictReader(stream))


def name(case: dict[str, str]) -> str:
    return f"{case['mode']}-{Path(case['reference']).stem}-{Path(case['degraded']).stem}"


@pytest.mark.skipif(
    not TABLE.is_file(),
    reason=f"ViSQOL's conformance audio (20 MB) is not at {FOLDER}; name the folder above it in "
    "SNACBENCH_SHARED",
)
def test_all_cases_are_there():
    assert len(cases()) == 22


@pytest.mark.parametrize("case", cases(), ids=name)
def test_equals_the_cpp_program(case):
    value = moslqo(
        reference=read(FOLDER / case["reference"]),
        degraded=read(FOLDER / case["degraded"]),
        mode=MODES.get(case["mode"], case["mode"]),
    )
    assert value == pytest.approx(float(case["expected_moslqo"]), abs=float(case["tolerance"]))
