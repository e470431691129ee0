from __future__ import annotations

import numpy as np
import pytest

from snacbench.errors import Undefined
from snacbench.metrics.loudness_diff import METRICS
from snacbench.types import Audio

(DIFFERENCE,) = METRICS
RATE_HZ = 48_000


def scaled(audio: Audio, gain_db: float) -> Audio:
    gain = np.float32(10 ** (gain_db / 20))
    return Audio(audio.samples * gain, audio.rate_hz)


@pytest.mark.parametrize("gain_db", [-6.0, -0.5, 0.0, 3.0])
def test_a_gain_is_its_decibels_whatever_its_sign(make_voice, gain_db):
    x = make_voice(RATE_HZ)
    value = DIFFERENCE(reference=x, degraded=scaled(x, gain_db))
    assert value == pytest.approx(abs(gain_db), abs=0.05)  # a block may cross a gate


def test_both_channels_count(make_voice):
    x = make_voice(RATE_HZ)
    stereo = Audio(np.repeat(x.samples, 2, axis=0), RATE_HZ)
    one_side = Audio(np.concatenate([x.samples, x.samples * np.float32(1e-3)]), RATE_HZ)
    value = DIFFERENCE(reference=stereo, degraded=one_side)
    assert value == pytest.approx(3.01, abs=0.02)


def test_signals_under_the_gate_have_no_loudness(make_voice):
    x = make_voice(RATE_HZ)
    with pytest.raises(Undefined, match="the degraded signal has no loudness: none of its blocks"):
        DIFFERENCE(reference=x, degraded=scaled(x, -80))
    with pytest.raises(Undefined, match="the reference has no loudness"):
        DIFFERENCE.prepare(scaled(x, -80))
