"""DNSMOS: predicted opinion of speech, from the degraded signal alone.

Networks trained on listeners' ratings of noise suppressors: after ITU-T P.835 how good the speech,
the background and all of it are (Reddy, Gopal, Cutler: "DNSMOS P.835", ICASSP 2022), and after
P.808 the overall quality ("DNSMOS", ICASSP 2021). They are those of the package ``speechmos``.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from snacbench.later import np
from snacbench.metrics._guards import VOICE, guarded, versions_of
from snacbench.types import Audio, Metric, MetricSpec

# The networks take 9.01 s; shorter signals are repeated, which of a fraction makes a rattle.
MIN_DURATION_S = 1.0

OVERALL = replace(
    VOICE, name="dnsmos_ovrl", unit="MOS",
    citation="Reddy, Gopal, Cutler: DNSMOS P.835, ICASSP 2022", implementation="speechmos",
    requires=("speechmos", "onnxruntime", "librosa"),
)  # fmt: skip
P808 = replace(OVERALL, name="dnsmos_p808", citation="Reddy, Gopal, Cutler: DNSMOS, ICASSP 2021")


@lru_cache(maxsize=2)  # four metrics ask for the same signal
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
    paths = [str(folder / name) for name in ("sig_bak_ovr.onnx", "model_v8.onnx")]
    scorer = package.DNSMOS(*paths)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    scorer.onnx_sess, scorer.p808_onnx_sess = (
        onnxruntime.InferenceSession(path, options) for path in paths
    )
    return scorer


def _metric(spec: MetricSpec, key: str) -> Metric:
    def prepare(_reference: Audio) -> Callable[[Audio], float]:
        return lambda degraded: predicted(degraded)[key]

    return guarded(spec, prepare, versions_of(*spec.requires), min_degraded_s=MIN_DURATION_S)


METRICS = (
    _metric(OVERALL, "ovrl_mos"),
    _metric(replace(OVERALL, name="dnsmos_sig"), "sig_mos"),
    _metric(replace(OVERALL, name="dnsmos_bak"), "bak_mos"),
    _metric(P808, "p808_mos"),
)
