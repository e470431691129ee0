"""Multi-scale STFT distance as the DAC paper reports it.

With S(x) the magnitudes of the short-time Fourier transform of x, and S clamped at 1e-5 inside
the logarithm::

    distance = sum over windows of  mean |2 log10 S(x) - 2 log10 S(y)|  +  mean |S(x) - S(y)|

Engel et al.: "DDSP", ICLR 2020, with the windows, power and weights that are the
defaults of ``MultiScaleSTFTLoss`` in descript-audio-codec.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from snacbench.metrics import _guards, _spectra
from snacbench.metrics._provenance import versions_of
from snacbench.types import Audio, Metric, MetricSpec, PreparedMetric

if TYPE_CHECKING:
    from torch import Tensor

WINDOWS = (2048, 512)
POWER = 2.0

STFT_DAC = MetricSpec(
    name="stft_dac",
    unit="log10 + linear",
    better="lower",
    range=(0.0, math.inf),
    rate_hz=44_100,
    citation="Kumar et al., NeurIPS 2023, table 3 (after Engel et al., ICLR 2020)",
    requires=("torch",),
)


def _prepare(reference: Audio) -> PreparedMetric:
    _guards.accept_reference(reference, STFT_DAC)
    _spectra.longer_than_padding(reference, max(WINDOWS))
    of_reference = [_features(reference, window) for window in WINDOWS]

    def score(*, degraded: Audio) -> float:
        """STFT distance, summed over windows; lower is better, 0 for equal signals."""
        _guards.accept_degraded(degraded, reference, STFT_DAC)
        total = 0.0
        for window, (log_magnitude, magnitude) in zip(WINDOWS, of_reference, strict=True):
            degraded_log_magnitude, degraded_magnitude = _features(degraded, window)
            total += POWER * _spectra.mean_distance(log_magnitude, degraded_log_magnitude)
            total += _spectra.mean_distance(magnitude, degraded_magnitude)
        return _guards.finite(total, STFT_DAC)

    return score


def _features(audio: Audio, window: int) -> tuple[Tensor, Tensor]:
    magnitude = _spectra.magnitude(audio, window)
    return _spectra.log_clamped(magnitude), magnitude


METRICS = (Metric(STFT_DAC, _prepare, versions_of("torch")),)
