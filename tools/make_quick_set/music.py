"""Music: the pieces, played by FluidSynth on a free sampled orchestra."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import soundfile

from tools.make_quick_set.clip import QuickClip, Signal, random_of
from tools.make_quick_set.pieces import PIECES
from tools.make_quick_set.programs import SOUNDFONT, RenderError, run
from tools.make_quick_set.scores import Piece, to_midi

_SOURCE = "FluidSynth, FluidR3 GM soundfont; score in tools/make_quick_set/pieces.py"
_FADE_S = 0.4


def play(piece: Piece) -> Signal:
    """Play a piece.

    Returns
    -------
    ndarray of shape (channels, time)
        Of the piece's rate, channels and duration, faded at the end.

    Raises
    ------
    RenderError
        If FluidSynth fails or plays nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        score, wav = Path(folder, "score.mid"), Path(folder, "music.wav")
        to_midi(piece, random_of(piece.name)).save(score)
        options = ("-n", "-i", "-q", "-g", "0.5", "-r", str(piece.rate_hz))
        as_float_wav = ("-T", "wav", "-O", "float", "-F", str(wav))
        run(["fluidsynth", *options, *as_float_wav, str(SOUNDFONT), str(score)])
        played, _ = soundfile.read(str(wav), dtype="float64", always_2d=True)
    if not np.any(played):
        raise RenderError(f"FluidSynth played {piece.name} as silence; check {SOUNDFONT}")
    return as_recorded(played.T, piece)


def as_recorded(played: Signal, piece: Piece) -> Signal:
    """Bring a stereo performance to the piece's length and channels, fading the last ring."""
    length = round(piece.duration_s * piece.rate_hz)
    cut = np.zeros((2, length))
    kept = min(length, played.shape[1])
    cut[:, :kept] = played[:, :kept]
    fade = round(_FADE_S * piece.rate_hz)
    cut[:, -fade:] *= np.cos(np.linspace(0.0, np.pi / 2, fade)) ** 2
    return cut if piece.channels == 2 else cut.mean(axis=0, keepdims=True)


def music_clips() -> list[QuickClip]:
    """Every piece of the set."""
    return [
        QuickClip(
            name=piece.name,
            domain="music",
            samples=play(piece),
            rate_hz=piece.rate_hz,
            peak_dbfs=piece.peak_dbfs,
            source=_SOURCE,
            track=piece.name,
        )
        for piece in PIECES
    ]
