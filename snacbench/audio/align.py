"""Delay: how late one signal is against another, and taking it away."""

from dataclasses import dataclass

from scipy.fft import irfft, next_fast_len, rfft
from scipy.ndimage import uniform_filter1d

from snacbench.audio.resample import fit_length
from snacbench.later import np
from snacbench.types import Audio, Floats

MAX_DELAY_S = 0.5
"""How late or early a codec may be for its delay to be looked for."""
WINDOW_S = 0.00025
"""How far a clip's own lag is looked for on either side of its codec's delay."""
PLAINLY_ALIKE = 0.5
"""Plain correlation at a lag that is believed whether or not a half whitened peak stands out."""
# What aligned metrics leave out at both ends: the longest delay, and as far as a resampler reaches.
_MARGIN_S = MAX_DELAY_S + 0.02
_SHORT_CLIPS_PART = 4  # of a short clip, no more than one in so many samples at either end
_LEAST_WHITENED = 0.01  # of the mean magnitude
_TIED_PEAK = 0.995  # of the highest: peaks of a periodic signal
_TIED_RESIDUAL = 1.001
_ROUNDING = 1e-13
_INVERTED_STANDS_OUT = 1.1
_HIGH = 0.1
_PROMINENT = 8.0  # independent noise gets to 5 over the lags that are looked at


@dataclass(frozen=True)
class Match:
    """Where one signal matches another best.

    `lag` is in samples, positive where the second signal comes late; `correlation`, -1 to 1, is
    negative where its polarity is inverted; `prominence` is the height of the peak over the
    effective value of all lags' correlations.
    """

    lag: int
    correlation: float
    prominence: float = 0.0

    @property
    def stands_out(self) -> bool:
        """Whether signals that have nothing in common hardly match as well."""
        return abs(self.correlation) >= _HIGH or self.prominence >= _PROMINENT


def cross_correlation(*, reference: Audio, degraded: Audio, max_lag: int) -> Floats:
    """Correlation of two signals at every lag from ``-max_lag`` to ``max_lag``.

    Both are half whitened, by the square root of the reference's smoothed magnitude spectrum:
    without, the pitch of voices and instruments decides where the peak lies; wholly whitened,
    bands that a codec fills with noise count as much as those it codes. Channels, of which both
    have as many, are summed. Of long signals the same 30 s from the middle count.

    Shape (2 * max_lag + 1,): entry ``max_lag + d`` is for the degraded signal coming `d` samples
    late. Normalised: 1 for equal signals at their true lag; 0 everywhere if one does not vary.
    """
    length = round(30.0 * reference.rate_hz)
    start = max(0, min(reference.num_samples, degraded.num_samples) - length) // 2
    cut = [a.samples[:, start : start + length].astype(np.float64) for a in (reference, degraded)]
    x, y = (samples - samples.mean(axis=1, keepdims=True) for samples in cut)
    if not (np.ptp(x, axis=1).any() and np.ptp(y, axis=1).any()):
        return np.zeros(2 * max_lag + 1)
    size = next_fast_len(max(x.shape[1], y.shape[1]) + max_lag, real=True)
    spectrum_x, spectrum_y = rfft(x, size), rfft(y, size)
    magnitude = uniform_filter1d(np.abs(spectrum_x), 255, axis=1, mode="mirror")
    # What a codec puts where the reference has nothing is not raised above all else.
    floor = _LEAST_WHITENED * magnitude.mean(axis=1, keepdims=True) + np.finfo(float).tiny
    weight = 1.0 / np.maximum(magnitude, floor) ** 0.5
    spectrum_x, spectrum_y = spectrum_x * weight, spectrum_y * weight
    of_x, of_y = (np.sum(s.real**2 + s.imag**2) for s in (spectrum_x, spectrum_y))
    energy = np.sqrt(of_x * of_y)
    # Mean over rfft bins stands for the time-domain sum up to a factor shared with `energy`.
    full = irfft(np.sum(spectrum_y * np.conj(spectrum_x), axis=0), size) * size / 2
    around_zero = np.concatenate([full[-max_lag:], full[: max_lag + 1]]) if max_lag else full[:1]
    return np.asarray(around_zero / energy)


