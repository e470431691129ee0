"""A folder of audio files as a test set."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from snacbench.audio.io import AUDIO_SUFFIXES
from snacbench.errors import TestSetError, UserError
from snacbench.testsets.records import FileIndex, Reading
from snacbench.testsets.testset import TestSet, clip_of, counted, make_set, some_of
from snacbench.textfile import read_text
from snacbench.types import DOMAINS, Domain

_COMMON = frozenset({".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff"})
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
    found = files_below(root)
    paths = found.audio
    # A file of a kind that was always read keeps its id when one of another kind lies beside it.
    stems = Counter(path.with_suffix("") for path in paths)
    common = Counter(path.with_suffix("") for path in paths if path.suffix.lower() in _COMMON)
    relative = {path: path.relative_to(root).as_posix() for path in paths}
    index = FileIndex(root.name, root)
    records = index.read(list(relative.values()), reading)
    transcripts = Transcripts()
    clips = [
        clip_of(
            f"{root.name}/{_name(path, root, common if path.suffix.lower() in _COMMON else stems)}",
            path,
            records[relative[path]],
            domain=_domain_of(path.relative_to(root), domain),
            transcript=transcripts.beside(path),
        )
        for path in paths
    ]
    test_set = make_set(root.name, clips, origin=_origin(folder, found), roots={root.name: root})
    notes = (*found.notes, *transcripts.notes(), *index.notes())
    return replace(test_set, missing=found.unreadable, notes=notes)


@dataclass(frozen=True)
class FoundFiles:
    """What lies below a folder: audio in the order of paths; what was left out, in sentences."""

    audio: tuple[Path, ...]
    unreadable: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def files_below(root: Path) -> FoundFiles:
    """Every audio file below a folder, hidden ones excepted; linked folders are followed once."""
    audio: list[Path] = []
    others: list[Path] = []
    unreadable: list[str] = []
    twice: list[str] = []
    seen: set[tuple[int, int]] = set()
    # Linked folders come after all others: a file keeps the name that it has without the link.
    waiting, linked = [root], list[Path]()
    while waiting or linked:
        folder = waiting.pop() if waiting else linked.pop(0)
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                twice.append(folder.relative_to(root).as_posix())
                continue
            seen.add((status.st_dev, status.st_ino))
            with os.scandir(folder) as entries:
                for entry in sorted(entries, key=lambda entry: entry.name):
                    path = folder / entry.name
                    if entry.name.startswith("."):
                        continue
                    if _is_folder(entry):
                        (linked if entry.is_symlink() else waiting).append(path)
                    else:
                        (audio if path.suffix.lower() in AUDIO_SUFFIXES else others).append(path)
        except OSError as error:
            unreadable.append(f"{folder} cannot be read ({error.strerror or error})")
    spoken = {path.with_suffix(".txt") for path in audio}
    notes = _left_out([path for path in others if path not in spoken], root)
    if twice:
        notes += (f"linked folders whose files are in the set already: {some_of(twice)}",)
    return FoundFiles(tuple(sorted(audio)), tuple(sorted(unreadable)), notes)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder; a link that leads around in a circle is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _left_out(others: Sequence[Path], root: Path) -> tuple[str, ...]:
    """How many files are of no kind that is read, kind by kind."""
    if not others:
        return ()
    kinds = Counter(path.suffix.lower() or "without suffix" for path in others)
    counts = some_of([f"{count} {kind}" for kind, count in kinds.most_common()])
    example = sorted(path.relative_to(root).as_posix() for path in others)[0]
    return (f"{counted(len(others), 'file')} left out, not read as audio: {counts} ({example})",)


def _origin(folder: Path, found: FoundFiles) -> str:
    lines = (*found.unreadable, *found.notes)
    return f"{folder} ({'; '.join(lines)})" if lines and not found.audio else str(folder)


def _name(path: Path, root: Path, stems: Mapping[Path, int]) -> str:
    relative = path.relative_to(root)
    return (relative.with_suffix("") if stems[path.with_suffix("")] == 1 else relative).as_posix()


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
