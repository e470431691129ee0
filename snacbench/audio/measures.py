"""What is measured on a clip before any codec sees it: bandwidth, loudness, peak, clipping."""

from dataclasses import dataclass

from snacbench.audio.levels import clipped_samples, loudness_lufs, peak_dbfs
from snacbench.later import NDArray, np
from snacbench.types import Audio, Floats, Measures

# An overshoot of a decoder or resampler, cut to full scale, is rarely three samples long; it is
# not counted as clipping of the recording, but sprays over the spectrum all the same.
_FULL_SCALE = 1 - 2.0**-13
_MOST_DBFS = 120.0  # squares and sums of larger numbers leave the range of float32

_BIN_HZ, _BAND_HZ = 23.0, 100.0
_MOST_FRAMES = 2_000  # a longer clip is sampled evenly: bounded time and memory
_FRAMES_AT_ONCE = 128
_LEAST_SAMPLES, _LEAST_RATE_HZ = 256, 1_000
_ACTIVE_RANGE = 1e-6  # frames more than 60 dB under the loudest are pauses
# A lone click lies in two half-overlapping frames and says nothing of what the recording holds.
_CLICK_FRAMES, _FRAMES_PER_CLICK = 2, 8

_RUMBLE_DB = 20.0  # in the lowest band, must not hide what is above it
_STEADY_RANGE_DB = 50.0  # steady bands down to here under the loudest are signal: rain, engines
_MOVING_RANGE_DB = 85.0  # bands that come and go: fricatives, the last partials
_STEADY_FLOOR_DBFS = -88.0  # noise-shaped dither of 16 bits reaches -92
_DITHER_DBFS = -92.3  # over the whole spectrum: triangular dither and rounding to 16 bits, and 4 dB
_FAINT_ISLAND_DB, _ISLAND_PER_GAP = 40.0, 0.25
_MOVING_DB = 5.0  # mean over quiet moments; steady noise has about 1

_FEWEST_FRAMES = 8  # 0.2 s: in one drum hit anything may end steeply
_LOWEST_HZ = 2_500.0  # telephones cut at 3.4 kHz
_LEAKAGE_DB = 95.0  # further below the loudest band lie the skirts of its tones, steep as well
_BEFORE, _TRANSITION = 0.2, 0.1  # shares of the frequency
_BEYOND_HZ = 1_000.0
_FALL_DB, _DEEP_FALL_DB = 20.0, 40.0  # where nothing above holds signal, and where something does
_HISS_FALL_DB = 6.0


@dataclass(frozen=True, eq=False)
class _Bands:
    """Levels of bands of equal width from 0 Hz upwards, dB relative to a mean square of 1.

    `quiet_db` is what a fifth of the frames stay under, `moving_db` how far the mean is above it.
    """

    level_db: Floats
    quiet_db: Floats
    moving_db: Floats
    loudest_db: float
    width_hz: float
    frames: int
    dither_db: float


def measure(audio: Audio) -> Measures:
    """Effective bandwidth, loudness, peak and clipping of a clip, over all its channels.

    Takes 1 to 5 ms per second of audio; never raises. Of numbers that are no audio at any level
    only the peak is measured.
    """
    peak = peak_dbfs(audio)
    if peak is not None and peak > _MOST_DBFS:
        return Measures(None, None, peak, 0)
    clipped = clipped_samples(audio)
    spoilt = np.any(clipped | (np.abs(audio.samples) >= _FULL_SCALE), axis=0)
    bandwidth_hz, brickwall = effective_bandwidth(audio, spoilt=spoilt)
    return Measures(
        bandwidth_hz=bandwidth_hz, loudness_lufs=loudness_lufs(audio), peak_dbfs=peak,
        clipped_samples=int(clipped.sum()), brickwall=brickwall,
    )  # fmt: skip


def effective_bandwidth(
    audio: Audio, *, spoilt: "NDArray[np.bool_] | None" = None
) -> tuple[float | None, bool]:
    """Effective bandwidth of a clip at its own rate, in Hz, and whether it ends in a brick wall.

    Wider is more; None for silence, and for clips too short. Samples that are `spoilt`, shape
    (time,), say nothing of the recording, as clipped ones do; frames with them are left out if
    enough others remain.
    """
    bands = _bands(audio, spoilt)
    if bands is None:
        return None, False
    steady = bands.level_db > max(bands.loudest_db - _STEADY_RANGE_DB, _STEADY_FLOOR_DBFS)
    audible = bands.level_db > max(bands.loudest_db - _MOVING_RANGE_DB, bands.dither_db)
    signal = audible & (steady | (bands.moving_db > _MOVING_DB))
    if not signal.any():
        return None, False
    beside_another = signal & (np.convolve(signal, np.ones(3), mode="same") >= 2)
    chosen = beside_another if beside_another.any() else signal
    edges = np.flatnonzero(np.diff(chosen.astype(int), prepend=0, append=0)).reshape(-1, 2).tolist()
    # Narrow, faint islands far above all else are leftovers of interpolation near half the rate.
    while len(edges) > 1:
        start, stop = edges[-1]
        faint = bands.level_db[start:stop].max() <= bands.level_db.max() - _FAINT_ISLAND_DB
        if not faint or stop - start >= _ISLAND_PER_GAP * (start - edges[-2][1]):
            break
        edges.pop()
    top = int(edges[-1][1]) - 1
    edge = _brickwall(bands, top)
    upper_hz = ((top if edge is None else edge) + 1) * bands.width_hz
    return min(upper_hz, audio.rate_hz / 2), edge is not None


