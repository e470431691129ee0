"""Short-time objective intelligibility of speech, plain and extended.

Frames quieter than 40 dB under the reference's loudest are taken out of both signals; every run of
30 frames (384 ms) of the magnitudes in third octaves is compared, and the mean taken over runs.

Taal, Hendriks, Heusdens, Jensen: "An Algorithm for Intelligibility Prediction of Time-Frequency
Weighted Noisy Speech", IEEE TASLP 19(7), 2011, equations 1 to 6; the extended form: Jensen, Taal:
"An Algorithm for Predicting the Intelligibility of Speech Masked by Modulated Noise Maskers", IEEE
TASLP 24(11), 2016, equations 1 to 7. Equal to the package ``pystoi``, which takes no prepared
reference.
"""

import functools
import sys
from collections.abc import Callable
from dataclasses import replace

from snacbench.errors import Undefined
from snacbench.later import np
from snacbench.metrics._guards import guarded
from snacbench.types import Audio, Floats, Metric, MetricSpec

RATE_HZ = 10_000
FRAME, HOP, TRANSFORM = 256, 128, 512
BANDS, LOWEST_BAND_HZ = 15, 150.0
RUN_FRAMES = 30
CLIP_DB = -15.0
# pystoi leaves out the last frame, twice: once of the signal, once of what is left of it.
MIN_DURATION_S = ((RUN_FRAMES + 1) * HOP + FRAME + 1 - HOP) / RATE_HZ
_EPS = sys.float_info.epsilon

STOI = MetricSpec(
    name="stoi", unit="1", better="higher", range=(-1.0, 1.0),
    rate_hz=RATE_HZ,  # of the method itself, so that nothing is resampled twice
    domains=("speech",), citation="Taal et al., IEEE TASLP 19(7), 2011",
    ladder=("noise", "low-pass", "clipping"),
)  # fmt: skip
ESTOI = replace(
    STOI, name="estoi", version="2", citation="Jensen and Taal, IEEE TASLP 24(11), 2016",
    default=False,
)  # fmt: skip


def _unit(values: Floats, axis: int) -> Floats:
    """Values with mean 0 and norm 1 along an axis; zeros where they do not vary."""
    # pystoi fills what does not vary with random numbers, which correlate with nothing on average.
    centred = values - values.mean(axis=axis, keepdims=True)
    norm = np.linalg.norm(centred, axis=axis, keepdims=True)
    rounding = _EPS * (1 + np.abs(values).max(axis=axis, keepdims=True))
    return centred / np.where(norm > rounding, norm, np.inf)


def _frames(signal: Floats) -> Floats:
    """Windowed frames, half overlapping, shape (frames, 256); a last whole one is left out."""
    count = -(-(len(signal) - FRAME) // HOP)
    window = np.hanning(FRAME + 2)[1:-1]  # without the zeros at its ends
    frames = np.lib.stride_tricks.sliding_window_view(signal, FRAME)[: count * HOP : HOP]
    return np.asarray(frames * window)


def _runs(loud_frames: Floats) -> Floats:
    """Every run of 30 frames of the magnitudes in third octaves, shape (runs, bands, 30)."""
    joined = np.zeros((len(loud_frames) + 1) * HOP)  # the signal that the frames add up to
    joined[:-HOP] += loud_frames[:, :HOP].ravel()
    joined[HOP:] += loud_frames[:, HOP:].ravel()
    spectra = np.fft.rfft(_frames(joined), n=TRANSFORM)
    magnitudes = np.sqrt(_third_octaves() @ (spectra.real**2 + spectra.imag**2).T)
    return np.lib.stride_tricks.sliding_window_view(magnitudes, RUN_FRAMES, axis=1).transpose(
        1, 0, 2
    )


@functools.cache
def _third_octaves() -> Floats:
    """Which bins belong to which band, shape (15, 257); edges at the nearest bins."""
    bins_hz = np.linspace(0, RATE_HZ / 2, TRANSFORM // 2 + 1)
    edges_hz = LOWEST_BAND_HZ * 2.0 ** ((2 * np.arange(BANDS)[:, None] + np.array([-1, 1])) / 6)
    first, end = np.abs(bins_hz - edges_hz[..., None]).argmin(axis=-1).T
    bins = np.arange(len(bins_hz))
    return ((bins >= first[:, None]) & (bins < end[:, None])).astype(np.float64)


def _metric(spec: MetricSpec, *, extended: bool) -> Metric:
    def prepare(reference: Audio) -> Callable[[Audio], float]:
        frames = _frames(reference.samples[0].astype(np.float64))
        level_db = 20 * np.log10(np.linalg.norm(frames, axis=1) + _EPS)
        loud = level_db > level_db.max() - 40.0
        # The spectrogram of what is left has one frame less than frames are left.
        if np.count_nonzero(loud) <= RUN_FRAMES:
            raise Undefined(
                "less than 30 frames (0.4 s) of the reference are within 40 dB of its loudest; "
                "more speech is needed"
            )
        runs = _runs(frames[loud])
        x = _unit(runs, axis=2)  # over time, band by band
        if extended:
            x = _unit(x, axis=1)  # over bands, frame by frame
        else:
            norms = np.linalg.norm(runs, axis=2, keepdims=True)
            bound = runs * (1 + 10 ** (-CLIP_DB / 20))

        def compare(degraded: Audio) -> float:
            y = _runs(_frames(degraded.samples[0].astype(np.float64))[loud])
            if extended:
                return float(np.sum(x * _unit(_unit(y, axis=2), axis=1)) / (len(x) * RUN_FRAMES))
            gain = norms / (np.linalg.norm(y, axis=2, keepdims=True) + _EPS)
            return float(np.sum(x * _unit(np.minimum(y * gain, bound), axis=2)) / (len(x) * BANDS))

        return compare

    return guarded(spec, prepare, min_s=MIN_DURATION_S)


METRICS = (_metric(STOI, extended=False), _metric(ESTOI, extended=True))
