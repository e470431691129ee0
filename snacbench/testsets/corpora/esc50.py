"""ESC-50: two thousand environmental sounds of five seconds.

Clips shorter than five seconds are padded with digital silence, which a codec codes for nothing;
and the WAV files were made of the corpus' first release, which was Ogg Vorbis: the source is
lossy although the files are not. The fold is the first number of an id; all five are here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from snacbench.errors import TestSetError
from snacbench.testsets.corpora._tree import Layout, child, files_in, locate
from snacbench.testsets.corpora.corpus import Corpus, CorpusFile, Download
from snacbench.textfile import read_table

_LAYOUT = Layout(
    "ESC-50",
    ("ESC-50-master", "ESC-50", "ESC50"),
    "audio/<fold>-<source>-<take>-<class>.wav and meta/esc50.csv",
    "ESC-50-master/audio/1-100032-A-0.wav",
)
# The second number is the recording on freesound.org that the clip was cut from (README).
_NAME = re.compile(r"(\d-(\d+)-([A-Z])-\d+)\.wav", re.IGNORECASE)
_COLUMNS = ("filename", "esc10")
_LICENCE = "CC-BY-NC-3.0"
_LICENCE_ESC10 = "CC-BY-3.0"  # the subset that the column esc10 marks (README, LICENSE)


def find(root: Path) -> Iterator[CorpusFile]:
    """Every clip, clustered by the recording that it was cut from.

    Raises
    ------
    TestSetError
        If the root is not ESC-50, or its table cannot be read.
    """
    return iter(locate(root, _LAYOUT, partial(_clips, root)))


def _clips(root: Path, folder: Path) -> list[CorpusFile] | None:
    audio = child(folder, "audio")
    if audio is None or not audio.is_dir():
        return None
    matches = [
        (name, match) for name in files_in(audio, (".wav",)) if (match := _NAME.fullmatch(name))
    ]
    if not matches:
        return None
    licences = _licences(child(folder, "meta", "esc50.csv"))
    found = [
        CorpusFile(
            id=match[1].upper(),
            path=(audio / name).relative_to(root).as_posix(),
            domain="environment",
            cluster=match[2],
            licence=licences.get(name.lower(), _LICENCE),
            lossy_source=True,
        )
        for name, match in matches
    ]
    return sorted(found, key=lambda file: file.id)


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
    find=find,
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
