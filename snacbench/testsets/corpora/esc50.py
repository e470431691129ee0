"""ESC-50: two thousand environmental sounds of five seconds.

Clips shorter than five seconds are padded with digital silence, which a codec codes for nothing;
and the WAV files were made of the corpus' first release, which was Ogg Vorbis: the source is
lossy although the files are not. The fold is the first number of an id; all five are here.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from snacbench.errors import TestSetError
from snacbench.testsets.corpora.corpus import (
    Corpus,
    CorpusFile,
    Download,
    Layout,
    child,
    find_files,
)
from snacbench.textfile import read_table

_LAYOUT = Layout(
    "ESC-50",
    ("ESC-50-master", "ESC-50", "ESC50"),
    "audio/<fold>-<source>-<take>-<class>.wav and meta/esc50.csv",
    "ESC-50-master/audio/1-100032-A-0.wav",
)
# The second number is the recording on freesound.org that the clip was cut from (README).
_NAME = r"(\d-(\d+)-[A-Z]-\d+)\.wav"
_COLUMNS = ("filename", "esc10")
_LICENCE = "CC-BY-NC-3.0"
_LICENCE_ESC10 = "CC-BY-3.0"  # the subset that the column esc10 marks (README, LICENSE)


def _find(root: Path) -> list[CorpusFile]:
    licences_in = cache(_licences)

    def make(path: Path, clip: str, source: str) -> CorpusFile:
        licences = licences_in(child(path.parent.parent, "meta", "esc50.csv"))
        return CorpusFile(
            clip.upper(),
            domain="environment",
            cluster=source,
            licence=licences.get(path.name.lower(), _LICENCE),
            lossy_source=True,
        )

    return find_files(root, _LAYOUT, make, "audio", _NAME)


def _licences(table: Path | None) -> dict[str, str]:
    """Licence of each file; without the table the stricter one holds for all."""
    if table is None:
        return {}
    read = read_table(table, _COLUMNS, noun="table", refuse=TestSetError)
    if missing := set(_COLUMNS) - set(read.columns):
        raise TestSetError(
            f"{table} is not the table of ESC-50 (no column {', '.join(sorted(missing))}); "
            "expected columns filename and esc10; fetch it again"
        )
    return {
        row["filename"].lower(): _LICENCE_ESC10 if row["esc10"] == "True" else _LICENCE
        for _, row in read.rows
    }


CORPUS = Corpus(
    name="esc50",
    title="ESC-50",
    summary="environment, 44.1 kHz, 2.8 h, 50 classes, padded with digital silence",
    find=_find,
    licence=_LICENCE,
    citation="K. J. Piczak, ESC: Dataset for Environmental Sound Classification, "
    "ACM Multimedia 2015",
    where="https://github.com/karolpiczak/ESC-50, one archive of about 600 MB.",
    expected_files=2000,  # README of the repository
    downloads=(
        # An archive that GitHub makes of the branch: its bytes, and so its digest, may change.
        Download("https://github.com/karolpiczak/ESC-50/archive/master.zip"),
    ),
)
