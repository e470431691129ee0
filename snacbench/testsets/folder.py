"""A folder of audio files as a test set."""

from __future__ import annotations

import os
from collections import Counter
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
    # A file of a kind that was always read keeps its id when one of another kind lies beside it.
    stems = Counter(path.with_suffix("") for path in found.audio)
    common = Counter(p.with_suffix("") for p in found.audio if p.suffix.lower() in _COMMON)
    index = FileIndex(root.name, root)
    records = index.read([path.relative_to(root).as_posix() for path in found.audio], reading)
    transcripts = Transcripts()
    clips = []
    for path in found.audio:
        relative = path.relative_to(root)
        alike = (common if path.suffix.lower() in _COMMON else stems)[path.with_suffix("")]
        name = (relative.with_suffix("") if alike == 1 else relative).as_posix()
        words = [part.lower() for part in reversed(relative.parts[:-1])]
        clips.append(
            clip_of(
                f"{root.name}/{name}",
                path,
                records[relative.as_posix()],
                domain=next((_DOMAIN_WORDS[w] for w in words if w in _DOMAIN_WORDS), domain),
                transcript=transcripts.beside(path),
            )
        )
    lines = (*found.unreadable, *found.notes)
    origin = f"{folder} ({'; '.join(lines)})" if lines and not clips else str(folder)
    test_set = make_set(root.name, clips, origin=origin, roots={root.name: root})
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
    notes = []
    if left_out := sorted(p.relative_to(root).as_posix() for p in others if p not in spoken):
        kinds = Counter(Path(name).suffix.lower() or "without suffix" for name in left_out)
        counts = some_of([f"{count} {kind}" for kind, count in kinds.most_common()])
        files = counted(len(left_out), "file")
        notes.append(f"{files} left out, not read as audio: {counts} ({left_out[0]})")
    if twice:
        notes.append(f"linked folders whose files are in the set already: {some_of(twice)}")
    return FoundFiles(tuple(sorted(audio)), tuple(sorted(unreadable)), tuple(notes))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder; a link that leads around in a circle is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


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
        kinds = (("not UTF-8, read as Windows-1252", self._strange), ("left out", self._unread))
        return tuple(
            f"{counted(len(names), 'transcript')} {what}: {some_of(names)}"
            for what, names in kinds
            if names
        )
