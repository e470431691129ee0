"""Change of loudness: by how many LU the degraded signal is louder or softer than the reference.

With L the integrated loudness of ITU-R BS.1770-4 over all channels::

    d = | L(y) - L(x) |

Without its sign, because a codec that makes half of the clips louder and half softer would
otherwise come out as one that leaves loudness alone.
"""

from __future__ import annotations

import math

from snacbench.audio.levels import loudness_lufs
from snacbench.errors import Undefined
from snacbench.metrics import _guards
from snacbench.metrics._provenance import versions_of
from snacbench.types import Audio, Metric, MetricSpec, PreparedMetric

MIN_DURATION_S = 0.4  # one gating block

LOUDNESS_DIFF = MetricSpec(
    name="loudness_diff_lu",
    unit="LU",
    better="lower",
    range=(0.0, math.inf),
    rate_hz=48_000,
    mono=False,
    citation="ITU-R BS.1770-4 (2015), annex 1",
    default=False,
    implementation="pyloudnorm",
    requires=("pyloudnorm",),
    ladder=("noise", "clipping"),
)


def _prepare(reference: Audio) -> PreparedMetric:
    _guards.accept_reference(reference, LOUDNESS_DIFF, min_duration_s=MIN_DURATION_S)
    of_reference = _loudness(reference, which=_guards.REFERENCE)

    def score(*, degraded: Audio) -> float:
        """Absolute difference of loudness in LU; lower is better, 0 for equal loudness."""
        _guards.accept_degraded(degraded, reference, LOUDNESS_DIFF)
        _guards.not_silent(degraded, which=_guards.DEGRADED)
        difference = _loudness(degraded, which=_guards.DEGRADED) - of_reference
        return _guards.finite(abs(difference), LOUDNESS_DIFF)

    return score


def _loudness(audio: Audio, *, which: str) -> float:
    loudness = loudness_lufs(audio)
    if loudness is None:
        raise Undefined(
            f"the {which} has no loudness: none of its blocks of 0.4 s is above -70 LUFS; a "
            "louder signal of 1 to 5 channels is needed"
        )
    return loudness


METRICS = (Metric(LOUDNESS_DIFF, _prepare, versions_of("pyloudnorm")),)
