"""Pitch of speech: how far it moved, and how often voicing changed.

With f(x) the fundamental frequency of x every 10 ms, 0 where x is unvoiced::

    f0_rmse_cents = RMS over frames voiced in both of  1200 log2( f(y) / f(x) )
    voicing_error = share of all frames that are voiced in exactly one of x and y

Voicing decision error: Chu, Alwan: "Reducing F0 Frame Error ...", ICASSP 2009, equation 2. Pitch:
Praat's autocorrelation method with its standard settings but for the range of 65 to 600 Hz
(Boersma, IFA Proceedings 17, 1993), by ``praat-parselmouth``.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from snacbench.errors import Undefined
from snacbench.later import np
from snacbench.metrics._guards import DISTANCE, guarded, versions_of
from snacbench.types import Audio, Floats, Metric, MetricSpec

LOWEST_HZ, HIGHEST_HZ = 65.0, 600.0
MIN_DURATION_S = 0.1  # Praat wants three periods of the lowest pitch, and some frames beside them

F0_RMSE = replace(
    DISTANCE, name="f0_rmse_cents", unit="cent", rate_hz=16_000, domains=("speech",),
    citation="RMS of the pitch's ratio; pitch after Boersma, IFA Proceedings 17, 1993",
    implementation="praat-parselmouth", requires=("parselmouth",), ladder=(),
)  # fmt: skip
VOICING = replace(
    F0_RMSE, name="voicing_error", unit="1", range=(0.0, 1.0),
    citation="Chu and Alwan, ICASSP 2009, equation 2; pitch after Boersma 1993",
)  # fmt: skip


def rmse_cents(reference_hz: Floats, degraded_hz: Floats) -> float:
    """RMS of the pitch's ratio in cents where both are voiced; `Undefined` if that is nowhere."""
    both = (reference_hz > 0) & (degraded_hz > 0)
    if not both.any():
        raise Undefined(
            "no frame is voiced in both signals, so that there is no pitch to compare; "
            "voicing_error has a value for such pairs"
        )
    cents = 1200 * np.log2(degraded_hz[both] / reference_hz[both])
    return float(np.sqrt(np.mean(cents**2)))


def voicing_error(reference_hz: Floats, degraded_hz: Floats) -> float:
    """Share of frames, 0 to 1, that are voiced in exactly one of two signals."""
    return float(np.mean((reference_hz > 0) != (degraded_hz > 0)))


@lru_cache(maxsize=4)  # two metrics ask for the same two signals
def pitch_hz(audio: Audio) -> Floats:
    """Fundamental frequency of a mono signal every 10 ms, shape (frames,); 0: unvoiced."""
    from parselmouth import Sound

    sound = Sound(audio.samples[0].astype(np.float64), audio.rate_hz)
    pitch = sound.to_pitch_ac(time_step=0.010, pitch_floor=LOWEST_HZ, pitch_ceiling=HIGHEST_HZ)
    found: Floats = pitch.selected_array["frequency"]
    return found


def _metric(spec: MetricSpec, error: Callable[[Floats, Floats], float]) -> Metric:
    def prepare(reference: Audio) -> Callable[[Audio], float]:
        of_reference = pitch_hz(reference)
        if not of_reference.any():
            raise Undefined(
                "no frame of the reference is voiced between 65 and 600 Hz; voiced speech is needed"
            )
        return lambda degraded: error(of_reference, pitch_hz(degraded))

    return guarded(spec, prepare, versions_of("praat-parselmouth"), min_s=MIN_DURATION_S)


METRICS = (_metric(F0_RMSE, rmse_cents), _metric(VOICING, voicing_error))
