"""Every metric falls, step by step, on the degradations that its spec names."""

import functools

import numpy as np
import pytest
from scipy.signal import firwin, oaconvolve

from snacbench.audio.channels import downmix
from snacbench.audio.io import read_clip
from snacbench.audio.resample import resample
from snacbench.plugins import metrics
from snacbench.testsets.opening import quick
from snacbench.types import Audio
from tests.conftest import broadband
from tests.metrics.conftest import at_snr, voice

METRICS = metrics()
DURATION_S = 2.5
# Clips of the embedded set, and where in them there is much to hear.
CLIPS = {"quick/speech/slt_market": 0.3, "quick/speech/awb_weather": 0.3,
         "quick/music/piano_nocturne": 1.0, "quick/environment/workshop": 1.0}  # fmt: skip
NO_LADDER = {
    **dict.fromkeys((name for name in METRICS if name.startswith(("wer", "cer"))),
                    "words are recognised or not, and at times noise makes one right"),
    **dict.fromkeys((name for name in METRICS if name[:6] == "dnsmos" or METRICS[name].models),
                    "networks without a reference answer what they were taught, not what changed"),
    **dict.fromkeys((name for name in METRICS if METRICS[name].embed),
                    "sets of clips are compared: tests/tables/test_set_level.py has a ladder"),
    "bandwidth_khz": "noise and clipping widen it, and no low-pass above the voice's band is heard",
    "f0_rmse_cents": "frames whose pitch is lost do not count, and the better ones are left",
    "voicing_error": "degradations voice some frames and unvoice others, which may be right again",
}  # fmt: skip


def low_passed(audio, cutoff):
    """A linear-phase low-pass without delay, so that nothing but the band is lost."""
    filtered = oaconvolve(audio.samples, firwin(255, cutoff)[np.newaxis], mode="same", axes=1)
    return Audio(np.ascontiguousarray(filtered, np.float32), audio.rate_hz)


def clipped(audio, level):
    """Everything above a share of the peak cut off."""
    bound = level * np.abs(audio.samples).max()
    return Audio(np.clip(audio.samples, -bound, bound), audio.rate_hz)


def shifted(audio, num_samples):
    """Later by a fraction of a sample, the end carried to the beginning."""
    spectrum = np.fft.rfft(audio.samples, axis=1)
    turns = np.fft.rfftfreq(audio.num_samples) * num_samples
    late = np.fft.irfft(spectrum * np.exp(-2j * np.pi * turns), audio.num_samples, axis=1)
    return Audio(np.ascontiguousarray(late, np.float32), audio.rate_hz)


# SNR in dB; cut-off as a share of half the rate; level as a share of the peak; samples (up to one,
# every frequency that a signal can hold loses correlation with itself).
LADDERS = {
    "noise": (at_snr, (40, 30, 20, 10, 0)), "low-pass": (low_passed, (0.7, 0.5, 0.35, 0.25)),
    "clipping": (clipped, (0.5, 0.35, 0.2, 0.1, 0.05)), "shift": (shifted, (0.25, 0.5, 0.75, 1.0)),
}  # fmt: skip


@functools.lru_cache(maxsize=64)
def reference(source, rate_hz):
    if source == "voice":
        return voice(rate_hz, DURATION_S)
    if source == "noise":
        return broadband(DURATION_S, rate_hz)
    clip = next(clip for clip in quick().clips if clip.id == source)
    audio = resample(downmix(read_clip(clip)), rate_hz)
    start = round(CLIPS[source] * rate_hz)
    return Audio(audio.samples[:, start : start + round(DURATION_S * rate_hz)].copy(), rate_hz)


@functools.lru_cache(maxsize=128)
def ladder(kind, source, rate_hz):
    step, values = LADDERS[kind]
    return [step(reference(source, rate_hz), value) for value in values]


@pytest.mark.parametrize(("metric", "kind"), [
    pytest.param(metric, kind, id=f"{name} {kind}")
    for name, metric in METRICS.items()
    for kind in metric.spec.ladder
])  # fmt: skip
def test_every_step_is_worse(metric, kind):
    spec = metric.spec
    worst = spec.range[0] if spec.better == "higher" else spec.range[1]
    speech_only = spec.domains == ("speech",)
    clips = [name for name in CLIPS if not speech_only or "/speech/" in name]
    for source in ["voice", *clips] if speech_only else ["voice", "noise", *clips]:
        score = metric.prepare(reference(source, spec.rate_hz))
        scores = [score(degraded=y) for y in ladder(kind, source, spec.rate_hz)]
        falls = np.diff(scores) * (1 if spec.better == "higher" else -1) < 0
        at_the_end = np.array(scores[1:]) == worst
        assert all(falls | at_the_end), (source, scores)
        assert scores[0] != scores[-1]


def test_every_metric_names_a_ladder_or_says_why_not():
    for name, metric in METRICS.items():
        assert bool(metric.spec.ladder) != bool(NO_LADDER.get(name)), name
        assert set(metric.spec.ladder) <= LADDERS.keys(), name