def _bands(audio: Audio, spoilt: "NDArray[np.bool_] | None") -> _Bands | None:
    """Bands of about 100 Hz, in Hann windows of about 45 ms; None if there is nothing to see."""
    from scipy.fft import rfft  # here: whoever lists test sets measures none
    from scipy.ndimage import uniform_filter1d

    if audio.num_samples < _LEAST_SAMPLES or audio.rate_hz < _LEAST_RATE_HZ:
        return None
    longest = 1 << (audio.num_samples.bit_length() - 1)
    size = min(2 ** round(np.log2(audio.rate_hz / _BIN_HZ)), longest)
    count = min((audio.num_samples - size) // (size // 2) + 1, _MOST_FRAMES)
    starts = np.linspace(0, audio.num_samples - size, count).astype(np.intp)
    if spoilt is not None and spoilt.any():  # a clipped sample sprays over the whole spectrum
        before = np.concatenate([[0], np.cumsum(spoilt)])
        clean = starts[before[starts + size] == before[starts]]
        starts = clean if len(clean) >= max(8, 0.1 * len(starts)) else starts
    # A constant offset is no sound, and its leakage must not be taken for some.
    samples = audio.samples - audio.samples.mean(axis=1, keepdims=True)
    window = np.hanning(size + 1)[:-1].astype(np.float32)
    power = np.zeros((len(starts), size // 2 + 1), dtype=np.float32)
    for channel in samples:
        frames = np.lib.stride_tricks.sliding_window_view(channel, size)
        for at in range(0, len(starts), _FRAMES_AT_ONCE):
            part = slice(at, at + _FRAMES_AT_ONCE)
            spectrum = rfft(frames[starts[part]] * window)
            power[part] += spectrum.real**2 + spectrum.imag**2
    power *= np.float32(2 / (len(samples) * size * float(window @ window)))
    total = power.sum(axis=1)
    if total.max() <= 0:
        return None
    power = power[total > total.max() * _ACTIVE_RANGE]

    bin_hz = audio.rate_hz / size
    bins = max(1, round(_BAND_HZ / bin_hz))
    bands = power[:, : power.shape[1] // bins * bins].reshape(len(power), -1, bins).sum(axis=2)
    kept = len(bands) - min(_CLICK_FRAMES, len(bands) // _FRAMES_PER_CLICK)
    bands = np.partition(bands, kept - 1, axis=0)[:kept].astype(np.float64)
    smooth = np.maximum(uniform_filter1d(bands, 5, axis=1, mode="nearest"), 0)  # not -1e-30
    quiet_db, level_db = _db(np.percentile(smooth, 20, axis=0)), _db(bands.mean(axis=0))
    return _Bands(
        level_db=level_db, quiet_db=quiet_db, moving_db=_db(smooth.mean(axis=0)) - quiet_db,
        loudest_db=float(max(level_db[0] - _RUMBLE_DB, *level_db[1:])), width_hz=bins * bin_hz,
        frames=len(power), dither_db=_DITHER_DBFS + 10 * np.log10(2 * bins / size),
    )  # fmt: skip


def _brickwall(bands: _Bands, top: int) -> int | None:
    """The last band before the deepest steep fall; None if none falls so, or the clip is short."""
    # The fall is taken from the median level over a fifth of the frequency to the loudest band of
    # the kilohertz beyond, across a tenth of the frequency: 20 dB there are more than 130 dB an
    # octave, far more than sounds, rooms, microphones and tape have. Calls of birds and whistles
    # end as steeply, but the hiss under them goes on; a brick wall cuts the hiss as well.
    if bands.frames < _FEWEST_FRAMES:
        return None
    level = np.maximum(bands.level_db, max(bands.dither_db, bands.loudest_db - _LEAKAGE_DB))
    deepest, found = 0.0, None
    for band in range(int(_LOWEST_HZ / bands.width_hz), len(level)):
        transition = max(int(np.ceil(_TRANSITION * band)), int(300 / bands.width_hz))
        before, start = slice(int(band * (1 - _BEFORE)), band + 1), band + transition
        beyond = slice(start, start + max(int(_BEYOND_HZ / bands.width_hz), 2 * transition))
        if start > len(level) - 2:
            break
        plateau = float(np.median(level[before]))
        fall = plateau - float(level[beyond].max())
        if fall < _FALL_DB or fall <= deepest:
            continue
        loudest_above = float(np.quantile(level[start:], 0.98))  # but for spurs
        hiss_fall = np.median(bands.quiet_db[before]) - np.median(bands.quiet_db[beyond])
        no_hiss = bands.level_db[beyond].max() <= bands.dither_db + _HISS_FALL_DB
        if start < top and plateau - loudest_above < _DEEP_FALL_DB:
            continue
        if no_hiss or hiss_fall >= _HISS_FALL_DB:
            low = max(band - transition, 1)
            still_up = level[low:start] >= plateau - min(20.0, 0.6 * fall)
            deepest = fall
            found = low + int(np.flatnonzero(still_up)[-1]) if still_up.any() else band
    return found


def _db(power: Floats) -> Floats:
    return np.asarray(10 * np.log10(power + 1e-20))
