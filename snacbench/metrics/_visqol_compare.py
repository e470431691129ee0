"""A reference of ViSQOL, ready to be compared with many degraded signals.

The stages are those of Google's program (``visqol.cc``, ``comparison_patches_selector.cc``): shift
the degraded signal as a whole; give it the level of the reference; find every patch of the
reference in it; shift it there once more, by less than the time between frames; and take, patch by
patch, the similarity before or after this shift, whichever is higher.

Lags between signals are at the peak of the correlation of their envelopes. It is computed in single
precision, which finds the few lags that can be the peak; double precision decides between them.

Music is cut into patches of 0.6 s from end to end. Speech is cut into patches of 0.4 s, and those
in which nobody speaks are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from snacbench.errors import Undefined
from snacbench.metrics._visqol_map import Features
from snacbench.metrics._visqol_similarity import Similarity, compare, matching_positions
from snacbench.metrics._visqol_spectrogram import Bands, bands_of

# Largest error of a correlation in single precision, as a share of the product of the norms; the
# largest measured is 2e-7.
SINGLE_PRECISION = 2e-6
# With more lags than these in question, a transform in double precision is cheaper.
MANY_LAGS = 64
# Degraded signals mostly have the length of their reference, so one size would nearly do.
SIZES_KEPT = 2
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

Signal = NDArray[np.float64]
Levels = NDArray[np.float64]


def upper_envelope(signal: Signal) -> Signal:
    """Upper envelope by which signals are aligned, as Google's program has it in effect.

    The C++ code doubles the positive half of the spectrum and inverts it by a transform for
    real signals. This does not give the analytic signal, whose magnitude would be the envelope,
    but twice the signal itself. The published scores rest on it.

    Parameters
    ----------
    signal : array, shape (time,)

    Returns
    -------
    array, shape (time,)
    """
    mean = signal.mean()
    return 2 * np.abs(signal - mean) + mean


class Envelope:
    """The envelope of a reference, with its transforms, ready to be aligned with many signals."""

    def __init__(self, signal: Signal) -> None:
        self.signal = signal
        envelope = _single_envelope(signal)
        self.norm = _norm(envelope)
        self._transforms: dict[int, NDArray[np.complex64]] = {}

    def transform(self, size: int) -> NDArray[np.complex64]:
        """Spectrum of the envelope, padded with zeros to `size` samples; computed once."""
        from scipy import fft

        if size not in self._transforms:
            if len(self._transforms) == SIZES_KEPT:
                self._transforms.clear()
            self._transforms[size] = fft.rfft(_single_envelope(self.signal), size)
        return self._transforms[size]

    @property
    def nbytes(self) -> int:
        """Memory that the transforms take."""
        return sum(spectrum.nbytes for spectrum in self._transforms.values())


def lags_of(references: Sequence[Envelope], degraded: Sequence[Signal]) -> list[int]:
    """Lags in samples by which signals must be delayed to match their references.

    A lag of more than half a reference is taken for a mistake and given as 0.
    """
    lags = [0] * len(degraded)
    sizes = [max(len(x.signal), len(y)) for x, y in zip(references, degraded, strict=True)]
    for longest in sorted(set(sizes)):
        # Signals of one size go through the transform side by side, which is faster.
        rows = [row for row, size in enumerate(sizes) if size == longest and len(degraded[row])]
        found = _peaks([references[r] for r in rows], [degraded[r] for r in rows], longest)
        for row, lag in zip(rows, found, strict=True):
            lags[row] = lag if abs(lag) <= len(references[row].signal) / 2 else 0
    return lags


def _peaks(
    references: Sequence[Envelope], degraded: Sequence[Signal], longest: int
) -> Iterator[int]:
    """Lags of the highest correlation, for signals of which the longest is `longest`."""
    from scipy import fft

    size = fft.next_fast_len(2 * longest - 1, real=True)
    envelopes = np.zeros((len(degraded), longest), np.float32)
    for row, signal in zip(envelopes, degraded, strict=True):
        row[: len(signal)] = _single_envelope(signal)
    spectra = fft.rfft(envelopes, size, axis=1)
    np.conjugate(spectra, out=spectra)
    for index, reference in enumerate(references):
        spectra[index] *= reference.transform(size)
    correlations = fft.irfft(spectra, size, axis=1)
    for reference, signal, envelope, correlation in zip(
        references, degraded, envelopes, correlations, strict=True
    ):
        error = SINGLE_PRECISION * reference.norm * _norm(envelope)
        lags = _candidates(correlation, longest, error)
        yield int(lags[0]) if len(lags) == 1 else _best_of(lags, reference.signal, signal)


def _candidates(correlation: NDArray[np.float32], longest: int, error: float) -> NDArray[np.intp]:
    """Lags of which the correlation may be the highest, in rising order."""
    early, late = correlation[len(correlation) - longest + 1 :], correlation[:longest]
    least = max(late.max(), early.max(initial=-np.inf)) - 2 * error
    return np.concatenate(
        [np.flatnonzero(early >= least) - len(early), np.flatnonzero(late >= least)]
    )


def _best_of(lags: NDArray[np.intp], reference: Signal, degraded: Signal) -> int:
    """Lag of the highest correlation in double precision; of equal ones the lowest."""
    from scipy import fft

    x, y = upper_envelope(reference), upper_envelope(degraded)
    if len(lags) <= MANY_LAGS:
        return int(lags[np.argmax([_correlation(int(lag), x, y) for lag in lags])])
    size = fft.next_fast_len(2 * max(len(x), len(y)) - 1, real=True)
    # A negative lag is an index from the end.
    correlation = fft.irfft(fft.rfft(x, size) * fft.rfft(y, size).conj(), size)
    return int(lags[np.argmax(correlation[lags])])


def _correlation(lag: int, x: Signal, y: Signal) -> float:
    x, y = x[max(lag, 0) :], y[max(-lag, 0) :]
    overlap = min(len(x), len(y))
    return float(x[:overlap] @ y[:overlap])


def _single_envelope(signal: Signal) -> NDArray[np.float32]:
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


def _norm(envelope: NDArray[np.float32]) -> float:
    return float(np.sqrt(envelope @ envelope))


def patch_starts(num_frames: int) -> NDArray[np.intp]:
    """First frames of the patches of music, end to end; the first starts 14 frames in.

    Parameters
    ----------
    num_frames : int
        Frames of the reference; 45 or more.
    """
    first = AUDIO_FRAMES // 2
    end = max(num_frames - AUDIO_FRAMES, first + 1)
    return np.arange(first, end, AUDIO_FRAMES) - 1


def voiced_patch_starts(num_frames: int, signal: Signal, hop: int) -> NDArray[np.intp]:
    """First frames of the patches of speech in which somebody speaks.

    Parameters
    ----------
    num_frames : int
        Frames of the reference; 29 or more.
    signal : array, shape (time,)
    hop : int
        Samples from frame to frame.
    """
    first = SPEECH_FRAMES // 2 - 1
    patches = (num_frames - first) // SPEECH_FRAMES
    # Google's program starts at sample 9 here, where frame 9 would be meant.
    voiced = _voice_activity(signal[first : first + patches * SPEECH_FRAMES * hop], signal, hop)
    speaks = np.zeros(patches * SPEECH_FRAMES, bool)
    speaks[: len(voiced)] = voiced
    kept = speaks.reshape(patches, SPEECH_FRAMES).any(axis=1)
    return first + SPEECH_FRAMES * np.flatnonzero(kept)


def _voice_activity(part: Signal, signal: Signal, chunk: int) -> NDArray[np.bool_]:
    """Whether somebody speaks, for every whole chunk of a part of a signal."""
    loudest = signal.max()
    normalised = part / loudest if loudest != 0 else np.zeros_like(part)
    samples = np.trunc(np.clip(normalised * 2**15, INT16_MIN, INT16_MAX))
    chunks = samples[: len(samples) // chunk * chunk].reshape(-1, chunk)
    active = np.sqrt(np.mean(np.square(chunks), axis=1)) >= ACTIVE_RMS
    # What came before the first chunk counts as speech.
    recent = np.concatenate([[True, True], active])
    return recent[:-2] | recent[1:-1] | recent[2:]


@dataclass(frozen=True, eq=False)
class Piece:
    """A piece of a signal, and at which of its samples it starts.

    `start` is None for pieces that begin with silence which is not in the signal.
    """

    samples: Signal
    start: int | None

    def __len__(self) -> int:
        return len(self.samples)

    def __getitem__(self, part: slice) -> Piece:
        first = part.start or 0
        start = self.start + first if self.start is not None else None
        return Piece(self.samples[part], start)


def piece(signal: Signal, rate_hz: int, start_s: float, end_s: float) -> Piece:
    """Cut a piece out of a signal as Google's program does.

    Where it reaches beyond the end, what is missing is put *before* it, as silence.
    """
    start = int(start_s * rate_hz)
    end = min(len(signal) - 1, int(end_s * rate_hz))
    missing = max(int(end_s * rate_hz - len(signal)), 0)
    return _after_silence(Piece(signal[start:end], start), missing)


def aligned(reference: Piece, degraded: Piece, lag: int, rate_hz: int) -> tuple[Piece, Piece]:
    """Shift the degraded piece by `lag` samples, then cut both to what they share."""
    degraded = _after_silence(degraded, lag) if lag > 0 else degraded[-lag:]
    if len(reference) < len(degraded):
        # By way of seconds, as in Google's program: one sample may be lost in rounding.
        skipped = max(int(lag / rate_hz * rate_hz), 0)
        reference, degraded = reference[skipped:], degraded[skipped:]
    shared = min(len(reference), len(degraded))
    return reference[:shared], degraded[:shared]


def _after_silence(after: Piece, num_samples: int) -> Piece:
    if num_samples == 0:
        return after
    return Piece(np.concatenate([np.zeros(num_samples), after.samples]), None)


@dataclass(frozen=True, eq=False)
class _Patch:
    """A patch of the reference: frames from `start`, the same piece in time, and its levels.

    The piece starts up to one sample before frame `start`, where its time is rounded down.
    """

    start: int
    start_s: float
    end_s: float
    piece: Piece
    levels: Levels
    envelope: Envelope


@dataclass(frozen=True, eq=False)
class _Match:
    """A patch with its like: where this begins (None: nowhere), when it was, how alike it is."""

    patch: _Patch
    position: int | None
    start_s: float
    end_s: float
    similarity: Similarity


class Reference:
    """A signal with all that ViSQOL needs of it, computed once.

    It takes 25 bytes per sample: the signal, and the transforms of its envelope as a whole and in
    patches. Degraded signals of other lengths may make it up to twice as much.
    """

    def __init__(self, signal: Signal, rate_hz: int, *, speech: bool) -> None:
        self.signal, self.rate_hz = signal, rate_hz
        self.bands: Bands = bands_of(rate_hz, speech=speech)
        self.patch_frames = SPEECH_FRAMES if speech else AUDIO_FRAMES
        amplitudes = self.bands.amplitudes(signal)
        self.loudest_band = float(amplitudes.max())
        self.levels = _levels(amplitudes)
        starts = (
            voiced_patch_starts(len(self.levels), signal, self.bands.hop)
            if speech
            else patch_starts(len(self.levels))
        )
        self.patches = [self._patch(start) for start in starts.tolist()]
        self.power = float(np.mean(np.square(signal)))
        self.envelope = Envelope(signal)

    @property
    def num_bytes(self) -> int:
        """Memory that the reference takes; transforms of envelopes are made when first needed."""
        envelopes = [self.envelope, *(patch.envelope for patch in self.patches)]
        return self.signal.nbytes + self.levels.nbytes + sum(e.nbytes for e in envelopes)

    def features(self, degraded: Signal) -> Features:
        """How alike a degraded signal is, band by band.

        Raises
        ------
        Undefined
            If no patch of the reference can be looked for in the degraded signal.
        """
        degraded = self._levelled(self._shifted(degraded))
        levels = _levels(self.bands.amplitudes(degraded))
        matches = self._find(levels)
        return _features(self._align_finely(matches, degraded, levels), self.bands.hop_s)

    def _patch(self, start: int) -> _Patch:
        start_s = start * self.bands.hop_s
        end_s = start_s + self._patch_s
        part = piece(self.signal, self.rate_hz, start_s, end_s)
        levels = self._levels_of(part, self.levels)
        return _Patch(start, start_s, end_s, part, levels, Envelope(part.samples))

    @property
    def _patch_s(self) -> float:
        return self.bands.hop_s * self.patch_frames

    def _shifted(self, degraded: Signal) -> Signal:
        """Bring the degraded signal into line with the reference as a whole."""
        (lag,) = lags_of([self.envelope], [degraded])
        shifted = degraded[-lag:] if lag < 0 else np.concatenate([np.zeros(lag), degraded])
        if len(shifted) <= self.bands.frame:
            raise _nothing_to_compare(
                f"{len(shifted)} samples are left after alignment, more than {self.bands.frame} "
                "are needed"
            )
        return shifted

    def _levelled(self, degraded: Signal) -> Signal:
        """Bring the degraded signal to the level of the reference."""
        power = float(np.mean(np.square(degraded)))
        if power == 0:
            raise _nothing_to_compare("what is left after alignment is silent")
        return degraded * math.sqrt(self.power / power)

    def _find(self, levels: Levels) -> list[_Match]:
        """Find the patches in the degraded signal, to the nearest frame."""
        patches = self._patches_within(len(levels))
        reference_db, degraded_db = _above_floor(self.levels, levels)
        positions, lost = matching_positions(
            reference=reference_db,
            degraded=degraded_db,
            starts=np.array([patch.start for patch in patches]),
            frames=self.patch_frames,
            reach=REACH_PATCHES * self.patch_frames,
        )
        degraded_db = np.pad(degraded_db, [(0, self.patch_frames), (0, 0)])
        matches = []
        for patch, position, is_lost in zip(patches, positions.tolist(), lost, strict=True):
            similarity = compare(
                reference=reference_db[patch.start : patch.start + self.patch_frames],
                degraded=degraded_db[position : position + self.patch_frames],
            )
            if is_lost:
                similarity = replace(similarity, means=np.zeros(self.bands.count))
            found = None if is_lost else position
            matches.append(_Match(patch, found, patch.start_s, patch.end_s, similarity))
        return matches

    def _patches_within(self, num_frames: int) -> list[_Patch]:
        """Patches but for the last ones that lie half a patch and more behind the signal's end."""
        latest = num_frames + self.patch_frames // 2
        patches = [patch for patch in self.patches if patch.start <= latest]
        if not patches:
            raise _nothing_to_compare("it ends before the first patch of the reference")
        return patches

    def _align_finely(
        self, matches: Sequence[_Match], degraded: Signal, levels: Levels
    ) -> list[_Match]:
        """Shift within each match, and keep what is then more alike."""
        best = list(matches)
        found = [index for index, match in enumerate(matches) if match.position is not None]
        pieces = [
            piece(degraded, self.rate_hz, start_s, start_s + self._patch_s)
            for start_s in ((matches[i].position or 0) * self.bands.hop_s for i in found)
        ]
        envelopes = [matches[index].patch.envelope for index in found]
        lags = lags_of(envelopes, [part.samples for part in pieces])
        for index, part, lag in zip(found, pieces, lags, strict=True):
            match = matches[index]
            ours, theirs = aligned(match.patch.piece, part, lag, self.rate_hz)
            if len(ours) <= self.bands.frame:
                continue
            similarity = compare_levels(
                self._levels_in(match.patch, ours), self._levels_of(theirs, levels)
            )
            if similarity.overall >= match.similarity.overall:
                start_s = match.start_s + max(lag, 0) / self.rate_hz
                end_s = start_s + len(ours) / self.rate_hz
                best[index] = replace(match, start_s=start_s, end_s=end_s, similarity=similarity)
        return best

    def _levels_in(self, patch: _Patch, part: Piece) -> Levels:
        """Levels of a part of a patch."""
        if part.start == patch.piece.start:
            return patch.levels[: self._num_frames(part)]
        return self._levels_of(part, self.levels)

    def _levels_of(self, part: Piece, levels: Levels) -> Levels:
        """Levels of a part of a signal, of which the levels are known at every hop.

        Filters start from rest in every frame. So a frame has the same level wherever its signal
        is cut.
        """
        if part.start is None or part.start % self.bands.hop:
            return _levels(self.bands.amplitudes(part.samples))
        first = part.start // self.bands.hop
        return levels[first : first + self._num_frames(part)]

    def _num_frames(self, part: Piece) -> int:
        return 1 + (len(part) - self.bands.frame) // self.bands.hop


