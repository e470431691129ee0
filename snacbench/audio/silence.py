"""Where a decode is silent although its source sounds: empty, cut off, or with holes."""

from snacbench.audio.align import cross_correlation, strongest
from snacbench.audio.resample import resample
from snacbench.later import NDArray, np
from snacbench.types import Audio, FloatSamples

FRAME_S = 0.04
SILENT_SPAN = 2.0**-14  # from the smallest to the largest sample: two steps of 16 bits
SOUNDING_DBFS, SOUNDING_RANGE_DB = -70.0, 30.0
LONGEST_HOLE_S = 0.1  # of frames in which the source sounds
LONGEST_DELAY_S = 0.5  # a late or early decode begins or ends with silence, and has lost nothing
_DELAY_TOLERANCE_S = 1.5 * FRAME_S


def missing_sound(*, reference: Audio, degraded: Audio, band_hz: float) -> str:
    """What a decode lacks where its source sounds, in words; empty if nothing.

    That is all of it, or one stretch of silence in which the source sounds for more than 0.1 s.
    Silence at the beginning or end of a decode that is late or early by as much is delay. Both
    have as many channels, at any rates; above `band_hz` the codec keeps nothing, nor is it missed.
    """
    for channel, samples in enumerate(degraded.samples):
        silent = np.ptp(_frames(samples, degraded.rate_hz), axis=1) <= SILENT_SPAN
        if not silent.any():
            continue
        source = reference.samples[channel]
        sounding = _sounding(source, reference.rate_hz, band_hz)
        where = f"channel {channel} of the decode" if degraded.channels > 1 else "the decode"
        heard_s = float(FRAME_S * sounding.sum())
        if heard_s and np.ptp(samples) <= SILENT_SPAN:
            return (
                f"{where} is silent: all samples lie within {np.ptp(samples):.2g} of "
                f"{samples[0]:g}, while the source sounds for {heard_s:.1f} s below "
                f"{band_hz:.0f} Hz"
            )
        one = Audio(source[np.newaxis], reference.rate_hz)
        other = Audio(samples[np.newaxis], degraded.rate_hz)
        count = min(len(silent), len(sounding))
        edges = np.flatnonzero(np.diff(silent[:count].astype(int), prepend=0, append=0))
        holes = edges.reshape(-1, 2).tolist()
        for start, stop in sorted(holes, key=lambda hole: -sounding[slice(*hole)].sum()):
            heard_s = FRAME_S * int(sounding[start:stop].sum())
            if heard_s <= LONGEST_HOLE_S:
                break
            at_edge = start == 0 or stop == count
            if at_edge and _is_delay(one, other, FRAME_S * (stop - start), at_start=start == 0):
                continue
            return (
                f"{where} is silent from {FRAME_S * start:.2f} to {FRAME_S * stop:.2f} s, while "
                f"the source sounds for {heard_s:.2f} s of that time below {band_hz:.0f} Hz"
            )
    return ""


def _is_delay(reference: Audio, degraded: Audio, length_s: float, *, at_start: bool) -> bool:
    """Whether a decode is late or early by a stretch of silence at its start or end."""
    if length_s > LONGEST_DELAY_S + _DELAY_TOLERANCE_S:
        return False
    at_rate = resample(reference, degraded.rate_hz)
    max_lag = round(LONGEST_DELAY_S * degraded.rate_hz)
    curve = cross_correlation(reference=at_rate, degraded=degraded, max_lag=max_lag)
    late_s = strongest(curve).lag / degraded.rate_hz  # whatever its polarity
    return late_s * (1 if at_start else -1) >= length_s - _DELAY_TOLERANCE_S


def _frames(samples: FloatSamples, rate_hz: int) -> FloatSamples:
    """Whole frames, shape (frames, samples); a shorter signal is one frame."""
    size = min(round(FRAME_S * rate_hz), len(samples))
    count = max(1, int(len(samples) / (FRAME_S * rate_hz)))
    starts = np.round(np.arange(count) * FRAME_S * rate_hz).astype(int)
    windows = np.lib.stride_tricks.sliding_window_view(samples, size)
    return np.asarray(windows[np.minimum(starts, len(samples) - size)])


def _sounding(samples: FloatSamples, rate_hz: int, band_hz: float) -> "NDArray[np.bool_]":
    """In which frames a signal sounds below `band_hz`; a constant offset is no sound."""
    frames = _frames(samples, rate_hz).astype(np.float64)
    size = frames.shape[1]
    window = np.hanning(size + 2)[1:-1]
    offset = frames.mean(axis=1, keepdims=True)
    power = np.abs(np.fft.rfft((frames - offset) * window)) ** 2
    kept = power[:, 1 : int(band_hz * size / rate_hz) + 1].sum(axis=1)
    mean_square = 2 * kept / (size * float(window @ window))
    loudest = float(mean_square.max())
    floor = 10 ** (-SOUNDING_RANGE_DB / 10) * loudest
    return np.asarray(mean_square >= max(floor, 10 ** (SOUNDING_DBFS / 10)))
