"""Multi-scale STFT distance as the DAC paper reports it.

With S(x) the magnitudes of the short-time Fourier transform of x, and S clamped at 1e-5 inside
the logarithm::

    distance = sum over windows of  mean |2 log10 S(x) - 2 log10 S(y)|  +  mean |S(x) - S(y)|

where means run over channels, bins and frames.

Engel et al.: "DDSP", ICLR 2020, with the windows, power and weights that are the
defaults of ``MultiScaleSTFTLoss`` in descript-audio-codec.
"""

from __future__ import annotations

import math
from dataclasses import replace

from snacbench.metrics import _guards, _spectra
from snacbench.metrics._provenance import versions_of
from snacbench.metrics._spectra import Pieces
from snacbench.types import Audio, Metric, MetricSpec, PreparedMetric

WINDOWS = (2048, 512)
POWER = 2.0

STFT_DAC = MetricSpec(
    name="stft_dac",
    unit="log10 + linear",
    better="lower",
    range=(0.0, math.inf),
    rate_hz=44_100,
    mono=False,
    citation="Kumar et al., NeurIPS 2023, table 3 (after Engel et al., ICLR 2020)",
    version="2",
    requires=("torch",),
    ladder=("noise", "low-pass", "clipping"),
)
STFT_DAC_22K = replace(STFT_DAC, name="stft_dac_22k", rate_hz=22_050, default=False)
# For sources at 16 kHz: at 44.1 kHz 64 % of the bins lie above 8 kHz, with nothing to be near to.
STFT_DAC_16K = replace(STFT_DAC, name="stft_dac_16k", rate_hz=16_000, default=False)


def _prepare(reference: Audio, spec: MetricSpec) -> PreparedMetric:
    _guards.accept_reference(reference, spec)
    _spectra.longer_than_padding(reference, max(WINDOWS))
    of_reference = [_features(reference, window) for window in WINDOWS]

    def score(*, degraded: Audio) -> float:
        """STFT distance, summed over windows; lower is better, 0 for equal signals."""
        _guards.accept_degraded(degraded, reference, spec)
        total = 0.0
        for window, (log_magnitude, magnitude) in zip(WINDOWS, of_reference, strict=True):
            degraded_log_magnitude, degraded_magnitude = _features(degraded, window)
            total += POWER * _spectra.mean_distance(log_magnitude, degraded_log_magnitude)
            total += _spectra.mean_distance(magnitude, degraded_magnitude)
        return _guards.finite(total, spec)

    return score


def _features(audio: Audio, window: int) -> tuple[Pieces, Pieces]:
    magnitude = _spectra.magnitude(audio, window)
    return _spectra.log_clamped(magnitude), magnitude


def _metric(spec: MetricSpec) -> Metric:
    return Metric(spec, lambda reference: _prepare(reference, spec), versions_of("torch"))


METRICS = (_metric(STFT_DAC), _metric(STFT_DAC_22K), _metric(STFT_DAC_16K))
