"""What every metric of the package promises, whatever it measures."""

from __future__ import annotations

import math
import subprocess
import sys

import numpy as np
import pytest

from snacbench.errors import Undefined
from snacbench.plugins import metrics
from snacbench.types import Audio, Metric
from tests.metrics.conftest import at_snr

DISCOVERED = metrics()
# Those that compare words promise other things (test_wer), and DNSMOS takes seconds a call
# whatever the duration (test_dnsmos).
METRICS = {
    name: metric
    for name, metric in DISCOVERED.items()
    if not metric.spec.needs_transcript and not name.startswith("dnsmos")
}
DEFAULTS = {
    "si_sdr",
    "si_sdr_aligned",
    "mel_dac7",
    "stft_dac",
    "visqol_audio",
    "visqol_speech",
    "pesq_wb",
    "stoi",
}
# Silence is at a finite distance from everything, and must not be spared.
DISTANCES = {
    name
    for name in METRICS
    if name.startswith(("mel_dac", "stft_dac", "waveform_l1")) or name in ("lsd", "mcd")
}
# The others see neither level nor spectrum, so that noise can leave them as they are.
LEVELLESS = ("f0_rmse_cents", "voicing_error", "bandwidth_khz")
FALLING = {n: m for n, m in METRICS.items() if n not in LEVELLESS}

pytestmark = pytest.mark.filterwarnings("error")
every_metric = pytest.mark.parametrize("metric", METRICS.values(), ids=METRICS)


@pytest.fixture
def reference(metric: Metric, make_voice) -> Audio:
    return make_voice(metric.spec.rate_hz, duration_s=2.0)


@pytest.fixture
def degraded(reference: Audio, add_noise) -> Audio:
    return add_noise(reference, 20)


def zeros_like(audio: Audio) -> Audio:
    return Audio(np.zeros_like(audio.samples), audio.rate_hz)


def test_default_metrics():
    assert {name for name, metric in DISCOVERED.items() if metric.spec.default} == DEFAULTS


def test_importing_metrics_loads_nothing_heavy():
    heavy = {
        "torch", "numba", "librosa", "visqol", "pesq", "pystoi", "matplotlib", "scipy",
        "jiwer", "parselmouth", "speechmos", "onnxruntime", "faster_whisper", "pyloudnorm",
    }  # fmt: skip
    code = (
        "import sys\n"
        "from snacbench.plugins import metrics\n"
        "metrics()\n"
        f"print(sorted({heavy!r} & sys.modules.keys()))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@every_metric
def test_scores_lie_within_the_range_of_the_spec(metric, reference, degraded):
    low, high = metric.spec.range
    assert low <= metric(reference=reference, degraded=degraded) <= high


@pytest.mark.parametrize("metric", FALLING.values(), ids=FALLING)
def test_quality_falls_at_every_step_of_a_falling_snr(metric, make_voice, add_noise):
    reference = make_voice(metric.spec.rate_hz, duration_s=3.0)
    score = metric.prepare(reference)
    scores = [score(degraded=add_noise(reference, snr_db)) for snr_db in (40, 30, 20, 10, 0)]
    sign = 1 if metric.spec.better == "higher" else -1
    assert all(np.diff(scores) * sign < 0), scores


@every_metric
def test_a_prepared_reference_can_be_used_again(metric, reference, degraded, add_noise):
    score = metric.prepare(reference)
    first = score(degraded=degraded)
    score(degraded=add_noise(reference, 0))
    assert score(degraded=degraded) == first == metric(reference=reference, degraded=degraded)


@every_metric
def test_names_what_computed_it(metric):
    assert all(version != "not installed" for version in metric.versions().values())
    assert metric.spec.citation


@every_metric
def test_wrong_rate(metric, reference, degraded):
    halved = Audio(reference.samples, metric.spec.rate_hz // 2)
    with pytest.raises(Undefined, match=r"reference is at \d+ Hz, .* is defined at \d+ Hz"):
        metric.prepare(halved)
    with pytest.raises(Undefined, match="degraded signal is at"):
        metric(reference=reference, degraded=Audio(degraded.samples, metric.spec.rate_hz // 2))


@every_metric
def test_wrong_channels(metric, reference, degraded):
    stereo = Audio(np.repeat(degraded.samples, 2, axis=0), degraded.rate_hz)
    with pytest.raises(Undefined, match="degraded signal has 2 channels, the reference has 1"):
        metric(reference=reference, degraded=stereo)
    if metric.spec.mono:
        with pytest.raises(Undefined, match=r"reference has 2 channels, .* is defined on 1"):
            metric.prepare(stereo)


@every_metric
def test_unequal_lengths(metric, reference, degraded):
    shorter = Audio(degraded.samples[:, :-100], degraded.rate_hz)
    if metric.spec.any_length:
        assert math.isfinite(metric(reference=reference, degraded=shorter))
    else:
        with pytest.raises(Undefined, match=r"lasts [\d.]+ s .*, the reference [\d.]+ s"):
            metric(reference=reference, degraded=shorter)


@every_metric
def test_silent_reference(metric, reference, degraded):
    for level in (0.0, 0.25):
        constant = Audio(np.full_like(reference.samples, level), reference.rate_hz)
        with pytest.raises(Undefined, match="reference is silent: all"):
            metric(reference=constant, degraded=degraded)


@every_metric
def test_silent_degraded_signal(metric, reference):
    silence = zeros_like(reference)
    if metric.spec.name in DISTANCES:
        slight = at_snr(reference, 30)
        found = metric(reference=reference, degraded=silence)
        assert metric(reference=reference, degraded=slight) < found < math.inf
    else:
        with pytest.raises(Undefined, match="degraded signal is silent: all"):
            metric(reference=reference, degraded=silence)


def value_or_reason(metric: Metric, reference: Audio, degraded: Audio) -> float | str:
    try:
        return metric(reference=reference, degraded=degraded)
    except Undefined as reason:
        return str(reason)


@every_metric
def test_short_signals_have_a_finite_score_or_none(metric):
    rate_hz = metric.spec.rate_hz
    for num_samples in (1, 10, 100, 1000):
        rng = np.random.default_rng(num_samples)
        x, y = rng.standard_normal((2, 1, num_samples)).astype(np.float32) * 0.1
        outcome = value_or_reason(metric, Audio(x, rate_hz), Audio(y, rate_hz))
        if isinstance(outcome, str):
            assert "short" in outcome or "silent" in outcome, num_samples
        else:
            assert math.isfinite(outcome), num_samples


@every_metric
def test_extreme_levels_have_a_finite_score_or_none(metric, reference):
    rng = np.random.default_rng(5)
    noise = rng.standard_normal(reference.samples.shape)
    for scale in (1e-38, 1e-10, 1e15):
        extreme = Audio((scale * noise).astype(np.float32), reference.rate_hz)
        for x, y in ((reference, extreme), (extreme, reference), (extreme, extreme)):
            outcome = value_or_reason(metric, x, y)
            assert isinstance(outcome, str) or math.isfinite(outcome), scale
