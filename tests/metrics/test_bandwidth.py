from __future__ import annotations

import numpy as np
import pytest

from snacbench.audio.resample import resample
from snacbench.errors import Undefined
from snacbench.metrics.bandwidth import METRICS
from snacbench.types import Audio
from tests.conftest import broadband

(BANDWIDTH,) = METRICS
SOURCE = broadband(2.0, 48_000, seed=3)


@pytest.mark.parametrize("kept_hz", [4_000, 8_000, 12_000])
def test_it_is_the_band_that_the_decode_holds(kept_hz: int) -> None:
    narrow = resample(resample(SOURCE, 2 * kept_hz), 48_000)
    found = BANDWIDTH(reference=SOURCE, degraded=narrow)
    assert found == pytest.approx(kept_hz / 1000, rel=0.1)
    assert BANDWIDTH(reference=SOURCE, degraded=SOURCE) > found


def test_too_short_a_decode_has_none() -> None:
    short = Audio(np.ascontiguousarray(SOURCE.samples[:, :200]), 48_000)
    with pytest.raises(Undefined, match="200 samples, 256 are needed"):
        BANDWIDTH(reference=SOURCE, degraded=short)
