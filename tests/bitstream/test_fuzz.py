"""Mutated files: no crash, no hang, no flood of memory, and no silent wrong answer."""

from __future__ import annotations

import random
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.bitstream_examples import written_examples
from tests.support.bitstream_mutations import judge, mutate, seal

FILES = written_examples()


@given(st.binary(max_size=200))
def test_any_bytes_are_refused(data: bytes) -> None:
    for data_, sealed in ((data, False), (b"SNCB\1" + data, False), (seal(data), True)):
        answer = judge(data_, b"", FILES[0][1], sealed=sealed)
        assert answer not in ("unchanged", "another valid file")


@settings(max_examples=400, deadline=None)
@given(st.integers(0, 1 << 32))
def test_mutated_files_are_refused_or_mean_what_they_say(seed: int) -> None:
    mutated, original, coder, sealed = mutate(random.Random(seed), FILES)
    judge(mutated, original, coder, sealed=sealed)


@pytest.mark.slow
def test_100_000_mutated_files() -> None:
    """In a process of its own: its memory stays capped."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.support.bitstream_mutations", "20260701", "100000"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    assert done.stdout.startswith("100000 files")
