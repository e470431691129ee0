"""Seeds follow from the run's seed, the codec and the clip, and from nothing else."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from snacbench.runner.coding import row_seed


@given(st.integers(), st.text(), st.text())
def test_seeds_fit_63_bits_and_repeat(run_seed: int, codec: str, clip: str) -> None:
    seed = row_seed(run_seed, codec=codec, clip=clip)
    assert 0 <= seed < 2**63
    assert seed == row_seed(run_seed, codec=codec, clip=clip)


def test_every_part_matters() -> None:
    seeds = {
        row_seed(run, codec=codec, clip=clip)
        for run in (0, 1)
        for codec in ("a", "ab")
        for clip in ("b", "bc", "")
    }
    assert len(seeds) == 12
