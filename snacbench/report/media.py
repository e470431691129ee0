"""The files behind a clip's players: one script with its audio, and small pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from snacbench.report import spectra
from snacbench.report.pack import packed, packed_script
from snacbench.report.preview import RATE_HZ, Preview, encoded
from snacbench.report.signals import Sources, signals_of
from snacbench.store.folder import RunFolder
from snacbench.types import Audio

FOLDER = "media"


@dataclass(frozen=True)
class Shelf:
    """Where media come from and go to, the same for all clips of a report."""

    run: RunFolder
    target: Path
    codecs: tuple[str, ...]
    preview: Preview


def write_media(shelf: Shelf, number: int, found: Sources) -> dict[str, Any]:
    """Write the files of one clip's players and return what the page must know of them.

    Returns
    -------
    dict
        ``audio`` and ``change`` tell of each signal, the reference first, whether there is audio
        and whether there is a picture of what it changed.
    """
    signals, problems = signals_of(
        shelf.run, found, shelf.codecs, longest_s=shelf.preview.longest_s
    )
    folder = shelf.target / FOLDER
    files = [
        None if signal is None else encoded(signal, lossless=shelf.preview.lossless)
        for signal in signals
    ]
    content = [None if file is None else [len(file), packed(file)] for file in files]
    (folder / f"{number}.js").write_bytes(packed_script(f"snacbench.media({number})", content))
    top_hz = _top_hz(found)
    change = _write_pictures(folder / str(number), signals, top_hz)
    held_s = next((s.duration_s for s in signals if s is not None), 0.0)
    clip = found.clip
    return {
        "audio": [signal is not None for signal in signals],
        "change": change,
        "held_s": round(held_s, 4),
        "full_s": round(clip.duration_s, 3) if clip else None,
        "marks": spectra.marks(top_hz),
        "transcript": clip.transcript if clip else None,
        "facts": _facts(found),
        "problems": problems,
    }


def _top_hz(found: Sources) -> float:
    """The upper end of a clip's pictures: half of the recording's rate, 24 kHz at most."""
    rate_hz = found.clip.rate_hz if found.clip else RATE_HZ
    return min(RATE_HZ, rate_hz) / 2


def _write_pictures(folder: Path, signals: Sequence[Audio | None], top_hz: float) -> list[bool]:
    folder.mkdir(parents=True)
    levels = [None if s is None else spectra.levels_db(s, top_hz) for s in signals]
    reference, *others = levels
    scale = next((x for x in levels if x is not None), None)
    top_db = 0.0 if scale is None else float(np.max(scale))
    change = [False]
    for index, picture in enumerate(levels):
        if picture is not None:
            image = spectra.spectrogram_image(picture, top_db)
            (folder / f"{index}.webp").write_bytes(image)
    for index, picture in enumerate(others, start=1):
        change.append(picture is not None and reference is not None)
        if picture is not None and reference is not None:
            image = spectra.change_image(reference=reference, degraded=picture, top_db=top_db)
            (folder / f"{index}-change.webp").write_bytes(image)
    return change


def _facts(found: Sources) -> str:
    """The recording in one line."""
    clip = found.clip
    if clip is None:
        return ""
    facts = [
        f"{clip.rate_hz / 1000:g} kHz",
        {1: "mono", 2: "stereo"}.get(clip.channels, f"{clip.channels} channels"),
        "from a lossy file" if clip.lossy_source else "",
        f"cluster {clip.cluster}" if clip.cluster else "",
        clip.licence or "",
    ]
    return " · ".join(fact for fact in facts if fact)