def strongest(curve: Floats) -> Match:
    """The highest peak of a cross-correlation over lags from ``-n`` to ``n``.

    Of peaks as high as each other, which periodic signals have, the one nearest to lag 0; one of
    inverted polarity only where it stands out.
    """
    (lag, height), (inverted_lag, inverted) = _peak(curve), _peak(-curve)
    if inverted > _INVERTED_STANDS_OUT * height:
        lag, height = inverted_lag, -inverted
    effective = float(np.sqrt(np.mean(curve**2)))
    return Match(lag, height, abs(height) / effective if effective else 0.0)


def best_lag(*, reference: Audio, degraded: Audio, around: int, reach: int) -> Match:
    """The whole lag, at most `reach` samples from `around`, that leaves the highest SI-SDR.

    Both signals are at one rate and have as many channels, over which the mean is taken. What is
    compared is their `common_part`, the same at every lag. Of lags that do as well as each other
    the one nearest to `around` is taken, and one of inverted polarity only where it stands out.
    The correlation is the plain one, 0 if nothing varies or the signals are too short to be
    shifted.
    """
    num_samples = min(reference.num_samples, degraded.num_samples)
    reach = min(reach, common_part(num_samples, reference.rate_hz)[0])
    first, last = around - reach, around + reach
    start, stop = common_part(num_samples, reference.rate_hz, earliest=first, latest=last)
    if stop - start < 2:
        return Match(around, 0.0)
    correlations = np.zeros(last - first + 1)
    explained = np.zeros_like(correlations)
    for ours, theirs in zip(reference.samples, degraded.samples, strict=True):
        x = ours[start:stop].astype(np.float64)
        y = theirs[start + first : stop + last].astype(np.float64)
        if not (np.ptp(x) and np.ptp(y)):
            continue
        x, y = x - x.mean(), y - y.mean()
        sums, squares = _moving_sums(y, len(x)), _moving_sums(y**2, len(x))
        energy = squares - sums**2 / len(x)
        energy = np.where(energy > _ROUNDING * squares, energy, np.inf)
        found = np.correlate(y, x, mode="valid") / np.sqrt(energy * (x @ x))
        correlations += found / reference.channels
        explained += found**2 / reference.channels
    turned = -correlations.min() > _INVERTED_STANDS_OUT * correlations.max()
    of_this_sign = correlations <= 0 if turned else correlations >= 0
    residual = np.where(of_this_sign, np.maximum(1.0 - explained, 0.0), 1.0)
    good_enough = _TIED_RESIDUAL * residual.min() + _ROUNDING
    at = min(np.flatnonzero(residual <= good_enough).tolist(), key=lambda k: abs(k - reach))
    return Match(first + at, float(correlations[at]))


def common_part(
    num_samples: int, rate_hz: int, *, earliest: int = 0, latest: int = 0
) -> tuple[int, int]:
    """First and last sample, exclusive, of what aligned metrics compare of a clip.

    The same for every codec: without 0.52 s at either end (of short clips without a quarter), which
    a decode that is late or early by up to 0.5 s may lack. A clip that is short for lags from
    `earliest` to `latest`, in samples, is compared as far as these leave it; if that is nothing,
    the part is empty.
    """
    margin = min(round(_MARGIN_S * rate_hz), num_samples // _SHORT_CLIPS_PART)
    start = max(margin, -earliest)
    return start, max(start, num_samples - max(margin, latest))


def advanced(audio: Audio, samples: int) -> Audio:
    """A signal that comes so many samples earlier (later, if negative), of the same length."""
    if samples == 0:
        return audio
    shifted = np.pad(audio.samples, [(0, 0), (max(0, -samples), 0)])[:, max(0, samples) :]
    return Audio(np.ascontiguousarray(fit_length(shifted, audio.num_samples)), audio.rate_hz)


def _peak(curve: Floats) -> tuple[int, float]:
    """Lag and height of the highest peak, the one nearest to lag 0 of equal ones."""
    middle, top = len(curve) // 2, float(curve.max())
    if top <= 0:
        return 0, 0.0
    walled = np.pad(curve, 1, constant_values=-np.inf)
    is_peak = (curve >= walled[:-2]) & (curve >= walled[2:]) & (curve >= _TIED_PEAK * top)
    at = min(np.flatnonzero(is_peak).tolist(), key=lambda k: abs(k - middle))
    return at - middle, float(curve[at])


def _moving_sums(values: Floats, length: int) -> Floats:
    gained = np.cumsum(values[length:] - values[: len(values) - length])
    return np.concatenate([[0.0], gained]) + float(values[:length].sum())
