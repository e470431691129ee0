"""Which part of a clip is heard: cut where it is quiet, faded in and out."""

from __future__ import annotations

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from snacbench.listening.test import FADE_S, MAX_EXCERPT_S
from snacbench.types import Audio

DEFAULT_EXCERPT_S = 10.0

_HOP_S = 0.01
_AROUND_S = 0.05  # what one hears around a cut
_TOLERANCE = 0.15  # cuts move the length by so much of it, to be quiet
_RANGE_DB = 50.0  # a cut that far under the loudest part is as quiet as it needs to be
_DB_PER_S_AWAY = 0.5  # between cuts about as quiet, the length nearer to the one asked for


def choose_excerpt(audio: Audio, wanted_s: float = DEFAULT_EXCERPT_S) -> tuple[float, float]:
    """Start and duration, in seconds, of the excerpt of a clip.

    A clip that is not much longer than `wanted_s` is taken whole. Of a longer one, an excerpt of
    about that length which is loud within and quiet at both ends; the first such one.

    Returns
    -------
    tuple of float
        Start and duration in whole hundredths of a second, or the whole clip.
    """
    longest_s = min(wanted_s * (1 + _TOLERANCE), MAX_EXCERPT_S)
    if audio.duration_s <= longest_s:
        return 0.0, round(audio.duration_s, 6)
    power = _power(audio)
    around = _smoothed(power, round(_AROUND_S / _HOP_S))
    level_db = 10 * np.log10(around / max(float(around.max()), 1e-20) + 10 ** (-_RANGE_DB / 10))
    # Cuts lie between hops; the first and the last are the clip's own ends.
    cut_db = np.minimum(np.append(level_db, level_db[-1]), np.append(level_db[0], level_db))
    energy = np.append(0.0, np.cumsum(power))
    lengths = np.arange(
        round(wanted_s * (1 - _TOLERANCE) / _HOP_S), min(int(longest_s / _HOP_S), len(power)) + 1
    )
    best = min(
        (_best_start(cut_db, energy, int(length), wanted_s) for length in lengths),
        key=lambda found: found[0],
    )
    return round(best[1] * _HOP_S, 3), round(best[2] * _HOP_S, 3)


def _best_start(
    cut_db: NDArray[np.float64], energy: NDArray[np.float64], length: int, wanted_s: float
) -> tuple[float, int, int]:
    """Cost, start and length, in hops, of the best excerpt of one length."""
    within = (energy[length:] - energy[:-length]) / length
    within_db = 10 * np.log10(within / max(float(energy[-1]), 1e-20) + 1e-12)
    cost = (cut_db[length:] + cut_db[:-length]) / 2 - within_db
    cost += _DB_PER_S_AWAY * abs(length * _HOP_S - wanted_s)
    start = int(np.argmin(cost))
    return float(cost[start]), start, length


def cut(audio: Audio, start_s: float, duration_s: float) -> Audio:
    """The excerpt with raised-cosine fades of 5 ms at both ends; shorter where the clip ends."""
    start = round(start_s * audio.rate_hz)
    stop = start + round(duration_s * audio.rate_hz)
    return faded(Audio(audio.samples[:, start:stop], audio.rate_hz))


def faded(audio: Audio) -> Audio:
    """Raised-cosine fades of 5 ms at both ends."""
    length = min(round(FADE_S * audio.rate_hz), audio.num_samples // 2)
    ramp = 0.5 - 0.5 * np.cos(np.pi * np.arange(length) / max(length, 1))
    envelope = np.ones(audio.num_samples)
    envelope[:length] = ramp
    envelope[audio.num_samples - length :] = ramp[::-1]
    return Audio((audio.samples * envelope).astype(np.float32), audio.rate_hz)


def _power(audio: Audio) -> NDArray[np.float64]:
    """Mean square of each whole hop, over all channels."""
    hop = round(_HOP_S * audio.rate_hz)
    count = audio.num_samples // hop
    samples = audio.samples[:, : count * hop].astype(np.float64)
    return np.asarray((samples**2).mean(axis=0).reshape(count, hop).mean(axis=1))


def _smoothed(power: NDArray[np.float64], hops: int) -> NDArray[np.float64]:
    padded = np.pad(power, (hops // 2, hops - 1 - hops // 2), mode="edge")
    return np.asarray(sliding_window_view(padded, hops).mean(axis=1))
