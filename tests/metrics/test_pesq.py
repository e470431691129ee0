from __future__ import annotations

import numpy as np
import pytest

from snacbench.errors import Undefined
from snacbench.metrics.pesq import MAX_DURATION_S, METRICS
from snacbench.types import Audio

WIDEBAND, NARROWBAND = METRICS
both = pytest.mark.parametrize(
    ("metric", "mode"), [(WIDEBAND, "wb"), (NARROWBAND, "nb")], ids=["wb", "nb"]
)


@both
def test_equals_the_package(metric, mode, pairs):
    import pesq

    rate_hz = metric.spec.rate_hz
    for name, (x, y) in pairs(rate_hz, speech_only=True).items():
        expected = pesq.pesq(rate_hz, x.samples[0], y.samples[0], mode)
        assert metric(reference=x, degraded=y) == expected, name


@both
def test_too_short(metric, mode, make_voice):
    x = make_voice(metric.spec.rate_hz, 0.24)
    with pytest.raises(Undefined, match=r"too short: .* lasts 0\.240 s, 0\.250 s are needed"):
        metric.prepare(x)


@both
def test_no_utterance(metric, mode):
    rate_hz = metric.spec.rate_hz
    word = np.zeros((1, rate_hz), np.float32)
    length = round(0.1 * rate_hz)
    word[0, :length] = np.random.default_rng(0).standard_normal(length) * 0.1
    with pytest.raises(Undefined, match="PESQ finds no utterance"):
        metric(reference=Audio(word, rate_hz), degraded=Audio(word[:, ::-1].copy(), rate_hz))


@both
def test_nearly_silent_degraded_signal(metric, mode, make_voice):
    x = make_voice(metric.spec.rate_hz)
    faint = Audio(x.samples * np.float32(1e-38), x.rate_hz)
    with pytest.raises(Undefined, match="no score for this pair: cannot convert float NaN"):
        metric(reference=x, degraded=faint)


@both
def test_the_densest_utterances_of_the_longest_clip_do_not_end_the_process(metric, mode):
    rate_hz = metric.spec.rate_hz
    rng = np.random.default_rng(0)
    time_s = np.arange(round(MAX_DURATION_S * rate_hz)) / rate_hz
    bursts = rng.standard_normal(len(time_s)) * 0.1 * (time_s % 0.42 < 0.21)
    x = Audio(bursts.astype(np.float32)[None], rate_hz)
    y = Audio((bursts + rng.standard_normal(len(time_s)) * 0.01).astype(np.float32)[None], rate_hz)
    assert 1 <= metric(reference=x, degraded=y) <= 5


@both
def test_too_long(metric, mode, make_voice):
    x = make_voice(metric.spec.rate_hz, MAX_DURATION_S + 0.01)
    with pytest.raises(Undefined, match=r"too long: .* at most 20\.000 s"):
        metric.prepare(x)
