from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from snacbench.errors import Undefined
from snacbench.metrics.si_sdr import METRICS, SI_SDR, SI_SDR_ALIGNED
from snacbench.types import Audio

METRIC, ALIGNED, METRIC_22K = METRICS
RATE_HZ = SI_SDR.rate_hz


def audio(samples) -> Audio:
    return Audio(np.atleast_2d(np.asarray(samples, np.float32)), RATE_HZ)


def noise(seed: int, channels: int = 1, num_samples: int = 2000) -> Audio:
    return audio(np.random.default_rng(seed).standard_normal((channels, num_samples)) * 0.1)


def mixed(a: Audio, b: Audio, gain: float) -> Audio:
    return audio(a.samples + gain * b.samples)


def test_value_by_hand():
    # y = x + n, n orthogonal to x and both without a mean: the ratio of the energies, 4 to 1.
    x, n = np.array([2, -2, 2, -2]), np.array([1, 1, -1, -1])
    value = METRIC(reference=audio(x), degraded=audio(x + n))
    assert value == pytest.approx(10 * np.log10(4), abs=1e-12)


def test_equals_audiotools_in_double_precision(pairs):
    torch = pytest.importorskip("torch")
    from audiotools.metrics.distance import SISDRLoss

    for name, (x, y) in pairs(RATE_HZ).items():
        loss = SISDRLoss()(
            torch.tensor(x.samples[None], dtype=torch.float64),
            torch.tensor(y.samples[None], dtype=torch.float64),
        )
        value = METRIC(reference=x, degraded=y)
        assert value == pytest.approx(-float(loss), rel=1e-6, abs=1e-6), name


def test_aligned_is_the_same_function_after_the_runner_has_shifted():
    x, y = noise(1), mixed(noise(1), noise(2), 0.3)
    assert ALIGNED(reference=x, degraded=y) == METRIC(reference=x, degraded=y)
    assert SI_SDR_ALIGNED.aligned
    assert not SI_SDR.aligned


def test_stereo_is_the_mean_of_its_channels():
    x, n = noise(1, channels=2), noise(2, channels=2)
    y = audio(x.samples + np.array([[0.1], [0.7]]) * n.samples)
    left, right = (
        METRIC(reference=audio(x.samples[i]), degraded=audio(y.samples[i])) for i in range(2)
    )
    assert METRIC(reference=x, degraded=y) == pytest.approx((left + right) / 2, abs=1e-12)
    assert left - right > 10


def test_one_silent_channel_has_no_value():
    x = noise(1, channels=2)
    y = audio(x.samples * np.array([[1.0], [0.0]]) + [[0.1], [0.0]] * noise(2, 2).samples)
    with pytest.raises(Undefined, match="degraded signal is silent in channel 1"):
        METRIC(reference=x, degraded=y)


@pytest.mark.parametrize("factor", [1.0, -2.0, 0.5])
def test_equal_up_to_a_factor_is_infinite(factor):
    x = noise(1)
    with pytest.raises(Undefined, match="SI-SDR is infinite"):
        METRIC(reference=x, degraded=audio(factor * x.samples))


def test_orthogonal_is_minus_infinity():
    with pytest.raises(Undefined, match="SI-SDR is minus infinity"):
        METRIC(reference=audio([1, -1, 1, -1]), degraded=audio([1, 1, -1, -1]))


@given(
    gain=st.floats(0.01, 100),
    sign=st.sampled_from([-1, 1]),
    offset=st.floats(-1, 1),
    noise_gain=st.floats(0.01, 10),
    seed=st.integers(0, 1000),
)
def test_neither_level_nor_offset_matters(gain, sign, offset, noise_gain, seed):
    x = noise(seed)
    y = mixed(x, noise(seed + 1), noise_gain)
    moved = audio(sign * gain * (y.samples + offset))
    score = METRIC.prepare(x)
    assert score(degraded=moved) == pytest.approx(score(degraded=y), abs=2e-3)


@given(seed=st.integers(0, 1000), gain=st.floats(0.05, 1))
def test_more_of_the_same_noise_is_worse(seed, gain):
    x, n = noise(seed), noise(seed + 1)
    score = METRIC.prepare(x)
    assert score(degraded=mixed(x, n, 1.5 * gain)) < score(degraded=mixed(x, n, gain))
