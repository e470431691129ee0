"""Mutated files: no crash, no hang, no flood of memory, and no silent wrong answer."""

from __future__ import annotations

import random
import resource
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.bitstream_examples import written_examples
from tests.support.bitstream_mutations import judge, mutate, seal

FILES = written_examples()


@pytest.fixture(scope="module", autouse=True)
def memory_is_capped() -> Iterator[None]:
    """At 512 MiB more than is in use."""
    before = resource.getrlimit(resource.RLIMIT_AS)
    for data, coder in FILES:  # what is loaded at first use is not the files' fault
        judge(data, data, coder, sealed=False)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + (512 << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


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
