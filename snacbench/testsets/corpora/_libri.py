"""What LibriSpeech and LibriTTS share: ``<part>/<speaker>/<chapter>/<utterance>``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from snacbench.testsets.corpora._tree import child, folders_in, is_called
from snacbench.testsets.corpora.corpus import CorpusFile

# Both are cut from the MP3 files of LibriVox: catalogue of TensorFlow Datasets, libritts.
LOSSY_SOURCE = True

Chapter = Callable[[Path], Iterator[tuple[str, str, str | None]]]


def utterances(root: Path, folder: Path, part: str, chapter: Chapter) -> list[CorpusFile] | None:
    """Every utterance of a part below a folder, or None if there is none.

    Parameters
    ----------
    root : Path
        What paths are relative to.
    folder : Path
        The part itself (``test-clean``), or the folder that holds it.
    part : str
    chapter : callable
        Yields id, file name and transcript of the utterances in the folder of one chapter.
    """
    place = folder if is_called(folder, (part,)) else child(folder, part)
    if place is None or not place.is_dir():
        return None
    found = [
        CorpusFile(
            id=utterance,
            path=(where / name).relative_to(root).as_posix(),
            domain="speech",
            cluster=speaker.name,
            transcript=transcript,
            lossy_source=LOSSY_SOURCE,
        )
        for speaker in _numbered(place)
        for where in _numbered(speaker)
        for utterance, name, transcript in chapter(where)
    ]
    return sorted(found, key=lambda file: file.id) or None


def _numbered(folder: Path) -> list[Path]:
    """Speakers and chapters have numbers for names."""
    return [each for each in folders_in(folder) if each.name.isdigit()]
