from __future__ import annotations

import numpy as np
import pytest

from snacbench.errors import Undefined
from snacbench.metrics.stoi import METRICS, MIN_DURATION_S
from snacbench.types import Audio

STOI, ESTOI = METRICS
RATE_HZ = 10_000
both = pytest.mark.parametrize("metric", METRICS, ids=["stoi", "estoi"])


def package(x: Audio, y: Audio, *, extended: bool) -> float:
    """What pystoi says, its random fill of silent bands the same at every call."""
    from pystoi import stoi

    np.random.seed(0)
    signals = (audio.samples[0].astype(np.float64) for audio in (x, y))
    return float(stoi(*signals, RATE_HZ, extended=extended))


def test_equals_the_package(pairs):
    for name, (x, y) in pairs(RATE_HZ, speech_only=True).items():
        assert STOI(reference=x, degraded=y) == pytest.approx(
            package(x, y, extended=False), abs=1e-9
        ), name


def test_the_extended_form_equals_the_package(pairs, add_noise):
    for name, (x, _) in pairs(RATE_HZ, speech_only=True).items():
        for snr_db in (30, 10, 0):  # noise: no band is silent, so the package fills nothing
            y = add_noise(x, snr_db)
            assert ESTOI(reference=x, degraded=y) == pytest.approx(
                package(x, y, extended=True), abs=1e-9
            ), name


def test_the_extended_form_is_the_package_on_average_where_bands_are_silent(make_voice):
    x = make_voice(RATE_HZ)
    gated = Audio(x.samples * (np.abs(x.samples) > 0.2), RATE_HZ)
    assert ESTOI(reference=x, degraded=gated) == pytest.approx(
        package(x, gated, extended=True), abs=2e-2
    )


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
    pair = Audio(x, RATE_HZ), Audio(y, RATE_HZ)
    value = metric(reference=pair[0], degraded=pair[1])
    assert value == pytest.approx(package(*pair, extended=metric is ESTOI), abs=1e-9)
    assert 0 < value <= 1


@both
def test_too_little_speech_never_becomes_the_packages_sentinel(metric, make_voice, add_noise):
    burst = make_voice(RATE_HZ).samples.copy()
    burst[:, 2500:] = 0
    reference = Audio(burst, RATE_HZ)
    with pytest.raises(Undefined, match="less than 30 frames"):
        metric(reference=reference, degraded=add_noise(reference, 20))


def test_numpys_random_state_is_neither_used_nor_touched(make_voice):
    x = make_voice(RATE_HZ)
    gated = Audio(x.samples * (np.abs(x.samples) > 0.2), RATE_HZ)
    np.random.seed(1)
    before = np.random.get_state()[1].copy()
    first = ESTOI(reference=x, degraded=gated)
    assert np.array_equal(before, np.random.get_state()[1])
    np.random.seed(2)
    assert ESTOI(reference=x, degraded=gated) == first
