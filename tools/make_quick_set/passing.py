"""A car that drives past: engine and tyres, heard through distance and Doppler shift."""

from __future__ import annotations

import numpy as np
from scipy.interpolate import CubicSpline

from tools.make_quick_set.clip import Signal
from tools.make_quick_set.dsp import Rng, band, noise, place, wander

_SPEED_OF_SOUND_M_S = 343.0
_CAR_SPEED_M_S = 15.0
_CLOSEST_M = 5.0
#: The farther away, the duller: the corner of the air's low-pass moves between these.
_NEAR_CORNER_HZ, _FAR_CORNER_HZ = 16_000, 1_800


def engine(rng: Rng, length: int, rate_hz: int) -> Signal:
    """Four cylinders under load: half-orders of the firing rate, through an exhaust."""
    firing_hz = 74 * wander(rng, length, rate_hz, every_s=0.35, between=(0.985, 1.015))
    firing_hz *= 1 + 0.05 * np.linspace(0, 1, length)
    phase = 2 * np.pi * np.cumsum(firing_hz) / rate_hz
    sound = np.zeros(length)
    for half_order in range(1, 90):
        order = half_order / 2
        exhaust = 1 / (1 + ((order * 74 - 190) / 160) ** 2) + 0.12 / (1 + order / 12)
        weight = exhaust * (1.0 if half_order % 2 == 0 else 0.3)
        sound += weight * np.sin(order * phase + rng.uniform(0, 2 * np.pi))
    return sound * wander(rng, length, rate_hz, every_s=0.02, between=(0.8, 1.0))


def drive_past(rng: Rng, rate_hz: int, duration_s: float) -> Signal:
    """A car on a straight road, nearest to the listener in the middle of the clip.

    Returns
    -------
    ndarray of shape (2, time)
        Heard by a pair of microphones at the kerb.
    """
    length = round(duration_s * rate_hz)
    lead_s = 0.3  # the first sound heard left the car earlier
    emitted_s = np.arange(length + round(lead_s * rate_hz)) / rate_hz - lead_s
    along_m = _CAR_SPEED_M_S * (emitted_s - duration_s / 2)
    distance_m = np.hypot(along_m, _CLOSEST_M)
    road = noise(rng, len(emitted_s), rate_hz, db_per_octave=2)
    tyres = band(road, rate_hz, 350, 6500, order=1)
    motor = engine(rng, len(emitted_s), rate_hz)
    source = motor / np.sqrt(np.mean(motor**2)) + 0.75 * tyres / np.sqrt(np.mean(tyres**2))

    heard_s = np.arange(length) / rate_hz
    left_at_s = np.interp(heard_s, emitted_s + distance_m / _SPEED_OF_SOUND_M_S, emitted_s)
    heard = CubicSpline(emitted_s, source)(left_at_s)
    there_m = np.interp(left_at_s, emitted_s, distance_m)
    nearness = _CLOSEST_M / there_m
    dull = band(heard, rate_hz, 0, _FAR_CORNER_HZ, order=1)
    clear = band(heard, rate_hz, 0, _NEAR_CORNER_HZ, order=1)
    arriving = nearness * (nearness * clear + (1 - nearness) * dull)
    side = np.interp(left_at_s, emitted_s, along_m) / there_m
    return place(arriving, 0.85 * side)
