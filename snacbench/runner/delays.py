"""How late one decoded clip comes: its own lag, close to the delay of its codec."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from snacbench.audio.align import (
    MAX_DELAY_S,
    PLAINLY_ALIKE,
    WINDOW_S,
    Match,
    best_lag,
    cross_correlation,
    strongest,
)
from snacbench.audio.channels import downmix
from snacbench.rows import Coded, Delay
from snacbench.runner.signals import at_rate
from snacbench.types import Audio
from snacbench.units import lateness

# The wide search needs neither higher frequencies nor finer lags, and other metrics use this rate.
_SEARCH_RATE_HZ = 16_000
_AS_GOOD = 0.8


def delay_of(coded: Coded, *, reference: Audio, degraded: Audio, codec_delay_s: float) -> Delay:
    """The lag that aligned metrics take away, and whether it can be believed.

    It is the whole lag, in samples of the decoded file, that leaves the highest SI-SDR within
    0.25 ms of the codec's delay. The half whitened correlation over 0.5 s either way tells whether
    the clip matches there at all, and whether it does not match better elsewhere.
    """
    rate_hz = degraded.rate_hz
    source = at_rate(reference, rate_hz)
    if source.channels != degraded.channels:
        source, degraded = downmix(source), downmix(degraded)

    def match_around(lag_s: float) -> Match:
        around, reach = round(lag_s * rate_hz), round(WINDOW_S * rate_hz)
        return best_lag(reference=source, degraded=degraded, around=around, reach=reach)

    match = match_around(codec_delay_s)
    own_lag, inverted, reason = match.lag, match.correlation < 0, _silence(reference, degraded)
    if not reason:
        search_hz = min(rate_hz, _SEARCH_RATE_HZ)
        curve = cross_correlation(
            reference=at_rate(source, search_hz),
            degraded=at_rate(degraded, search_hz),
            max_lag=round(MAX_DELAY_S * search_hz),
        )
        anywhere, near = strongest(curve), _near(curve, codec_delay_s, search_hz)
        if anywhere.stands_out:
            inverted = near.correlation < 0
            if abs(near.correlation) < _AS_GOOD * abs(anywhere.correlation):
                own_lag = match_around(anywhere.lag / search_hz).lag
                reason = (
                    f"by itself the clip comes {lateness(own_lag / rate_hz)}, and is compared as "
                    f"if {lateness(match.lag / rate_hz)}, close to its codec's delay"
                )
        elif abs(match.correlation) < PLAINLY_ALIKE:
            reason = (
                f"the decode resembles the source at no lag within {MAX_DELAY_S:g} s more than at "
                f"others; close to its codec's delay the correlation is {match.correlation:.2f}"
            )
    lost = reason and own_lag == match.lag
    return Delay(
        coded.clip,
        coded.codec,
        lag_s=match.lag / rate_hz,
        rate_hz=rate_hz,
        correlation=match.correlation,
        inverted=inverted and not reason,
        found=not reason,
        own_lag_s=None if lost else own_lag / rate_hz,
        reason=reason,
    )


def _near(curve: NDArray[np.float64], delay_s: float, rate_hz: int) -> Match:
    """The strongest match within reach of a codec's delay."""
    center = len(curve) // 2 + round(delay_s * rate_hz)
    reach = round(WINDOW_S * rate_hz) + 1
    return strongest(curve[max(0, center - reach) : center + reach + 1])


def _silence(reference: Audio, degraded: Audio) -> str:
    for name, audio in (("source", reference), ("decode", degraded)):
        if np.all(audio.samples == audio.samples[:, :1]):
            return f"the {name} is silent"
    return ""
