"""The one low-pass filter: of the codec `lowpass` and of the anchors of listening tests."""

import math

from snacbench.later import np
from snacbench.types import Audio

TRANSITION_HZ = 500.0
STOP_BAND_DB = 70.0


def low_pass(audio: Audio, cutoff_hz: float) -> Audio:
    """A signal without what lies above a cut-off, of its length and in time with it to the sample.

    A windowed sinc (Kaiser): flat within 0.01 dB up to the cut-off, 70 dB down from 500 Hz above it
    on. ITU-R BS.1534-3 asks of anchors a ripple within 0.1 dB, 25 dB at 500 Hz and 50 dB at 1 kHz
    above the cut-off. Linear phase, its delay removed, so that switching to it gives nothing away.
    Unchanged where the signal's band ends below.
    """
    from scipy.signal import fftconvolve, firwin, kaiserord  # a third of a second

    if cutoff_hz + TRANSITION_HZ >= audio.rate_hz / 2:
        return audio
    taps, beta = kaiserord(STOP_BAND_DB, TRANSITION_HZ / (audio.rate_hz / 2))
    taps |= 1  # an odd filter delays by whole samples, which mode="valid" removes
    middle_hz = cutoff_hz + TRANSITION_HZ / 2
    impulse = firwin(taps, middle_hz, window=("kaiser", beta), fs=audio.rate_hz)
    padded = np.pad(audio.samples.astype(np.float64), [(0, 0), (taps // 2, taps // 2)])
    filtered = fftconvolve(padded, impulse[np.newaxis], mode="valid", axes=1)
    return Audio(np.ascontiguousarray(filtered, dtype=np.float32), audio.rate_hz)


def energy_above_db(audio: Audio, cutoff_hz: float) -> float:
    """Energy above a frequency, dB relative to all of it without the mean; higher is more.

    Minus infinity where there is none at all.
    """
    power = (np.abs(np.fft.rfft(audio.samples.astype(np.float64), axis=1)) ** 2).sum(axis=0)
    power[0] = 0.0
    hertz = np.fft.rfftfreq(audio.num_samples, 1 / audio.rate_hz)
    above, total = float(power[hertz > cutoff_hz].sum()), float(power.sum())
    return 10 * math.log10(above / total) if above > 0 else -math.inf
