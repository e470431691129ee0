"""GTZAN: thousand excerpts of 30 s in ten genres, at 22.05 kHz.

The excerpts were collected in 2000 and 2001 from CDs, radio and microphone recordings; whether a
single one went through a lossy codec is not known, so `lossy_source` stays None. Some are
repeated or distorted, and several are of the same artist (B. L. Sturm, The GTZAN Dataset, 2013).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from snacbench.testsets.corpora._tree import Layout, child, files_in, folders_in, locate
from snacbench.testsets.corpora.corpus import Corpus, CorpusFile

_GENRES = (
    "blues",
    "classical",
    "country",
    "disco",
    "hiphop",
    "jazz",
    "metal",
    "pop",
    "reggae",
    "rock",
)
_LAYOUT = Layout(
    "GTZAN",
    ("GTZAN", "Data", "genres", "genres_original"),
    "<genre>/<genre>.<n>.wav (or .au) in genres/ or genres_original/",
    "genres_original/blues/blues.00000.wav",
)
_NAME = re.compile(rf"((?:{'|'.join(_GENRES)})\.\d{{5}})\.(?:wav|au)", re.IGNORECASE)


def find(root: Path) -> Iterator[CorpusFile]:
    """Every excerpt of the ten genres.

    Raises
    ------
    TestSetError
        If the root is not GTZAN.
    """
    return iter(locate(root, _LAYOUT, partial(_excerpts, root)))


def _excerpts(root: Path, folder: Path) -> list[CorpusFile] | None:
    places = (folder, child(folder, "genres_original"), child(folder, "genres"))
    paths: dict[str, Path] = {}
    for genre in (g for place in places if place and place.is_dir() for g in _genres(place)):
        for name in files_in(genre, (".wav", ".au")):
            if match := _NAME.fullmatch(name):
                # Copies that hold both formats: the later name, which is the WAV file.
                paths[match[1].lower()] = genre / name
    found = [
        CorpusFile(
            id=excerpt,
            path=path.relative_to(root).as_posix(),
            domain="music",
            cluster=excerpt,
        )
        for excerpt, path in sorted(paths.items())
    ]
    return found or None


def _genres(place: Path) -> Iterator[Path]:
    return (genre for genre in folders_in(place) if genre.name.lower() in _GENRES)


CORPUS = Corpus(
    name="gtzan",
    title="GTZAN Genre Collection",
    summary="music, 22.05 kHz, 8.3 h, ten genres, no licence stated",
    find=find,
    licence="none stated; excerpts of commercial recordings",
    citation="G. Tzanetakis, P. Cook, Musical Genre Classification of Audio Signals, "
    "IEEE Transactions on Speech and Audio Processing 10(5), 2002",
    where="The authors' host is gone (torchaudio notes it since October 2022); copies circulate, "
    "for example marsyas/gtzan on the hub.",
    expected_files=1000,  # the paper: 100 excerpts in each of ten genres
    expected_clusters=1000,
    known_corrupt={
        # Left out in every format, so that all copies give the same set.
        "jazz.00054": "the WAV file that circulates is truncated and cannot be decoded",
    },
)
