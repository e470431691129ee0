"""ViSQOL version 3: predicted mean opinion score of music (audio mode) and of speech.

Chinen et al.: "ViSQOL v3: An Open Source Production Ready Objective Speech and Audio Metric",
QoMEX 2020. The stages are those of Google's program, the numbers its own to 1e-5; how they are
computed is another matter:

- `_visqol_spectrogram`: the spectrogram, without running a filter;
- `_visqol_similarity`: how alike two patches are, and where patches are found again;
- `_visqol_compare`: delays, pieces of signals, and all of this in order;
- `_visqol_map`: from similarities to a score, by Google's models.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from snacbench.errors import Undefined
from snacbench.metrics import _guards
from snacbench.metrics._provenance import versions_of
from snacbench.metrics._visqol_compare import FLOOR_DB, Reference
from snacbench.metrics._visqol_map import Mode, mapper
from snacbench.types import Audio, Metric, MetricSpec, PreparedMetric

# Fewer frames of 80 ms every 20 ms than these hold no patch: 45 in audio mode, 29 in speech.
AUDIO_MIN_DURATION_S, SPEECH_MIN_DURATION_S = 0.96, 0.64
# The floor of the spectrogram as an amplitude.
FLOOR_AMPLITUDE = 10 ** (FLOOR_DB / 10)
# Less similar than this is not the same signal; the C++ code then answers 1.
MIN_SIMILARITY, MIN_MOS = 0.15, 1.0

# Further digits are rounding, which differs from machine to machine.
DECIMALS = 9

AUDIO = MetricSpec(
    name="visqol_audio",
    unit="MOS-LQO",
    better="higher",
    range=(1.0, 5.0),
    rate_hz=48_000,
    citation="Chinen et al., QoMEX 2020; audio mode, support vector regression",
    any_length=True,
    requires=("visqol",),
    # Neither mapping is monotone in the similarities: on more noise, and on less bandwidth, the
    # support vectors and the lattice can answer a higher score.
    ladder=("clipping",),
)
SPEECH = replace(
    AUDIO,
    name="visqol_speech",
    rate_hz=16_000,
    domains=("speech",),
    citation="Chinen et al., QoMEX 2020; speech mode, lattice network",
    requires=("visqol", "ai_edge_litert"),
)
SPEECH_EXPONENTIAL = replace(
    SPEECH,
    name="visqol_speech_exponential",
    citation="Chinen et al., QoMEX 2020; speech mode, exponential fit scaled to 5",
    default=False,
    requires=(),
    ladder=("noise", "low-pass", "clipping"),
)
SPEECH_EXPONENTIAL_UNSCALED = replace(
    SPEECH_EXPONENTIAL,
    name="visqol_speech_exponential_unscaled",
    range=(1.0, 4.016),
    citation="Chinen et al., QoMEX 2020; speech mode, exponential fit",
)


def moslqo(*, reference: Audio, degraded: Audio, mode: Mode) -> float:
    """Predicted mean opinion score, 1 (bad) to 5 (excellent), at any rate and channel count.

    Channels are averaged. The metrics of this file hold the rate to 48 kHz or 16 kHz, for which
    the mappings were trained; this function does not, like Google's own program.

    Raises
    ------
    Undefined
        If a signal is silent or too short, or nothing of the reference can be compared.
    """
    return prepare(reference, mode)(degraded=degraded)


def prepare(reference: Audio, mode: Mode) -> PreparedMetric:
    """Compute what depends on the reference alone and return the scorer; see `moslqo`."""
    min_duration_s = AUDIO_MIN_DURATION_S if mode == "audio" else SPEECH_MIN_DURATION_S
    _guards.min_duration(reference, min_duration_s, which=_guards.REFERENCE)
    _guards.not_silent(reference, which=_guards.REFERENCE)
    prepared = Reference(_mono(reference), reference.rate_hz, speech=mode != "audio")
    # Below the floor everywhere, any two signals would look the same and get the full score.
    if prepared.loudest_band <= FLOOR_AMPLITUDE:
        raise Undefined(
            f"the reference is too quiet: its loudest band is at {prepared.loudest_band:.1e} of "
            f"full scale, more than {FLOOR_AMPLITUDE:.1e} is needed"
        )
    quality = mapper(mode)

    def score(*, degraded: Audio) -> float:
        """Predicted mean opinion score, 1 to 5; higher is better."""
        _guards.min_duration(degraded, min_duration_s, which=_guards.DEGRADED)
        _guards.not_silent(degraded, which=_guards.DEGRADED)
        features = prepared.features(_mono(degraded))
        if features.means.mean() < MIN_SIMILARITY:
            return MIN_MOS
        return round(quality(features), DECIMALS)

    return score


def _mono(audio: Audio) -> NDArray[np.float64]:
    return audio.samples.mean(axis=0, dtype=np.float64)


def _prepare_guarded(reference: Audio, spec: MetricSpec, mode: Mode) -> PreparedMetric:
    _guards.right_rate(reference, spec, which=_guards.REFERENCE)
    _guards.right_channels(reference, spec, which=_guards.REFERENCE)
    score_any = prepare(reference, mode)

    def score(*, degraded: Audio) -> float:
        """Predicted mean opinion score, 1 to 5; higher is better."""
        _guards.accept_degraded(degraded, reference, spec)
        return _guards.finite(score_any(degraded=degraded), spec)

    return score


def _metric(spec: MetricSpec, mode: Mode, mapping: str, *packages: str) -> Metric:
    return Metric(
        spec,
        lambda reference: _prepare_guarded(reference, spec, mode),
        versions_of("numpy", "scipy", *packages, visqol_mapper=mapping),
    )


METRICS = (
    _metric(AUDIO, "audio", "support vector regression", "visqol-python"),
    _metric(SPEECH, "speech", "lattice", "visqol-python", "ai-edge-litert"),
    _metric(SPEECH_EXPONENTIAL, "speech_exponential", "exponential, scaled"),
    _metric(SPEECH_EXPONENTIAL_UNSCALED, "speech_exponential_unscaled", "exponential, unscaled"),
)
