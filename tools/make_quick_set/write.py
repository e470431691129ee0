"""Puts finished clips on disk: 16-bit FLAC, the manifest and the card."""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from tools.make_quick_set.clip import QuickClip, random_of

MANIFEST_COLUMNS = (
    "path", "domain", "duration_s", "sample_rate", "channels", "transcript", "language", "speaker",
    "gender", "track", "source", "licence", "lossy_source", "sha256",
)  # fmt: skip
LICENCE = "CC0-1.0"
MAX_BYTES = 6_000_000
_FULL_SCALE = 2**15


class SetTooLargeError(RuntimeError):
    """The set would weigh more than a package should carry."""


@dataclass(frozen=True)
class Written:
    """A clip on disk: its path inside the set, size and digest."""

    clip: QuickClip
    path: str
    size_bytes: int
    sha256: str


def to_pcm(clip: QuickClip) -> NDArray[np.int16]:
    """Samples at the clip's peak level, dithered and rounded to 16 bits: shape (channels, time).

    Triangular dither of two steps makes the rounding error independent of the signal, and
    leaves no digital silence, on which many metrics are undefined.

    Raises
    ------
    ValueError
        If the clip is silent, not finite, or would clip.
    """
    # A constant offset is no sound; some voices carry one.
    centred = clip.samples - clip.samples.mean(axis=1, keepdims=True)
    highest = float(np.max(np.abs(centred)))
    if not np.isfinite(highest) or highest == 0.0 or clip.peak_dbfs > -0.5:
        raise ValueError(
            f"{clip.name}: highest sample {highest}, wanted at {clip.peak_dbfs} dBFS; expected a "
            "finite, audible signal and a peak of at most -0.5 dBFS: mend its score or scene"
        )
    level = _FULL_SCALE * 10 ** (clip.peak_dbfs / 20) / highest
    rng = random_of(f"{clip.name} dither")
    dither = rng.uniform(-0.5, 0.5, clip.samples.shape) + rng.uniform(-0.5, 0.5, clip.samples.shape)
    return np.asarray(np.rint(level * centred + dither), dtype=np.int16)


def write_clip(folder: Path, clip: QuickClip) -> Written:
    """Write one clip as ``<domain>/<name>.flac``, compressed as far as FLAC can."""
    path = f"{clip.domain}/{clip.name}.flac"
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(
        str(target),
        to_pcm(clip).T,
        clip.rate_hz,
        format="FLAC",
        subtype="PCM_16",
        compression_level=1.0,
    )
    data = target.read_bytes()
    return Written(clip, path, len(data), hashlib.sha256(data).hexdigest())


def write_manifest(folder: Path, written: Sequence[Written]) -> None:
    """Write ``manifest.csv``, one row a clip."""
    with (folder / "manifest.csv").open("w", newline="", encoding="utf-8") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(MANIFEST_COLUMNS)
        for item in written:
            clip = item.clip
            rows.writerow(
                (
                    item.path,
                    clip.domain,
                    f"{clip.duration_s:.3f}",
                    clip.rate_hz,
                    clip.samples.shape[0],
                    clip.transcript,
                    clip.language,
                    clip.speaker,
                    clip.gender,
                    clip.track,
                    clip.source,
                    LICENCE,
                    "false",
                    item.sha256,
                )
            )


def check_size(folder: Path) -> int:
    """Size of the whole set in bytes.

    Raises
    ------
    SetTooLargeError
        If it exceeds `MAX_BYTES`.
    """
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    if total > MAX_BYTES:
        raise SetTooLargeError(
            f"{folder} holds {total} bytes, expected at most {MAX_BYTES}; shorten a noisy clip or "
            "lower its peak: noise is what FLAC cannot shrink"
        )
    return total
