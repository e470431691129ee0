"""Where ViSQOL looks: patches of the reference, and pieces of signals in time.

Music is cut into patches of 0.6 s from end to end. Speech is cut into patches of 0.4 s, and those
in which nobody speaks are left out.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

AUDIO_FRAMES, SPEECH_FRAMES = 30, 20

# Voice activity: chunks of 20 ms at 16 bits; one is silent if it and the two before it are below.
ACTIVE_RMS = 5000.0
INT16_MIN, INT16_MAX = -(2**15), 2**15 - 1

Signal = NDArray[np.float64]


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
