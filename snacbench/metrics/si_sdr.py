"""Scale-invariant signal-to-distortion ratio, of the file as decoded and after alignment.

With the reference x and the degraded signal y, both with their mean removed::

    a = <x, y> / <x, x>        SI-SDR = 10 log10( |a x|^2 / |y - a x|^2 )

Le Roux, Wisdom, Erdogan, Hershey: "SDR - half-baked or well done?", ICASSP 2019.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from snacbench.errors import Undefined
from snacbench.metrics import _guards
from snacbench.types import Audio, Metric, MetricSpec, PreparedMetric

# Float64 arithmetic leaves a residual near (1e-16)^2 of the energy between signals that differ
# by a factor alone, and as little correlation between orthogonal ones. Ratios beyond this bound
# are rounding; float32 audio stays far inside.
_ROUNDING = 1e-28

SI_SDR = MetricSpec(
    name="si_sdr",
    unit="dB",
    better="higher",
    range=(-math.inf, math.inf),
    rate_hz=44_100,
    mono=False,
    citation="Le Roux et al., ICASSP 2019",
    ladder=("noise", "low-pass", "clipping", "shift"),
)
SI_SDR_ALIGNED = replace(SI_SDR, name="si_sdr_aligned", aligned=True, version="2")
SI_SDR_22K = replace(SI_SDR, name="si_sdr_22k", rate_hz=22_050, default=False)


def si_sdr_db(reference: NDArray[np.float64], degraded: NDArray[np.float64]) -> float:
    """Scale-invariant SDR in dB of one channel; higher is better.

    Parameters
    ----------
    reference, degraded : array, shape (time,)
        With their means removed; neither all zero.

    Raises
    ------
    Undefined
        If the ratio is infinite (one signal is a multiple of the other) or zero (nothing of the
        reference is in the degraded signal).
    """
    scale = float(reference @ degraded) / float(reference @ reference)
    target = scale * reference
    target_energy = float(target @ target)
    residual = np.subtract(degraded, target, out=target)
    residual_energy = float(residual @ residual)
    if residual_energy <= _ROUNDING * target_energy:
        raise Undefined(
            "the SI-SDR is infinite: the degraded signal equals the reference up to a factor; "
            "signals that differ are needed"
        )
    if target_energy <= _ROUNDING * residual_energy:
        raise Undefined(
            "the SI-SDR is minus infinity: the degraded signal holds nothing of the reference; "
            "signals that correlate are needed"
        )
    return 10 * math.log10(target_energy / residual_energy)


def _prepare(reference: Audio, spec: MetricSpec) -> PreparedMetric:
    _guards.accept_reference(reference, spec)
    centred_reference = _centred(reference)

    def score(*, degraded: Audio) -> float:
        """SI-SDR in dB, the mean over channels; higher is better."""
        _guards.accept_degraded(degraded, reference, spec)
        _guards.not_silent(degraded, which=_guards.DEGRADED)
        pairs = zip(centred_reference, _centred(degraded), strict=True)
        per_channel = [si_sdr_db(x, y) for x, y in pairs]
        return _guards.finite(float(np.mean(per_channel)), spec)

    return score


def _centred(audio: Audio) -> NDArray[np.float64]:
    samples = audio.samples.astype(np.float64)
    return samples - samples.mean(axis=1, keepdims=True)


def _metric(spec: MetricSpec) -> Metric:
    return Metric(spec, lambda reference: _prepare(reference, spec))


METRICS = (_metric(SI_SDR), _metric(SI_SDR_ALIGNED), _metric(SI_SDR_22K))
