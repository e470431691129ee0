"""Short-time objective intelligibility of speech, plain and extended.

Taal, Hendriks, Heusdens, Jensen: "An Algorithm for Intelligibility Prediction of Time-Frequency
Weighted Noisy Speech", IEEE TASLP 19(7), 2011; the extended form: Jensen,
Taal: "An Algorithm for Predicting the Intelligibility of Speech Masked by Modulated Noise
Maskers", IEEE TASLP 24(11), 2016. Computed by the package ``pystoi``.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from snacbench.errors import Undefined
from snacbench.metrics import _guards
from snacbench.metrics._provenance import versions_of
from snacbench.types import Audio, Metric, MetricSpec, PreparedMetric

# 31 frames of 256 samples, 128 apart, and one sample more: pystoi leaves out the last frame, twice.
MIN_DURATION_S = (30 * 128 + 256 + 1) / 10_000
_FILL_SEED = 0

STOI = MetricSpec(
    name="stoi",
    unit="1",
    better="higher",
    range=(-1.0, 1.0),
    # The rate of the method itself, so that pystoi's own resampler has nothing to do.
    rate_hz=10_000,
    domains=("speech",),
    citation="Taal et al., IEEE TASLP 19(7), 2011",
    implementation="pystoi",
    requires=("pystoi",),
)
ESTOI = replace(
    STOI, name="estoi", citation="Jensen and Taal, IEEE TASLP 24(11), 2016", default=False
)


def _prepare(reference: Audio, spec: MetricSpec, *, extended: bool) -> PreparedMetric:
    _guards.accept_reference(reference, spec, min_duration_s=MIN_DURATION_S)

    def score(*, degraded: Audio) -> float:
        """Intelligibility, at most 1; higher is better."""
        _guards.accept_degraded(degraded, reference, spec)
        _guards.not_silent(degraded, which=_guards.DEGRADED)
        return _guards.finite(_stoi(reference, degraded, extended=extended), spec)

    return score


def _stoi(reference: Audio, degraded: Audio, *, extended: bool) -> float:
    from pystoi import stoi

    with warnings.catch_warnings(), _fixed_numpy_random():
        # pystoi warns and answers 1e-5 when too little speech is left. That is no score.
        warnings.simplefilter("error", RuntimeWarning)
        try:
            return float(
                stoi(
                    reference.samples[0].astype(np.float64),
                    degraded.samples[0].astype(np.float64),
                    reference.rate_hz,
                    extended=extended,
                )
            )
        except RuntimeWarning as warning:
            raise Undefined(
                "less than 30 frames (0.4 s) of the reference are within 40 dB of its loudest; "
                "more speech is needed"
            ) from warning


@contextmanager
def _fixed_numpy_random() -> Iterator[None]:
    """Make the extended form repeatable: pystoi fills silent bands from numpy's global state."""
    state = np.random.get_state()
    np.random.seed(_FILL_SEED)
    try:
        yield
    finally:
        np.random.set_state(state)


def _metric(spec: MetricSpec, *, extended: bool) -> Metric:
    return Metric(
        spec,
        lambda reference: _prepare(reference, spec, extended=extended),
        versions_of("pystoi"),
    )


METRICS = (_metric(STOI, extended=False), _metric(ESTOI, extended=True))
