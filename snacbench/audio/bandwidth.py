"""Effective bandwidth: up to where the spectrum of a clip holds signal.

Three things are looked for, in this order:

1. Mirror images of the spectrum, which a poor resampler leaves (`images`): what lies above the
   mirror is no signal.
2. The highest band with signal (`bands`): loud beside the loudest band, or fainter but coming and
   going as sounds do; steady faint bands are hiss or shaped dither.
3. A steep end of the spectrum (`brickwall`). Where there is one, it is the bandwidth, hiss under
   it included: recordings have hiss up to where something cut it off.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from snacbench.audio.bands import bands_of
from snacbench.audio.brickwall import brickwall
from snacbench.audio.images import imaged_from_hz
from snacbench.audio.spectrum import spectrogram
from snacbench.types import Audio

# Narrow, faint islands far above all else are leftovers of interpolation near half the rate.
_FAINT_ISLAND_DB = 40.0
_ISLAND_PER_GAP = 0.25


@dataclass(frozen=True)
class Bandwidth:
    """Effective bandwidth in Hz (None: silence, or too short), and whether it ends at once."""

    hz: float | None
    brickwall: bool


def effective_bandwidth(audio: Audio, *, spoilt: NDArray[np.bool_] | None = None) -> Bandwidth:
    """Effective bandwidth of a clip in Hz; wider is more.

    Parameters
    ----------
    audio : Audio
        At its own rate.
    spoilt : array, shape (time,), bool, optional
        Samples that say nothing of the recording, such as clipped ones; frames with them are
        left out if enough others remain.
    """
    spectra = spectrogram(audio, spoilt=spoilt)
    if spectra is None:
        return Bandwidth(None, brickwall=False)
    bands = bands_of(spectra)
    mirror_hz = imaged_from_hz(spectra)
    if mirror_hz is not None:
        bands = bands.up_to(mirror_hz)
    signal = bands.hold_signal()
    if not signal.any():
        return Bandwidth(None, brickwall=False)
    top = _top(signal, bands.level_db)
    edge = brickwall(bands, top=top)
    if edge is not None:
        return Bandwidth(min(bands.upper_hz(edge), mirror_hz or np.inf), brickwall=True)
    if mirror_hz is not None:
        return Bandwidth(mirror_hz, brickwall=True)
    return Bandwidth(bands.upper_hz(top), brickwall=False)


def _top(signal: NDArray[np.bool_], level_db: NDArray[np.float64]) -> int:
    """The highest band with signal, leftovers of interpolation and lone bands left out."""
    with_neighbours = signal & (np.convolve(signal, np.ones(3), mode="same") >= 2)
    chosen = with_neighbours if with_neighbours.any() else signal
    edges = np.flatnonzero(np.diff(np.concatenate([[0], chosen.astype(int), [0]])))
    islands = list(zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True))
    faint = float(level_db.max()) - _FAINT_ISLAND_DB
    while len(islands) > 1:
        start, stop = islands[-1]
        narrow = stop - start < _ISLAND_PER_GAP * (start - islands[-2][1])
        if not narrow or level_db[start:stop].max() > faint:
            break
        islands.pop()
    return int(islands[-1][1]) - 1
