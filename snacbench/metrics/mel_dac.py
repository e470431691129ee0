"""Mel distance of the DAC paper, and of the defaults of the class that computes it.

With m(x) the mel magnitudes of x at one scale, clamped at 1e-5, and means over channels, bands and
frames::

    distance = sum over scales of  mean |p log10 m(x) - p log10 m(y)|  +  w mean |m(x) - m(y)|

The forms differ in scales, power p and magnitude weight w, and by far in value. Kumar et al.:
"High-Fidelity Audio Compression with Improved RVQGAN", NeurIPS 2023, section 3.5; configuration
``conf/base.yml`` of descript-audio-codec.
"""

from __future__ import annotations

import math
from dataclasses import replace
from functools import partial

from snacbench.metrics._guards import guarded, versions_of
from snacbench.metrics._spectra import distance, mel
from snacbench.types import MetricSpec

# (window, bands) of every scale.
PAPER = ((32, 5), (64, 10), (128, 20), (256, 40), (512, 80), (1024, 160), (2048, 320))
CLASS_DEFAULTS = ((2048, 150), (512, 80))

MEL_DAC7 = MetricSpec(
    name="mel_dac7",
    unit="log10",
    better="lower",
    range=(0.0, math.inf),
    rate_hz=44_100,
    mono=False,
    citation="Kumar et al., NeurIPS 2023, section 3.5 (7 scales, summed)",
    version="2",
    requires=("torch", "librosa"),
    ladder=("noise", "low-pass", "clipping"),
)
MEL_DAC_DEFAULT = replace(
    MEL_DAC7,
    name="mel_dac_default",
    unit="log10 + linear",
    citation="MelSpectrogramLoss of descript-audio-codec 1.0.0 with its default arguments",
    default=False,
)
MEL_DAC7_22K = replace(MEL_DAC7, name="mel_dac7_22k", rate_hz=22_050, default=False)
MEL_DAC_DEFAULT_22K = replace(MEL_DAC_DEFAULT, name="mel_dac_default_22k", rate_hz=22_050)

METRICS = tuple(
    guarded(
        spec,
        distance(
            [partial(mel, window=window, bands=bands) for window, bands in scales],
            largest_window=2048,
            power=power,
            magnitude_weight=weight,
        ),
        versions_of("torch", "librosa"),
        silence_has_score=True,
    )
    for specs, scales, power, weight in (
        ((MEL_DAC7, MEL_DAC7_22K), PAPER, 1.0, 0.0),
        ((MEL_DAC_DEFAULT, MEL_DAC_DEFAULT_22K), CLASS_DEFAULTS, 2.0, 1.0),
    )
    for spec in specs
)
