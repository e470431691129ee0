"""What is measured on clips, of a decode: its effective bandwidth, and its change of loudness.

`bandwidth_khz` is up to where the spectrum holds signal. `loudness_diff_lu` is by how many LU the
degraded signal is louder or softer than the reference: with L the integrated loudness of ITU-R
BS.1770-4 over all channels::

    d = | L(y) - L(x) |

Without its sign, because a codec that makes half of the clips louder and half softer would
otherwise come out as one that leaves loudness alone.
"""

from collections.abc import Callable
from dataclasses import replace

from snacbench.audio.levels import loudness_lufs
from snacbench.audio.measures import effective_bandwidth
from snacbench.errors import Undefined
from snacbench.metrics._guards import DISTANCE, guarded, versions_of
from snacbench.types import Audio, MetricSpec

BANDWIDTH = MetricSpec(
    name="bandwidth_khz", unit="kHz", better="higher", range=(0.0, 24.0), rate_hz=48_000,
    citation="snacbench, docs/metrics.md", any_length=True, default=False,
)  # fmt: skip
LOUDNESS_DIFF = replace(
    DISTANCE, name="loudness_diff_lu", unit="LU", rate_hz=48_000, mono=False,
    citation="ITU-R BS.1770-4 (2015), annex 1", implementation="pyloudnorm",
    requires=("pyloudnorm",), ladder=("noise", "clipping"),
)  # fmt: skip


def _bandwidth_khz(degraded: Audio) -> float:
    found, _ = effective_bandwidth(degraded)
    if found is None:
        raise Undefined(
            f"no bandwidth: the degraded signal is silent but for rounding, or too short: "
            f"{degraded.num_samples} samples, 256 are needed"
        )
    return found / 1000


def _loudness_diff(reference: Audio) -> Callable[[Audio], float]:
    of_reference = _loudness(reference, which="reference")
    return lambda degraded: abs(_loudness(degraded, which="degraded signal") - of_reference)


def _loudness(audio: Audio, *, which: str) -> float:
    loudness = loudness_lufs(audio)
    if loudness is None:
        raise Undefined(
            f"the {which} has no loudness: none of its blocks of 0.4 s is above -70 LUFS; a "
            "louder signal of 1 to 5 channels is needed"
        )
    return loudness


METRICS = (
    guarded(BANDWIDTH, lambda _: _bandwidth_khz),
    # 0.4 s: one gating block.
    guarded(LOUDNESS_DIFF, _loudness_diff, versions_of("pyloudnorm"), min_s=0.4),
)
