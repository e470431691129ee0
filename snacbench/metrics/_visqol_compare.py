"""A reference of ViSQOL, ready to be compared with many degraded signals.

The stages are those of Google's program (``visqol.cc``, ``comparison_patches_selector.cc``): shift
the degraded signal as a whole; give it the level of the reference; find every patch of the
reference (0.6 s of music, 0.4 s in which somebody speaks) in it; shift it there once more, by less
than the time between frames; and take, patch by patch, the higher similarity of both.

Lags are at the peak of the correlation of envelopes. It is computed in single precision, which
finds the few lags that can be the peak; double precision decides between them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

from snacbench.errors import Undefined
from snacbench.later import NDArray, fft, np
from snacbench.metrics import _visqol_spectrogram as spectrogram
from snacbench.types import Floats

# Largest error of a correlation in single precision, as a share of the product of the norms; the
# largest measured is 2e-7.
SINGLE_PRECISION = 2e-6
# With more lags than these in question, a transform in double precision is cheaper.
MANY_LAGS = 64
AUDIO_FRAMES, SPEECH_FRAMES = 30, 20

# Voice activity: chunks of 20 ms at 16 bits; one is silent if it and the two before it are below.
ACTIVE_RMS = 5000.0
INT16_MIN, INT16_MAX = -(2**15), 2**15 - 1
# Patches are looked for at most this many patch lengths away from their own time.
REACH_PATCHES = 60
# Levels are 10 log10 of amplitudes (not of powers), as in Google's program. None is lower than
# this, nor further below the loudest band of both signals at the same time.
FLOOR_DB = -45.0
DEPTH_DB = 45.0
# Share of the patches, those least alike, that the lattice looks at apart.
LOWEST_SHARE = 0.1


def upper_envelope(signal: Floats) -> Floats:
    """Upper envelope by which signals are aligned, shape (time,), as Google's program has it.

    The C++ code doubles the positive half of the spectrum and inverts it by a transform for
    real signals. This does not give the analytic signal, whose magnitude would be the envelope,
    but twice the signal itself. The published scores rest on it.
    """
    mean = signal.mean()
    return 2 * np.abs(signal - mean) + mean


def _single_envelope(signal: Floats) -> NDArray[np.float32]:
    """Upper envelope in single precision, scaled to at most 1: any level can be represented."""
    mean = signal.mean()
    centred = signal - mean
    largest = 2 * max(centred.max(), -centred.min()) + abs(mean)
    if largest == 0:
        return np.zeros(len(signal), np.float32)
    centred *= 2 / largest
    envelope = np.abs(centred.astype(np.float32))
    envelope += np.float32(mean / largest)
    return envelope


class Envelope:
    """The envelope of a reference, with its transform, ready to be aligned with many signals."""

    def __init__(self, signal: Floats) -> None:
        self.signal = signal
        self.norm = float(np.linalg.norm(_single_envelope(signal)))
        self._padded = 0, np.zeros(0, np.complex64)  # to so many samples: of most signals the same

    def lag_of(self, degraded: Floats) -> int:
        """Lag in samples by which a signal must be delayed to match the reference.

        A lag of more than half the reference is taken for a mistake and given as 0.
        """
        if not len(degraded):
            return 0
        longest, envelope = max(len(self.signal), len(degraded)), _single_envelope(degraded)
        size = fft.next_fast_len(2 * longest - 1, real=True)
        spectrum = fft.rfft(envelope, size)
        np.conjugate(spectrum, out=spectrum)
        if self._padded[0] != size:
            self._padded = size, fft.rfft(_single_envelope(self.signal), size)
        spectrum *= self._padded[1]
        # A negative lag is an index from the end. Those that may be the peak, in rising order:
        correlation = np.roll(fft.irfft(spectrum, size), longest - 1)[: 2 * longest - 1]
        error = SINGLE_PRECISION * self.norm * float(np.linalg.norm(envelope))
        peaks = np.flatnonzero(correlation >= correlation.max() - 2 * error) - (longest - 1)
        found = peaks[0] if len(peaks) == 1 else _best_of(peaks, self.signal, degraded)
        return int(found) if abs(found) <= len(self.signal) / 2 else 0


def _best_of(lags: NDArray[np.intp], reference: Floats, degraded: Floats) -> np.intp:
    """Lag of the highest correlation in double precision; of equal ones the lowest."""
    x, y = upper_envelope(reference), upper_envelope(degraded)
    if len(lags) > MANY_LAGS:
        size = fft.next_fast_len(2 * max(len(x), len(y)) - 1, real=True)
        correlation = fft.irfft(fft.rfft(x, size) * fft.rfft(y, size).conj(), size)
        return lags[np.argmax(correlation[lags])]
    pairs = ((x[max(lag, 0) :], y[max(-lag, 0) :]) for lag in lags.tolist())
    return lags[np.argmax([a[: len(b)] @ b[: len(a)] for a, b in pairs])]


def patch_starts(num_frames: int) -> NDArray[np.intp]:
    """First frames of the patches of music, of 45 frames or more; the first starts 14 frames in."""
    first = AUDIO_FRAMES // 2
    end = max(num_frames - AUDIO_FRAMES, first + 1)
    return np.arange(first, end, AUDIO_FRAMES) - 1


def voiced_patch_starts(num_frames: int, signal: Floats, hop: int) -> NDArray[np.intp]:
    """First frames of the patches of speech in which somebody speaks; one at least.

    Of 29 frames or more, which begin every `hop` samples of the signal, shape (time,).
    """
    first = SPEECH_FRAMES // 2 - 1
    patches = (num_frames - first) // SPEECH_FRAMES
    # Google's program starts at sample 9 here, where frame 9 would be meant.
    part = signal[first : first + patches * SPEECH_FRAMES * hop]
    loudest = signal.max()
    normalised = part / loudest if loudest != 0 else np.zeros_like(part)
    samples = np.trunc(np.clip(normalised * 2**15, INT16_MIN, INT16_MAX))
    chunks = samples[: len(samples) // hop * hop].reshape(-1, hop)
    active = np.sqrt(np.mean(np.square(chunks), axis=1)) >= ACTIVE_RMS
    # What came before the first chunk counts as speech.
    recent = np.concatenate([[True, True], active])
    speaks = np.zeros(patches * SPEECH_FRAMES, bool)
    speaks[: len(active)] = recent[:-2] | recent[1:-1] | recent[2:]
    kept = speaks.reshape(patches, SPEECH_FRAMES).any(axis=1)
    return first + SPEECH_FRAMES * np.flatnonzero(kept)


@dataclass(frozen=True, eq=False)
class Piece:
    """A piece of a signal, and at which of its samples it starts.

    `start` is None for pieces that begin with silence which is not in the signal.
    """

    samples: Floats
    start: int | None

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, part: slice) -> Piece:
        first = part.start or 0
        start = self.start + first if self.start is not None else None
        return Piece(self.samples[part], start)

    def after_silence(self, num_samples: int) -> Piece:
        """Itself, later by so many samples."""
        if num_samples == 0:
            return self
        return Piece(np.concatenate([np.zeros(num_samples), self.samples]), None)


def piece(signal: Floats, rate_hz: int, start_s: float, end_s: float) -> Piece:
    """Cut a piece out of a signal as Google's program does.

    Where it reaches beyond the end, what is missing is put *before* it, as silence.
    """
    start = int(start_s * rate_hz)
    end = min(len(signal) - 1, int(end_s * rate_hz))
    missing = max(int(end_s * rate_hz - len(signal)), 0)
    return Piece(signal[start:end], start).after_silence(missing)


def aligned(reference: Piece, degraded: Piece, lag: int, rate_hz: int) -> tuple[Piece, Piece]:
    """Shift the degraded piece by `lag` samples, then cut both to what they share."""
    degraded = degraded.after_silence(lag) if lag > 0 else degraded[-lag:]
    if len(reference) < len(degraded):
        # By way of seconds, as in Google's program: one sample may be lost in rounding.
        skipped = max(int(lag / rate_hz * rate_hz), 0)
        reference, degraded = reference[skipped:], degraded[skipped:]
    shared = min(len(reference), len(degraded))
    return reference[:shared], degraded[:shared]


class Features(NamedTuple):
    """What is known of a pair, band by band: arrays of shape (bands,).

    `means` and `lowest_means` are of the similarity over all patches, and over the tenth of them
    that is least alike, `deviations` of it over all frames; `energies` are the mean levels of the
    degraded signal above the floor, in dB.
    """

    means: Floats
    lowest_means: Floats
    deviations: Floats
    energies: Floats


class _Patch(NamedTuple):
    """A patch of the reference: frames from `start`, the same piece in time, and its levels.

    The piece starts up to one sample before frame `start`, where its time is rounded down.
    """

    start: int
    start_s: float
    piece: Piece
    levels: Floats
    envelope: Envelope


class Reference:
    """A signal with all that ViSQOL needs of it, computed once.

    It takes 25 bytes per sample: the signal, and the transforms of its envelope as a whole and in
    patches. Longer degraded signals may make it up to twice as much.
    """

    def __init__(self, signal: Floats, rate_hz: int, *, speech: bool) -> None:
        self.signal, self.rate_hz = signal, rate_hz
        self.bands = spectrogram.bands_of(rate_hz, speech=speech)
        self.patch_frames = SPEECH_FRAMES if speech else AUDIO_FRAMES
        self.patch_s = self.bands.hop_s * self.patch_frames
        amplitudes = self.bands.amplitudes(signal)
        self.loudest_band = float(amplitudes.max())
        self.levels = _levels(amplitudes)
        starts = patch_starts(len(self.levels))
        if speech:
            starts = voiced_patch_starts(len(self.levels), signal, self.bands.hop)
        self.patches = []
        for start in starts.tolist():
            start_s = start * self.bands.hop_s
            part = piece(signal, rate_hz, start_s, start_s + self.patch_s)
            levels = self._levels_of(part, self.levels)
            self.patches.append(_Patch(start, start_s, part, levels, Envelope(part.samples)))
        self.power = float(np.mean(np.square(signal)))
        self.envelope = Envelope(signal)

    def features(self, degraded: Floats) -> Features:
        """How alike a degraded signal is, band by band.

        Raises `Undefined` if too little is left of it once it is in line with the reference, or
        only silence.
        """
        lag = self.envelope.lag_of(degraded)
        shifted = degraded[-lag:] if lag < 0 else np.concatenate([np.zeros(lag), degraded])
        if len(shifted) <= self.bands.frame or not shifted.any():
            raise Undefined(
                f"ViSQOL finds nothing to compare: of the {len(shifted)} samples that are left "
                f"after alignment, more than {self.bands.frame} that are not silent are needed"
            )
        levelled = shifted * math.sqrt(self.power / float(np.mean(np.square(shifted))))
        levels = _levels(self.bands.amplitudes(levelled))
        matches = self._matches(levelled, levels)
        means = np.array([similarity.means for similarity, _ in matches])
        deviations = np.array([similarity.deviations for similarity, _ in matches])
        frames = np.array([[count] for _, count in matches])
        lowest = max(1, int(len(matches) * LOWEST_SHARE))
        mean = means.mean(axis=0)
        squares = ((frames - 1) * deviations**2 + frames * means**2).sum(axis=0)
        variance = (squares - frames.sum() * mean**2) / max(frames.sum() - 1, 1)
        return Features(
            means=mean,
            lowest_means=np.sort(means, axis=0)[:lowest].mean(axis=0),
            deviations=np.sqrt(np.maximum(variance, 0)),
            energies=np.array([similarity.energies for similarity, _ in matches]).mean(axis=0),
        )

    def _matches(
        self, degraded: Floats, levels: Floats
    ) -> list[tuple[spectrogram.Similarity, int]]:
        """Find the patches in the degraded signal, then shift within each to be more alike."""
        # Gives how alike each and its like are, and as how many frames it counts.
        # But for the last ones that lie half a patch and more behind the signal's end.
        latest = len(levels) + self.patch_frames // 2
        patches = [patch for patch in self.patches if patch.start <= latest]
        reference_db, degraded_db = _above_floor(self.levels, levels)
        starts, frames = np.array([patch.start for patch in patches]), self.patch_frames
        reach = REACH_PATCHES * frames
        everywhere = spectrogram.similarities(
            reference=reference_db, degraded=degraded_db, starts=starts, frames=frames, reach=reach
        )
        positions, lost = spectrogram.best_positions(everywhere, starts, reach)
        degraded_db = np.pad(degraded_db, [(0, frames), (0, 0)])
        matches = []
        for patch, position, is_lost in zip(patches, positions, lost, strict=True):
            similarity = spectrogram.compare(
                reference=reference_db[patch.start : patch.start + frames],
                degraded=degraded_db[position : position + frames],
            )
            if is_lost:
                similarity = similarity._replace(means=np.zeros_like(similarity.means))
            matches.append((similarity, self._frames_from(patch.start_s, self.patch_s)))

        for index in np.flatnonzero(~lost).tolist():
            patch = patches[index]
            start_s = float(positions[index] * self.bands.hop_s)
            part = piece(degraded, self.rate_hz, start_s, start_s + self.patch_s)
            lag = patch.envelope.lag_of(part.samples)
            ours, theirs = aligned(patch.piece, part, lag, self.rate_hz)
            if len(ours) <= self.bands.frame:
                continue
            our_levels = patch.levels[: self._num_frames(ours)]
            if ours.start != patch.piece.start:
                our_levels = self._levels_of(ours, self.levels)
            reference_db, degraded_db = _above_floor(our_levels, self._levels_of(theirs, levels))
            similarity = spectrogram.compare(reference=reference_db, degraded=degraded_db)
            if similarity.overall >= matches[index][0].overall:
                start_s = patch.start_s + max(lag, 0) / self.rate_hz
                count = self._frames_from(start_s, len(ours) / self.rate_hz)
                matches[index] = similarity, count
        return matches

    def _frames_from(self, start_s: float, duration_s: float) -> int:
        """Frames in a time, rounded up of a difference of times: 20 of them can count as 21."""
        return math.ceil((start_s + duration_s - start_s) / self.bands.hop_s)

    def _levels_of(self, part: Piece, levels: Floats) -> Floats:
        """Levels of a part of a signal, of which the levels are known at every hop."""
        # Filters start from rest in every frame. So a frame has the same level wherever its signal
        # is cut.
        if part.start is None or part.start % self.bands.hop:
            return _levels(self.bands.amplitudes(part.samples))
        first = part.start // self.bands.hop
        return levels[first : first + self._num_frames(part)]

    def _num_frames(self, part: Piece) -> int:
        return 1 + (len(part) - self.bands.frame) // self.bands.hop


def _levels(amplitudes: Floats) -> Floats:
    return np.maximum(10 * np.log10(np.maximum(amplitudes, 10 ** (FLOOR_DB / 10))), FLOOR_DB)


def _above_floor(reference: Floats, degraded: Floats) -> tuple[Floats, Floats]:
    """Levels of two signals above what can be heard beside the loudest band of both, in dB."""
    both = min(len(reference), len(degraded))
    loudest = np.maximum(reference[:both].max(axis=1), degraded[:both].max(axis=1))
    least = (loudest - DEPTH_DB)[:, np.newaxis]
    x, y = reference.copy(), degraded.copy()
    for levels in (x, y):
        np.maximum(levels[:both], least, out=levels[:both])
    lowest = min(x.min(), y.min())
    return x - lowest, y - lowest
