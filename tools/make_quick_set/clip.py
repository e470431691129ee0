"""The quick set's currency: one finished signal and what the manifest says about it."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Signal = NDArray[np.float64]

_SEED = 20240229


@dataclass(frozen=True)
class QuickClip:
    """A clip before it is written.

    Parameters
    ----------
    name : str
        File stem.
    domain : str
        ``speech``, ``music`` or ``environment``; also the folder.
    samples : ndarray of shape (channels, time)
        At any level; `write` brings it to `peak_dbfs`.
    rate_hz : int
        The rate the sound was synthesised at, never a converted one.
    peak_dbfs : float
        Level of its highest sample once written, in dB of full scale.
    source : str
        What made it, for the manifest.
    speaker, track, transcript, language, gender : str
        Empty where they do not apply. Clips that share a speaker or a track are not
        independent of each other.
    """

    name: str
    domain: str
    samples: Signal
    rate_hz: int
    peak_dbfs: float
    source: str
    speaker: str = ""
    track: str = ""
    transcript: str = ""
    language: str = ""
    gender: str = ""

    @property
    def duration_s(self) -> float:
        """Duration in s."""
        return float(self.samples.shape[-1]) / self.rate_hz


def random_of(name: str) -> np.random.Generator:
    """Random numbers that depend on a clip's name alone, so that clips never disturb each other."""
    return np.random.default_rng([_SEED, zlib.crc32(name.encode())])
