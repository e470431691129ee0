"""Mel distance of the DAC paper, and of the defaults of the class that computes it.

With m(x) the mel magnitudes of x at one scale, clamped at 1e-5::

    distance = sum over scales of  mean |p log10 m(x) - p log10 m(y)|  +  w mean |m(x) - m(y)|

where p is the power and w the magnitude weight, and means run over channels, bands and frames. The
forms differ in scales, p and w, and by far in value, so a mel distance without the name of its form
says nothing. So do the rates: DAC's evaluation computes all of its distances at 44.1 kHz and, here
``_22k``, at 22.05 kHz.

Kumar et al.: "High-Fidelity Audio Compression with Improved RVQGAN", NeurIPS 2023, section 3.5;
configuration ``conf/base.yml`` of descript-audio-codec.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from snacbench.metrics import _guards, _spectra
from snacbench.metrics._provenance import versions_of
from snacbench.metrics._spectra import Pieces
from snacbench.types import Audio, Metric, MetricSpec, PreparedMetric


@dataclass(frozen=True)
class MelForm:
    """One of the published forms: (window, bands) of every scale, the power and the weight."""

    scales: tuple[tuple[int, int], ...]
    power: float
    magnitude_weight: float


PAPER = MelForm(
    scales=((32, 5), (64, 10), (128, 20), (256, 40), (512, 80), (1024, 160), (2048, 320)),
    power=1.0,
    magnitude_weight=0.0,
)
CLASS_DEFAULTS = MelForm(scales=((2048, 150), (512, 80)), power=2.0, magnitude_weight=1.0)

MEL_DAC7 = MetricSpec(
    name="mel_dac7",
    unit="log10",
    better="lower",
    range=(0.0, math.inf),
    rate_hz=44_100,
    mono=False,
    citation="Kumar et al., NeurIPS 2023, section 3.5 (7 scales, summed)",
    version="2",
    requires=("torch", "librosa"),
    ladder=("noise", "low-pass", "clipping"),
)
MEL_DAC_DEFAULT = replace(
    MEL_DAC7,
    name="mel_dac_default",
    unit="log10 + linear",
    citation="MelSpectrogramLoss of descript-audio-codec 1.0.0 with its default arguments",
    default=False,
)
MEL_DAC7_22K = replace(MEL_DAC7, name="mel_dac7_22k", rate_hz=22_050, default=False)
MEL_DAC_DEFAULT_22K = replace(MEL_DAC_DEFAULT, name="mel_dac_default_22k", rate_hz=22_050)


def _prepare(reference: Audio, spec: MetricSpec, form: MelForm) -> PreparedMetric:
    _guards.accept_reference(reference, spec)
    _spectra.longer_than_padding(reference, max(window for window, _ in form.scales))
    of_reference = [_features(reference, form, scale) for scale in form.scales]

    def score(*, degraded: Audio) -> float:
        """Mel distance, summed over scales; lower is better, 0 for equal signals."""
        _guards.accept_degraded(degraded, reference, spec)
        total = 0.0
        for scale, (log_mel, mel) in zip(form.scales, of_reference, strict=True):
            degraded_log_mel, degraded_mel = _features(degraded, form, scale)
            total += form.power * _spectra.mean_distance(log_mel, degraded_log_mel)
            if mel is not None and degraded_mel is not None:
                total += form.magnitude_weight * _spectra.mean_distance(mel, degraded_mel)
        return _guards.finite(total, spec)

    return score


def _features(audio: Audio, form: MelForm, scale: tuple[int, int]) -> tuple[Pieces, Pieces | None]:
    """Log mel spectrum of one scale, and the plain one where the form weighs it."""
    window, bands = scale
    mel = _spectra.mel(audio, window, bands)
    return _spectra.log_clamped(mel), mel if form.magnitude_weight else None


def _metric(spec: MetricSpec, form: MelForm) -> Metric:
    versions = versions_of("torch", "librosa")
    return Metric(spec, lambda reference: _prepare(reference, spec, form), versions)


METRICS = (
    _metric(MEL_DAC7, PAPER),
    _metric(MEL_DAC7_22K, PAPER),
    _metric(MEL_DAC_DEFAULT, CLASS_DEFAULTS),
    _metric(MEL_DAC_DEFAULT_22K, CLASS_DEFAULTS),
)
