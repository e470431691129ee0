"""Change of loudness: by how many LU the degraded signal is louder or softer than the reference.

With L the integrated loudness of ITU-R BS.1770-4 over all channels::

    d = | L(y) - L(x) |

Without its sign, because a codec that makes half of the clips louder and half softer would
otherwise come out as one that leaves loudness alone.
"""

from collections.abc import Callable
from dataclasses import replace

from snacbench.audio.levels import loudness_lufs
from snacbench.errors import Undefined
from snacbench.metrics._guards import DISTANCE, guarded, versions_of
from snacbench.types import Audio

LOUDNESS_DIFF = replace(
    DISTANCE, name="loudness_diff_lu", unit="LU", rate_hz=48_000, mono=False,
    citation="ITU-R BS.1770-4 (2015), annex 1", implementation="pyloudnorm",
    requires=("pyloudnorm",), ladder=("noise", "clipping"),
)  # fmt: skip


def _prepare(reference: Audio) -> Callable[[Audio], float]:
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


# 0.4 s: one gating block.
METRICS = (guarded(LOUDNESS_DIFF, _prepare, versions_of("pyloudnorm"), min_s=0.4),)
