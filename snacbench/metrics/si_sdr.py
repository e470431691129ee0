"""Scale-invariant signal-to-distortion ratio, of the file as decoded and after alignment.

With the reference x and the degraded signal y, both with their mean removed::

    a = <x, y> / <x, x>        SI-SDR = 10 log10( |a x|^2 / |y - a x|^2 )

and the mean over channels. Le Roux, Wisdom, Erdogan, Hershey: "SDR - half-baked or well done?",
ICASSP 2019.
"""

import math
from dataclasses import replace
from functools import partial

from snacbench.errors import Undefined
from snacbench.later import np
from snacbench.metrics._guards import guarded
from snacbench.types import Audio, Floats, MetricSpec

# Float64 arithmetic leaves a residual near (1e-16)^2 of the energy between signals that differ
# by a factor alone, and as little correlation between orthogonal ones. Ratios beyond this bound
# are rounding; float32 audio stays far inside.
_ROUNDING = 1e-28

SI_SDR = MetricSpec(
    name="si_sdr", unit="dB", better="higher", range=(-math.inf, math.inf), rate_hz=44_100,
    mono=False, citation="Le Roux et al., ICASSP 2019",
    ladder=("noise", "low-pass", "clipping", "shift"),
)  # fmt: skip
SI_SDR_ALIGNED = replace(SI_SDR, name="si_sdr_aligned", aligned=True, version="2")
SI_SDR_22K = replace(SI_SDR, name="si_sdr_22k", rate_hz=22_050, default=False)


def _ratio_db(reference: Floats, degraded: Audio) -> float:
    in_db = []
    for x, y in zip(reference, _centred(degraded), strict=True):
        scale = float(x @ y) / float(x @ x)
        target = scale * x
        target_energy = float(target @ target)
        residual = np.subtract(y, target, out=target)
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
        in_db.append(10 * math.log10(target_energy / residual_energy))
    return float(np.mean(in_db))


def _centred(audio: Audio) -> Floats:
    samples = audio.samples.astype(np.float64)
    return samples - samples.mean(axis=1, keepdims=True)


METRICS = tuple(
    guarded(spec, lambda reference: partial(_ratio_db, _centred(reference)))
    for spec in (SI_SDR, SI_SDR_ALIGNED, SI_SDR_22K)
)
