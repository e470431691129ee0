"""Waveform distance: mean absolute difference of samples, full scale being 1.

With means over channels and samples::

    d = mean |x - y|

Part of the evaluation that comes with Kumar et al.: "High-Fidelity Audio Compression with Improved
RVQGAN", NeurIPS 2023 (``L1Loss`` in ``scripts/evaluate.py`` of descript-audio-codec).
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from snacbench.metrics import _guards
from snacbench.types import Audio, Metric, MetricSpec, PreparedMetric

WAVEFORM_L1 = MetricSpec(
    name="waveform_l1",
    unit="1",
    better="lower",
    range=(0.0, math.inf),
    rate_hz=44_100,
    mono=False,
    citation="L1Loss of descript-audio-codec 1.0.0, scripts/evaluate.py",
    default=False,
    ladder=("noise", "low-pass", "clipping", "shift"),
)
WAVEFORM_L1_22K = replace(WAVEFORM_L1, name="waveform_l1_22k", rate_hz=22_050)


def _prepare(reference: Audio, spec: MetricSpec) -> PreparedMetric:
    _guards.accept_reference(reference, spec)

    def score(*, degraded: Audio) -> float:
        """Mean absolute difference of samples; lower is better, 0 for equal signals."""
        _guards.accept_degraded(degraded, reference, spec)
        difference = reference.samples - degraded.samples
        return _guards.finite(float(np.abs(difference, out=difference).mean()), spec)

    return score


def _metric(spec: MetricSpec) -> Metric:
    return Metric(spec, lambda reference: _prepare(reference, spec))


METRICS = (_metric(WAVEFORM_L1), _metric(WAVEFORM_L1_22K))
