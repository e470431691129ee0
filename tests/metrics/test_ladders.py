"""Every metric falls, step by step, on the degradations that its spec names."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np
import pytest

from snacbench.audio.channels import downmix
from snacbench.audio.io import read_clip
from snacbench.audio.resample import resample
from snacbench.plugins import metrics
from snacbench.testsets.opening import quick
from snacbench.types import Audio, Degradation, Metric
from tests.conftest import broadband
from tests.metrics.conftest import voice
from tests.metrics.ladders import LADDERS, ladder

METRICS = metrics()
DURATION_S = 2.5
# Clips of the embedded set, and where in them there is much to hear.
CLIPS = {
    "quick/speech/slt_market": 0.3,
    "quick/speech/awb_weather": 0.3,
    "quick/music/piano_nocturne": 1.0,
    "quick/environment/workshop": 1.0,
}
NO_LADDER = {
    **dict.fromkeys(
        (name for name in METRICS if name.startswith(("wer", "cer"))),
        "words are recognised or not, and at times noise makes one right",
    ),
    **dict.fromkeys(
        (name for name in METRICS if name.startswith("dnsmos")),
        "networks that see no reference answer what they were taught, not what changed",
    ),
    "bandwidth_khz": "noise and clipping widen it, and no low-pass above the voice's band is heard",
    "f0_rmse_cents": "frames whose pitch is lost do not count, and the better ones are left",
    "voicing_error": "degradations voice some frames and unvoice others, which may be right again",
}


def named() -> Iterator[object]:
    for name, metric in METRICS.items():
        for kind in metric.spec.ladder:
            yield pytest.param(metric, kind, id=f"{name} {kind}")


@functools.lru_cache(maxsize=64)
def reference(source: str, rate_hz: int) -> Audio:
    if source == "voice":
        return voice(rate_hz, DURATION_S)
    if source == "noise":
        return broadband(DURATION_S, rate_hz)
    clip = next(clip for clip in quick().clips if clip.id == source)
    audio = resample(downmix(read_clip(clip)), rate_hz)
    start = round(CLIPS[source] * rate_hz)
    return Audio(audio.samples[:, start : start + round(DURATION_S * rate_hz)].copy(), rate_hz)


@functools.lru_cache(maxsize=128)
def steps(kind: Degradation, source: str, rate_hz: int) -> list[Audio]:
    return ladder(kind, reference(source, rate_hz))


def sources(metric: Metric) -> list[str]:
    speech_only = metric.spec.domains == ("speech",)
    clips = [name for name in CLIPS if not speech_only or "/speech/" in name]
    return ["voice", *clips] if speech_only else ["voice", "noise", *clips]


@pytest.mark.parametrize(("metric", "kind"), named())
def test_every_step_is_worse(metric, kind):
    spec = metric.spec
    worst = spec.range[0] if spec.better == "higher" else spec.range[1]
    for source in sources(metric):
        score = metric.prepare(reference(source, spec.rate_hz))
        scores = [score(degraded=y) for y in steps(kind, source, spec.rate_hz)]
        falls = np.diff(scores) * (1 if spec.better == "higher" else -1) < 0
        at_the_end = np.array(scores[1:]) == worst
        assert all(falls | at_the_end), (source, scores)
        assert scores[0] != scores[-1]


def test_every_metric_names_a_ladder_or_says_why_not():
    for name, metric in METRICS.items():
        assert bool(metric.spec.ladder) != bool(NO_LADDER.get(name)), name
        assert set(metric.spec.ladder) <= LADDERS.keys(), name


@pytest.mark.parametrize("kind", LADDERS)
def test_steps_grow(kind):
    x = voice(16_000, 1.0)
    away = [float(np.mean((y.samples - x.samples) ** 2)) for y in ladder(kind, x)]
    assert all(np.diff(away) > 0)
    assert away[0] > 0


def test_a_shift_by_one_sample_is_that():
    x = broadband(0.5, 8_000)
    last = ladder("shift", x)[-1]
    assert np.allclose(last.samples, np.roll(x.samples, 1, axis=1), atol=1e-6)