def _levels(amplitudes: Levels) -> Levels:
    """Levels in dB; silence is at the floor."""
    return np.maximum(10 * np.log10(np.maximum(amplitudes, 10 ** (FLOOR_DB / 10))), FLOOR_DB)


def _above_floor(reference: Levels, degraded: Levels) -> tuple[Levels, Levels]:
    """Levels of two signals above what can be heard beside the loudest band of both, in dB."""
    both = min(len(reference), len(degraded))
    loudest = np.maximum(reference[:both].max(axis=1), degraded[:both].max(axis=1))
    least = (loudest - DEPTH_DB)[:, np.newaxis]
    raised = []
    for levels in (reference, degraded):
        copy = levels.copy()
        np.maximum(copy[:both], least, out=copy[:both])
        raised.append(copy)
    lowest = min(copy.min() for copy in raised)
    return raised[0] - lowest, raised[1] - lowest


def compare_levels(reference: Levels, degraded: Levels) -> Similarity:
    """Similarity of two patches of equal shape (frames, bands), given their levels in dB."""
    reference_db, degraded_db = _above_floor(reference, degraded)
    return compare(reference=reference_db, degraded=degraded_db)


def _features(matches: Sequence[_Match], hop_s: float) -> Features:
    """What the mappings look at: means, deviations and levels over all matches."""
    means = np.array([match.similarity.means for match in matches])
    deviations = np.array([match.similarity.deviations for match in matches])
    energies = np.array([match.similarity.energies for match in matches])
    # Rounded up, of a difference of times: a patch of 20 frames can count as 21.
    frames = np.array([[math.ceil((m.end_s - m.start_s) / hop_s)] for m in matches])
    lowest = max(1, int(len(matches) * LOWEST_SHARE))
    mean = means.mean(axis=0)
    squares = ((frames - 1) * deviations**2 + frames * means**2).sum(axis=0)
    variance = (squares - frames.sum() * mean**2) / max(frames.sum() - 1, 1)
    return Features(
        means=mean,
        lowest_means=np.sort(means, axis=0)[:lowest].mean(axis=0),
        deviations=np.sqrt(np.maximum(variance, 0)),
        energies=energies.mean(axis=0),
    )


def _nothing_to_compare(found: str) -> Undefined:
    return Undefined(
        f"ViSQOL finds nothing to compare ({found}); a degraded signal that covers the reference "
        "is needed"
    )
