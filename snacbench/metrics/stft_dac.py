"""Multi-scale STFT distance as the DAC paper reports it.

With S(x) the magnitudes of the short-time Fourier transform of x, clamped at 1e-5 inside the
logarithm, and means over channels, bins and frames::

    distance = sum over windows of  mean |2 log10 S(x) - 2 log10 S(y)|  +  mean |S(x) - S(y)|

Engel et al.: "DDSP", ICLR 2020; the defaults of ``MultiScaleSTFTLoss`` in descript-audio-codec.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

from snacbench.metrics._guards import guarded, versions_of
from snacbench.metrics._spectra import distance, magnitude
from snacbench.types import MetricSpec

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

PREPARE = distance(
    [partial(magnitude, window=window) for window in (2048, 512)],
    largest_window=2048,
    power=2.0,
    magnitude_weight=1.0,
)
METRICS = tuple(
    guarded(spec, PREPARE, versions_of("torch"), silence_has_score=True)
    for spec in (STFT_DAC, STFT_DAC_22K, STFT_DAC_16K)
)
