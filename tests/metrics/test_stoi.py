from __future__ import annotations

import numpy as np
import pytest

from snacbench.errors import Undefined
from snacbench.metrics.stoi import METRICS, MIN_DURATION_S
from snacbench.types import Audio

STOI, ESTOI = METRICS
RATE_HZ = 10_000
both = pytest.mark.parametrize("metric", METRICS, ids=["stoi", "estoi"])


def test_equals_the_package(pairs):
    from pystoi import stoi

    for name, (x, y) in pairs(RATE_HZ, speech_only=True).items():
        x64, y64 = x.samples[0].astype(np.float64), y.samples[0].astype(np.float64)
        plain, extended = (stoi(x64, y64, RATE_HZ, extended=e) for e in (False, True))
        assert STOI(reference=x, degraded=y) == plain, name
        assert ESTOI(reference=x, degraded=y) == pytest.approx(extended, abs=1e-6), name


@both
def test_equal_signals_reach_one(metric, make_voice):
    x = make_voice(RATE_HZ)
    assert metric(reference=x, degraded=x) == pytest.approx(1.0, abs=1e-6)


@both
def test_too_short(metric, make_voice):
    x = make_voice(RATE_HZ)
    num_samples = round(MIN_DURATION_S * RATE_HZ)
    short = Audio(x.samples[:, : num_samples - 1], RATE_HZ)
    with pytest.raises(Undefined, match="too short: the reference lasts"):
        metric.prepare(short)


@both
def test_shortest_clip_with_a_value(metric):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1, round(MIN_DURATION_S * RATE_HZ))).astype(np.float32) * 0.1
    y = x + 0.02 * rng.standard_normal(x.shape).astype(np.float32)
    assert 0 < metric(reference=Audio(x, RATE_HZ), degraded=Audio(y, RATE_HZ)) <= 1


@both
def test_too_little_speech(metric, make_voice, add_noise):
    x = make_voice(RATE_HZ)
    burst = x.samples.copy()
    burst[:, 2500:] = 0
    reference = Audio(burst, RATE_HZ)
    with pytest.raises(Undefined, match="less than 30 frames"):
        metric(reference=reference, degraded=add_noise(reference, 20))


def test_silent_bands_are_filled_the_same_way_every_time(make_voice):
    x = make_voice(RATE_HZ)
    gated = Audio(x.samples * (np.abs(x.samples) > 0.2), RATE_HZ)
    np.random.seed(1)
    first = ESTOI(reference=x, degraded=gated)
    state = np.random.get_state()[1].copy()
    np.random.seed(1)
    assert np.array_equal(state, np.random.get_state()[1])  # the caller's generator is untouched
    np.random.seed(2)
    assert ESTOI(reference=x, degraded=gated) == first
