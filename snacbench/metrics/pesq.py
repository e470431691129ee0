"""PESQ: predicted mean opinion score of speech, wideband and narrowband.

ITU-T P.862 (2001) with the mappings to MOS-LQO of P.862.1 (narrowband) and P.862.2
(wideband), computed by ITU's own C code in the package ``pesq``. That takes both signals at once,
so that nothing of the reference is kept but the signal.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from snacbench.errors import Undefined
from snacbench.metrics import _guards
from snacbench.metrics._provenance import versions_of
from snacbench.types import Audio, Metric, MetricSpec, PreparedMetric

Mode = Literal["wb", "nb"]

MIN_DURATION_S = 0.25
# The C code has room for 50 utterances and does not check: more overwrite its memory and end
# the process. An utterance and the pause after it are more than 0.2 s each, so that this
# duration cannot hold 51.
MAX_DURATION_S = 20.0

WIDEBAND = MetricSpec(
    name="pesq_wb",
    unit="MOS-LQO",
    better="higher",
    range=(1.0, 4.644),
    rate_hz=16_000,
    domains=("speech",),
    citation="ITU-T P.862.2 (2007), before Corrigendum 2",
    implementation="pesq",
    requires=("pesq",),
    ladder=("noise", "low-pass", "clipping"),
)
NARROWBAND = replace(
    WIDEBAND,
    name="pesq_nb",
    range=(1.0, 4.549),
    rate_hz=8_000,
    citation="ITU-T P.862 (2001) and P.862.1 (2003)",
    default=False,
    # What a low-pass above 3.4 kHz takes away, a telephone never had.
    ladder=("noise", "clipping"),
)


def _prepare(reference: Audio, spec: MetricSpec, mode: Mode) -> PreparedMetric:
    _guards.accept_reference(reference, spec, min_duration_s=MIN_DURATION_S)
    _guards.max_duration(reference, MAX_DURATION_S, which=_guards.REFERENCE)

    def score(*, degraded: Audio) -> float:
        """Predicted mean opinion score, 1 to about 4.6; higher is better."""
        _guards.accept_degraded(degraded, reference, spec)
        _guards.not_silent(degraded, which=_guards.DEGRADED)
        return _guards.finite(_pesq(reference, degraded, mode), spec)

    return score


def _pesq(reference: Audio, degraded: Audio, mode: Mode) -> float:
    import pesq

    try:
        return float(pesq.pesq(reference.rate_hz, reference.samples[0], degraded.samples[0], mode))
    except pesq.NoUtterancesError as error:
        raise Undefined(
            "PESQ finds no utterance that both signals hold; at least 0.2 s of speech are needed"
        ) from error
    except (pesq.PesqError, ValueError) as error:
        raise Undefined(f"PESQ has no score for this pair: {error}") from error


def _metric(spec: MetricSpec, mode: Mode) -> Metric:
    return Metric(spec, lambda reference: _prepare(reference, spec, mode), versions_of("pesq"))


METRICS = (_metric(WIDEBAND, "wb"), _metric(NARROWBAND, "nb"))
