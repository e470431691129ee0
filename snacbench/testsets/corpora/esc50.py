"""ESC-50: two thousand environmental sounds of five seconds.

Clips shorter than five seconds are padded with digital silence, which a codec codes for nothing;
and the WAV files were made of the corpus' first release, which was Ogg Vorbis: the source is
lossy although the files are not. The fold is the first number of an id; all five are here.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

from snacbench.testsets.corpora.corpus import (
    Corpus,
    CorpusFile,
    Download,
    Layout,
    child,
    columns_of,
)

_LAYOUT = Layout(
    "ESC-50",
    ("ESC-50-master", "ESC-50", "ESC50"),
    "audio/<fold>-<source>-<take>-<class>.wav and meta/esc50.csv",
    "ESC-50-master/audio/1-100032-A-0.wav",
    # The second number is the recording on freesound.org that the clip was cut from (README).
    levels=("audio", r"(\d-(\d+)-[A-Z]-\d+)\.wav"),
)
_LICENCE = "CC-BY-NC-3.0"
_LICENCE_ESC10 = "CC-BY-3.0"  # the subset that the column esc10 marks (README, LICENSE)


def _find(root: Path) -> list[CorpusFile]:
    @cache
    def of_esc10(table: Path | None) -> set[str]:
        """Without the table the stricter licence holds for all."""
        rows = columns_of(table, "filename", "esc10", title="ESC-50") if table else ()
        return {name.lower() for name, esc10 in rows if esc10 == "True"}

    def make(path: Path, clip: str, source: str) -> CorpusFile:
        freer = of_esc10(child(path.parent.parent, "meta", "esc50.csv"))
        return CorpusFile(
            clip.upper(),
            domain="environment",
            cluster=source,
            licence=_LICENCE_ESC10 if path.name.lower() in freer else _LICENCE,
            lossy_source=True,
        )

    return _LAYOUT.find(root, make)


CORPORA = (
    Corpus(
        name="esc50",
        summary="environment, 44.1 kHz, 2.8 h, 50 classes, padded with digital silence",
        find=_find,
        licence=_LICENCE,
        where="https://github.com/karolpiczak/ESC-50, one archive of about 600 MB.",
        expected_files=2000,  # README of the repository
        downloads=(
            # An archive that GitHub makes of the branch: its bytes, and so its digest, may change.
            Download("https://github.com/karolpiczak/ESC-50/archive/master.zip"),
        ),
    ),
)
