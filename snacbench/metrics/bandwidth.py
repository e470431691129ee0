"""Effective bandwidth of a decode: up to where its spectrum holds signal."""

from snacbench.errors import Undefined
from snacbench.metrics._guards import guarded
from snacbench.types import Audio, MetricSpec

BANDWIDTH = MetricSpec(
    name="bandwidth_khz", unit="kHz", better="higher", range=(0.0, 24.0), rate_hz=48_000,
    citation="snacbench, docs/metrics.md", any_length=True, default=False,
)  # fmt: skip


def bandwidth_khz(degraded: Audio) -> float:
    """Effective bandwidth in kHz; raises `Undefined` where nothing is heard."""
    from snacbench.audio.measures import effective_bandwidth

    found, _ = effective_bandwidth(degraded)
    if found is None:
        raise Undefined(
            f"no bandwidth: the degraded signal is silent but for rounding, or too short: "
            f"{degraded.num_samples} samples, 256 are needed"
        )
    return found / 1000


METRICS = (guarded(BANDWIDTH, lambda _: bandwidth_khz),)
