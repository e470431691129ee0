"""Waveform distance: mean absolute difference of samples, full scale being 1.

With means over channels and samples::

    d = mean |x - y|

Part of the evaluation that comes with Kumar et al.: "High-Fidelity Audio Compression with Improved
RVQGAN", NeurIPS 2023 (``L1Loss`` in ``scripts/evaluate.py`` of descript-audio-codec).
"""

from dataclasses import replace
from functools import partial

from snacbench.later import np
from snacbench.metrics._guards import DISTANCE, guarded
from snacbench.types import Audio

WAVEFORM_L1 = replace(
    DISTANCE, name="waveform_l1", mono=False,
    citation="L1Loss of descript-audio-codec 1.0.0, scripts/evaluate.py",
    ladder=("noise", "low-pass", "clipping", "shift"),
)  # fmt: skip
WAVEFORM_L1_22K = replace(WAVEFORM_L1, name="waveform_l1_22k", rate_hz=22_050)


def _distance(reference: Audio, degraded: Audio) -> float:
    difference = reference.samples - degraded.samples
    return float(np.abs(difference, out=difference).mean())


METRICS = tuple(
    guarded(spec, lambda reference: partial(_distance, reference), silence_has_score=True)
    for spec in (WAVEFORM_L1, WAVEFORM_L1_22K)
)
