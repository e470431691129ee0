"""A folder of audio files as a test set."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

from snacbench.audio.io import AUDIO_SUFFIXES
from snacbench.errors import TestSetError, UserError
from snacbench.testsets.index import some_of
from snacbench.testsets.records import FileIndex, Reading
from snacbench.testsets.testset import TestSet, clip_of, counted, make_set
from snacbench.textfile import read_text
from snacbench.types import DOMAINS, Domain

_DOMAIN_WORDS: dict[str, Domain] = {
    **{domain: domain for domain in DOMAINS},
    "env": "environment",
    "environmental": "environment",
    "sounds": "environment",
    "voice": "speech",
    "songs": "music",
}


def folder_set(
    folder: Path,
    *,
    domain: Domain = "unknown",
    reading: Reading = Reading(),  # noqa: B008 - immutable
) -> TestSet:
    """Every audio file below a folder; subfolders named after a domain tell it.

    A transcript is read from a text file of the same name beside the audio.

    Parameters
    ----------
    folder : Path
    domain : str
        Domain of clips whose folders tell none.
    reading : Reading

    Raises
    ------
    TestSetError
        If the folder holds no audio or may not be read.
    """
    if not os.access(folder, os.R_OK | os.X_OK):
        raise TestSetError(f"{folder} may not be read by this user; check its permissions")
    root = folder.resolve()
    paths = sorted(audio_files(root))
    stems = Counter(path.with_suffix("") for path in paths)
    relative = {path: path.relative_to(root).as_posix() for path in paths}
    index = FileIndex(root.name, root)
    records = index.read(list(relative.values()), reading)
    transcripts = Transcripts()
    clips = [
        clip_of(
            f"{root.name}/{_name(path, root, unique=stems[path.with_suffix('')] == 1)}",
            path,
            records[relative[path]],
            domain=_domain_of(path.relative_to(root), domain),
            transcript=transcripts.beside(path),
        )
        for path in paths
    ]
    found = make_set(root.name, clips, origin=str(folder), roots={root.name: root})
    return replace(found, notes=(*transcripts.notes(), *index.notes()))


def audio_files(root: Path) -> Iterator[Path]:
    """Every audio file below a folder, hidden ones excepted, in no fixed order."""
    for path in root.rglob("*"):
        hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
        if path.suffix.lower() in AUDIO_SUFFIXES and not hidden and not path.is_dir():
            yield path


def _name(path: Path, root: Path, *, unique: bool) -> str:
    relative = path.relative_to(root)
    return (relative.with_suffix("") if unique else relative).as_posix()


def _domain_of(relative: Path, otherwise: Domain) -> Domain:
    for part in reversed(relative.parts[:-1]):
        if part.lower() in _DOMAIN_WORDS:
            return _DOMAIN_WORDS[part.lower()]
    return otherwise


@dataclass
class Transcripts:
    """Texts beside audio files, and which of them could not be read as they should."""

    _strange: list[str] = field(default_factory=list)
    _unread: list[str] = field(default_factory=list)

    def beside(self, path: Path) -> str | None:
        """Text of ``NAME.txt`` beside ``NAME.wav``, if there is such a file."""
        file = path.with_suffix(".txt")
        if not file.is_file():
            return None
        try:
            read = read_text(file, noun="transcript")
        except UserError as error:
            self._unread.append(str(error))
            return None
        if read.note:
            self._strange.append(file.name)
        return read.text.strip() or None

    def notes(self) -> tuple[str, ...]:
        """What to know of the texts, in sentences without a stop."""
        notes = []
        if self._strange:
            are = counted(len(self._strange), "transcript")
            notes.append(f"{are} not UTF-8, read as Windows-1252: {some_of(self._strange)}")
        if self._unread:
            are = counted(len(self._unread), "transcript")
            notes.append(f"{are} left out: {some_of(self._unread)}")
        return tuple(notes)
