"""DNSMOS: predicted opinion of speech, from the degraded signal alone.

Networks trained on listeners' ratings of noise suppressors: after ITU-T P.835 how good the speech
is (`dnsmos_sig`), the background (`dnsmos_bak`) and all of it (`dnsmos_ovrl`), and after P.808 the
overall quality (`dnsmos_p808`).

Reddy, Gopal, Cutler: "DNSMOS P.835: A Non-Intrusive Perceptual Objective Speech Quality Metric to
Evaluate Noise Suppressors", ICASSP 2022; the P.808 model: the same, "DNSMOS", ICASSP 2021. The
networks and what surrounds them are those of the package ``speechmos``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from snacbench.metrics import _guards
from snacbench.metrics._provenance import versions_of
from snacbench.types import Audio, Metric, MetricSpec, PreparedMetric

# The networks take 9.01 s; shorter signals are repeated, which of a fraction makes a rattle.
MIN_DURATION_S = 1.0
_SIGNALS_KEPT = 2  # four metrics ask for the same signal

OVERALL = MetricSpec(
    name="dnsmos_ovrl",
    unit="MOS",
    better="higher",
    range=(1.0, 5.0),
    rate_hz=16_000,
    domains=("speech",),
    any_length=True,
    default=False,
    citation="Reddy, Gopal, Cutler: DNSMOS P.835, ICASSP 2022",
    implementation="speechmos",
    requires=("speechmos", "onnxruntime", "librosa"),
)
P808 = replace(OVERALL, name="dnsmos_p808", citation="Reddy, Gopal, Cutler: DNSMOS, ICASSP 2021")


def _prepare(reference: Audio, spec: MetricSpec, key: str) -> PreparedMetric:
    _guards.accept_reference(reference, spec)

    def score(*, degraded: Audio) -> float:
        """Predicted mean opinion score, 1 to 5; higher is better."""
        _guards.accept_degraded(degraded, reference, spec)
        _guards.min_duration(degraded, MIN_DURATION_S, which=_guards.DEGRADED)
        _guards.not_silent(degraded, which=_guards.DEGRADED)
        return _guards.finite(predicted(degraded)[key], spec)

    return score


@lru_cache(maxsize=_SIGNALS_KEPT)
def predicted(audio: Audio) -> Mapping[str, float]:
    """What the networks say of a mono signal at 16 kHz, by the package's names.

    What resampling has lifted beyond full scale is clipped: the package refuses it.
    """
    found = _networks()(np.clip(audio.samples[0], -1.0, 1.0), audio.rate_hz, False)
    return {name: float(value) for name, value in found.items()}


@cache
def _networks() -> Any:
    """The package's scorer, its networks on one thread as everything in a worker."""
    import onnxruntime
    import speechmos.dnsmos as package

    folder = Path(package.__file__).parent / "dnsmos_models"
    names = ("sig_bak_ovr.onnx", "model_v8.onnx")
    scorer = package.DNSMOS(*(str(folder / name) for name in names))
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    scorer.onnx_sess, scorer.p808_onnx_sess = (
        onnxruntime.InferenceSession(str(folder / name), options) for name in names
    )
    return scorer


def _metric(spec: MetricSpec, key: str) -> Metric:
    return Metric(
        spec,
        lambda reference: _prepare(reference, spec, key),
        versions_of("speechmos", "onnxruntime", "librosa"),
    )


METRICS = (
    _metric(OVERALL, "ovrl_mos"),
    _metric(replace(OVERALL, name="dnsmos_sig"), "sig_mos"),
    _metric(replace(OVERALL, name="dnsmos_bak"), "bak_mos"),
    _metric(P808, "p808_mos"),
)
