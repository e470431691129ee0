"""Spectrograms as small pictures, all of a clip on one scale, and what a codec changed in them."""

from __future__ import annotations

import io
from functools import cache

import numpy as np
from numpy.typing import NDArray

from snacbench.types import Audio

WIDTH, HEIGHT = 440, 132
RANGE_DB = 80.0  # from the loudest spot of the reference down
CHANGE_DB = 30.0

_WINDOW = 2048
_FRAMES_PER_COLUMN = 2
_SILENCE = 1e-12
_QUALITY = 62
_MARKS_HZ = (250, 500, 1_000, 2_000, 4_000, 8_000, 16_000)
_MEL = 1127.0  # O'Shaughnessy's mel: 1127 ln(1 + f / 700 Hz)

Picture = NDArray[np.float64]


def levels_db(audio: Audio, top_hz: float) -> Picture:
    """Level in dB, arbitrary reference: shape (`HEIGHT`, `WIDTH`), in equal steps of mel and time.

    The highest frequency comes first.
    """
    mono = audio.samples.mean(axis=0)
    padded = np.pad(mono, (_WINDOW // 2, _WINDOW // 2 + _WINDOW))
    starts = np.linspace(0, len(mono), WIDTH * _FRAMES_PER_COLUMN, endpoint=False).astype(np.intp)
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW)[starts]
    spectrum = np.fft.rfft(frames * np.hanning(_WINDOW), axis=1)
    power = (spectrum.real**2 + spectrum.imag**2).reshape(WIDTH, _FRAMES_PER_COLUMN, -1).mean(1)
    top_mel = _MEL * np.log1p(top_hz / 700)
    edges_hz = 700 * np.expm1(np.linspace(0, top_mel, HEIGHT + 1) / _MEL)
    # Mean power between edges that are given in bins and may lie within one.
    total = np.concatenate([np.zeros((len(power), 1)), np.cumsum(power, axis=1)], axis=1)
    edges = np.clip(edges_hz * _WINDOW / audio.rate_hz + 0.5, 0, total.shape[1] - 1)
    whole = np.minimum(edges.astype(np.intp), total.shape[1] - 2)
    upto = total[:, whole] + (edges - whole) * (total[:, whole + 1] - total[:, whole])
    rows = np.diff(upto, axis=1) / np.maximum(np.diff(edges), 1e-9)
    return np.asarray(10 * np.log10(rows.T[::-1] + _SILENCE))


def marks(top_hz: float) -> list[tuple[str, float]]:
    """Frequencies to label, and how high each lies in a picture, in percent of its height."""
    top_mel = np.log1p(top_hz / 700)
    heights = ((hz, 100 * float(np.log1p(hz / 700) / top_mel)) for hz in _MARKS_HZ)
    return [
        (f"{hz / 1000:g}k" if hz >= 1000 else str(hz), round(height, 2))
        for hz, height in heights
        if height < 97
    ]


def spectrogram_image(levels: Picture, top_db: float) -> bytes:
    """Levels as a WebP picture: the lightest colour is `top_db`, the darkest 80 dB less."""
    return _webp((levels - top_db) / RANGE_DB + 1, "magma")


def change_image(*, reference: Picture, degraded: Picture, top_db: float) -> bytes:
    """What was added (red) and what is missing (blue), in dB, as a WebP picture.

    What is more than 80 dB under the loudest spot of the reference counts as silence.
    """
    floor = top_db - RANGE_DB
    change = np.maximum(degraded, floor) - np.maximum(reference, floor)
    return _webp(change / (2 * CHANGE_DB) + 0.5, "RdBu_r")


def gradient(name: str, steps: int = 9) -> str:
    """A colour map as the stops of a CSS gradient."""
    colours = _colours(name)[np.linspace(0, 255, steps).astype(int)]
    return ", ".join("#" + bytes(colour).hex() for colour in colours)


def _webp(shares: Picture, colour_map: str) -> bytes:
    from matplotlib.image import imsave

    index = np.clip(np.rint(shares * 255), 0, 255).astype(np.uint8)
    file = io.BytesIO()
    how = {"quality": _QUALITY, "method": 4}
    imsave(file, _colours(colour_map)[index], format="webp", pil_kwargs=how)
    return file.getvalue()


@cache
def _colours(name: str) -> NDArray[np.uint8]:
    """A colour map of 256 entries, shape (256, 3)."""
    from matplotlib import colormaps

    return np.asarray(colormaps[name](np.arange(256), bytes=True))[:, :3]
