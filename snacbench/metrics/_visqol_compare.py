"""A reference of ViSQOL, ready to be compared with many degraded signals.

The stages are those of Google's program (``visqol.cc``, ``comparison_patches_selector.cc``): shift
the degraded signal as a whole; give it the level of the reference; find every patch of the
reference in it; shift it there once more, by less than the time between frames; and take, patch by
patch, the similarity before or after this shift, whichever is higher.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from snacbench.errors import Undefined
from snacbench.metrics._visqol_align import Envelope, lags_of
from snacbench.metrics._visqol_bands import Bands, bands_of
from snacbench.metrics._visqol_map import Features
from snacbench.metrics._visqol_nsim import Similarity, compare
from snacbench.metrics._visqol_patches import (
    AUDIO_FRAMES,
    SPEECH_FRAMES,
    Piece,
    aligned,
    patch_starts,
    piece,
    voiced_patch_starts,
)
from snacbench.metrics._visqol_search import matching_positions

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
