"""Levels of stimuli: one gain for all conditions of an item.

A gain per condition would hide a codec's own errors of level. The reference goes to the loudness
asked for, and all conditions follow by the same gain; where that would bring any of them above
the true peak asked for, all are lowered together. Castanets have peaks 31 dB above their RMS.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from snacbench.audio.levels import loudness_lufs
from snacbench.audio.resample import resample
from snacbench.errors import AudioError
from snacbench.listening.test import REFERENCE, Level
from snacbench.types import Audio

# ITU-R BS.1770-4, annex 2, asks for 4 times or more at 48 kHz. At 4 times, the peak of a sine at
# half the sampling rate may be read 0.7 dB too low; at 8 times, 0.2 dB.
_OVERSAMPLING = 8
_SILENCE_AROUND_S = 0.01  # what rings past the ends counts


@dataclass(frozen=True)
class Gains:
    """What an item's conditions are multiplied by.

    Attributes
    ----------
    gain_db : mapping from condition to float
        The same for all, unless they are matched one by one.
    lowered_db : float
        By how much all stay below the loudness asked for, for the sake of a peak; 0 or more.
    """

    gain_db: Mapping[str, float]
    lowered_db: float


def true_peak_dbtp(audio: Audio) -> float:
    """True peak, dB relative to full scale (ITU-R BS.1770-4, annex 2); lower is safer.

    The largest of all channels after oversampling; minus infinity for digital silence.
    """
    around = round(_SILENCE_AROUND_S * audio.rate_hz)
    padded = Audio(np.pad(audio.samples, [(0, 0), (around, around)]), audio.rate_hz)
    peak = float(np.abs(resample(padded, _OVERSAMPLING * audio.rate_hz).samples).max())
    return 20 * math.log10(peak) if peak > 0 else -math.inf


def gains(signals: Mapping[str, Audio], level: Level) -> Gains:
    """Gains in dB that bring an item to the level asked for.

    Parameters
    ----------
    signals : mapping from condition to Audio
        The excerpts as they will be heard, the reference among them.

    Raises
    ------
    AudioError
        If the reference, or with `match_per_condition` any condition, has no loudness.
    """
    if level.match_per_condition:
        wanted = {
            name: level.loudness_lufs - _loudness(name, signal) for name, signal in signals.items()
        }
    else:
        of_reference = level.loudness_lufs - _loudness(REFERENCE, signals[REFERENCE])
        wanted = dict.fromkeys(signals, of_reference)
    highest = max(true_peak_dbtp(signal) + wanted[name] for name, signal in signals.items())
    lowered = max(0.0, highest - level.true_peak_dbtp)
    return Gains({name: gain - lowered for name, gain in wanted.items()}, lowered)


def scaled(audio: Audio, gain_db: float) -> Audio:
    """A signal times a gain in dB."""
    factor = 10 ** (gain_db / 20)
    return Audio((audio.samples.astype(np.float64) * factor).astype(np.float32), audio.rate_hz)


def _loudness(name: str, signal: Audio) -> float:
    found = loudness_lufs(signal)
    if found is None:
        raise AudioError(
            f"{name} has no loudness: the excerpt is silent (under -70 LUFS) or shorter than 0.4 "
            "s; choose another excerpt or clip"
        )
    return found
