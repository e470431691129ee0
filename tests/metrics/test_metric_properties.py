"""What follows from each metric's definition: equal signals, levels, delays, swapped signals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks._peers import PEERS
from snacbench.errors import Undefined
from snacbench.plugins import metrics
from snacbench.types import Audio, Metric
from tests.metrics.conftest import at_snr, voice

METRICS = {n: m for n, m in metrics().items() if not m.spec.needs_transcript}
FAST = {n: m for n, m in METRICS.items() if not n.startswith("dnsmos")}
DURATION_S = 2.0

# Value for equal signals and how near; None: no value.
EQUAL: dict[str, tuple[float, float] | None] = {
    "visqol_audio": (4.732, 1e-3),
    "visqol_speech_exponential": (5.0, 1e-6),
    "visqol_speech_exponential_unscaled": (4.0159, 1e-3),
    "pesq_wb": (4.644, 1e-3),
    "pesq_nb": (4.549, 1e-3),
    "stoi": (1.0, 1e-9),
    "estoi": (1.0, 1e-9),
    **{name: None for name in FAST if name.startswith("si_sdr")},
    **{name: (0.0, 0.0) for name, metric in FAST.items() if metric.spec.better == "lower"},
}
# What a gain on the degraded signal may change, at most.
LEVEL_FREE = {
    "bandwidth_khz": 0.3,
    **{name: 1e-3 for name in FAST if name.startswith("si_sdr")},
    **{name: 1e-3 for name in FAST if name.startswith("visqol")},
    "pesq_wb": 0.05,
    "pesq_nb": 0.05,
    "stoi": 1e-4,
    "estoi": 1e-4,
    "mcd": 1e-2,
    "f0_rmse_cents": 1e-2,
    "voicing_error": 1e-2,
}
# They take a constant delay away before they compare.
DELAY_FREE = ("visqol", "pesq")
SYMMETRIC = ("si_sdr", "mel_dac", "stft_dac", "waveform_l1", "lsd", "loudness", "f0", "voicing")

few = settings(
    max_examples=4, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
every_metric = pytest.mark.parametrize("name", FAST)


def noisy_voice(name: str, seed: int = 0) -> tuple[Audio, Audio]:
    x = voice(FAST[name].spec.rate_hz, DURATION_S, seed)
    return x, at_snr(x, 15, seed + 1)


def voice_with_a_gap(name: str) -> tuple[Audio, Audio]:
    """Speech that one signal has and the other lacks, with little noise."""
    x = voice(FAST[name].spec.rate_hz, DURATION_S)
    y = at_snr(x, 25).samples.copy()
    y[:, x.num_samples // 2 :][:, : round(0.3 * x.rate_hz)] = 0
    return x, Audio(y, x.rate_hz)


def scored(name: str, x: Audio, y: Audio) -> float:
    return FAST[name](reference=x, degraded=y)


@pytest.mark.parametrize("name", EQUAL)
@few
@given(seed=st.integers(0, 1000))
def test_equal_signals(name, seed):
    x, _ = noisy_voice(name, seed)
    y = Audio(x.samples.copy(), x.rate_hz)
    match EQUAL[name]:
        case None:
            with pytest.raises(Undefined, match="SI-SDR is infinite"):
                scored(name, x, y)
        case value, within:
            assert scored(name, x, y) == pytest.approx(value, abs=within)


def test_which_metrics_have_no_fixed_score_of_equal_signals():
    assert FAST.keys() - EQUAL.keys() == {"visqol_speech", "bandwidth_khz"}


@pytest.mark.parametrize("name", LEVEL_FREE)
@few
@given(gain_db=st.floats(-12, 6))
def test_level_is_not_heard(name, gain_db):
    x, y = noisy_voice(name)
    louder = Audio(np.float32(10 ** (gain_db / 20)) * y.samples, y.rate_hz)
    assert scored(name, x, louder) == pytest.approx(scored(name, x, y), abs=LEVEL_FREE[name])


@pytest.mark.parametrize("name", sorted(FAST.keys() - LEVEL_FREE.keys()))
def test_level_is_heard(name):
    x, y = noisy_voice(name)
    softer = Audio(np.float32(0.25) * y.samples, y.rate_hz)
    assert abs(scored(name, x, softer) - scored(name, x, y)) > 1e-3


@few
@given(gain_db=st.floats(-20, 20))
def test_loudness_changes_by_the_gain(gain_db):
    x, _ = noisy_voice("loudness_diff_lu")
    louder = Audio(np.float32(10 ** (gain_db / 20)) * x.samples, x.rate_hz)
    assert scored("loudness_diff_lu", x, louder) == pytest.approx(abs(gain_db), abs=0.1)


@pytest.mark.parametrize("name", [n for n in FAST if n.startswith(DELAY_FREE)])
@few
@given(delay_ms=st.integers(1, 30))
def test_a_constant_delay_is_hardly_heard(name, delay_ms):
    x, y = noisy_voice(name)
    late = Audio(np.roll(y.samples, delay_ms * y.rate_hz // 1000, axis=1), y.rate_hz)
    assert scored(name, x, late) == pytest.approx(scored(name, x, y), abs=0.3)


@pytest.mark.parametrize("name", ["si_sdr", "waveform_l1", "stoi", "estoi", "voicing_error"])
def test_a_constant_delay_is_heard(name):
    x, _ = noisy_voice(name)
    late = Audio(np.roll(x.samples, 50 * x.rate_hz // 1000, axis=1), x.rate_hz)
    spec = FAST[name].spec
    slightly_late = Audio(np.roll(x.samples, 1, axis=1), x.rate_hz)
    sign = 1 if spec.better == "higher" else -1
    assert sign * (scored(name, x, slightly_late) - scored(name, x, late)) > 0.01


# ------------------------------------------------------------------------------ swapped signals


@pytest.mark.parametrize("name", [n for n in FAST if n.startswith(SYMMETRIC)])
def test_swapping_changes_nothing(name):
    x, y = noisy_voice(name)
    assert scored(name, y, x) == pytest.approx(scored(name, x, y), rel=1e-9)


@pytest.mark.parametrize("name", [n for n in FAST if not n.startswith(SYMMETRIC)])
def test_swapping_changes_the_score(name):
    x, y = voice_with_a_gap(name)
    assert abs(scored(name, y, x) - scored(name, x, y)) > 0.05


@pytest.mark.parametrize("name", [n for n in FAST if n in PEERS and not n.startswith(SYMMETRIC)])
def test_the_reference_implementation_tells_which_signal_is_which(name):
    x, y = voice_with_a_gap(name)
    ours, swapped = scored(name, x, y), PEERS[name](y, x)
    assert ours == pytest.approx(PEERS[name](x, y), abs=1e-4)
    assert abs(ours - swapped) > 0.05


def test_signals_are_passed_by_name():
    metric: Metric = FAST["si_sdr"]
    x, y = noisy_voice("si_sdr")
    with pytest.raises(TypeError, match="positional argument"):
        metric(x, y)  # type: ignore[misc]
    assert math.isfinite(metric(reference=x, degraded=y))
