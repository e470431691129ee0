"""Files on a disk as a test set: a folder, a known corpus; whether they are still as indexed."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from snacbench.audio.io import AUDIO_SUFFIXES
from snacbench.errors import TestSetError, UserError
from snacbench.plugins import running
from snacbench.progress import Progress
from snacbench.testsets.corpora.corpus import Corpus, CorpusFile
from snacbench.testsets.records import FileIndex, Reading
from snacbench.testsets.testset import TestSet, clip_of, counted, make_set, some_of
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
    """Every audio file below a folder; subfolders named after a domain tell it, else `domain`.

    A transcript is read from a text file of the same name beside the audio. `TestSetError` is
    raised if the folder holds no audio or may not be read.
    """
    if not os.access(folder, os.R_OK | os.X_OK):
        raise TestSetError(f"{folder} may not be read by this user; check its permissions")
    root = folder.resolve()
    found = files_below(root)
    stems = Counter(path.with_suffix("") for path in found.audio)
    index = FileIndex(root.name, root)
    records = index.read([path.relative_to(root).as_posix() for path in found.audio], reading)
    transcripts = Transcripts()
    clips = []
    for path in found.audio:
        relative = path.relative_to(root)
        alone = stems[path.with_suffix("")] == 1
        name = (relative.with_suffix("") if alone else relative).as_posix()
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
    notes = (*found.notes, *transcripts.notes, *index.notes)
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
            for path in sorted(folder / entry.name for entry in os.scandir(folder)):
                if path.name.startswith("."):
                    continue
                if os.path.isdir(path):  # noqa: PTH112 - False where it may not be asked
                    (linked if path.is_symlink() else waiting).append(path)
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


class Transcripts:
    """Texts beside audio files, and which of them could not be read as they should."""

    def __init__(self) -> None:
        self._strange: list[str] = []

    def beside(self, path: Path) -> str | None:
        """Text of ``NAME.txt`` beside ``NAME.wav``, if there is such a file."""
        file = path.with_suffix(".txt")
        if not os.path.isfile(file):  # noqa: PTH113 - False for what is too long to be a name
            return None
        try:
            read = read_text(file, noun="transcript")
        except UserError as error:
            self._strange.insert(0, f"left out, {error}")
            return None
        self._strange += [read.note] if read.note else []
        return read.text.strip() or None

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know of the texts, as a sentence without a stop; none if all are UTF-8."""
        count = counted(len(self._strange), "transcript")
        return tuple(f"{count} not UTF-8, for example: {text}" for text in self._strange[:1])


def corpus_set(
    corpus: Corpus,
    root: Path,
    *,
    reading: Reading = Reading(),  # noqa: B008 - immutable
) -> TestSet:
    """Every file of a corpus as a clip, read from disk or remembered from the last time.

    Records are kept, whatever `reading` says. A file that cannot be read is kept as broken; one
    that is broken in every copy is left out, and the notes say so. `TestSetError` is raised if the
    root does not hold the corpus.
    """
    with running("corpora", corpus.name):
        files = list(corpus.find(root))
    index, corrupt = FileIndex(corpus.name, root), corpus.known_corrupt
    wanted = [file for file in files if file.id not in corrupt]
    records = index.read([file.path for file in wanted], replace(reading, keep=True))
    clips = [
        clip_of(
            f"{corpus.name}/{file.id}",
            index.root / file.path,
            records[file.path],
            domain=file.domain,
            cluster=file.cluster,
            transcript=file.transcript,
            licence=file.licence or corpus.licence,
            lossy_source=file.lossy_source,
            language=file.language,
            speaker=file.speaker,
            gender=file.gender,
        )
        for file in wanted
    ]
    found = make_set(corpus.name, clips, origin=str(root), roots={corpus.name: index.root})
    notes = [
        f"{corpus.name}/{file.id} is left out, corrupt in every copy: {corrupt[file.id]}"
        for file in files
        if file.id in corrupt
    ]
    missing = tuple(_missing_of(corpus, files))
    return replace(found, missing=missing, notes=(*notes, *index.notes))


def _missing_of(corpus: Corpus, files: Sequence[CorpusFile]) -> list[str]:
    """What a complete copy holds and these files lack, or have too much, a sentence each."""
    clusters = {file.cluster for file in files if file.cluster is not None}
    counts = (
        (len(files), corpus.expected_files, "files"),
        (len(clusters), corpus.expected_clusters, "speakers or tracks"),
    )
    return [
        f"{corpus.name}: {found} {what}, a complete copy has {expected}"
        for found, expected, what in counts
        if expected is not None and found != expected
    ]


def verify(
    root: Path, corpus: Corpus | None = None, *, progress: Progress | None = None
) -> tuple[int, list[str]]:
    """Hash every file of a folder, or of a corpus there, again and compare with its index.

    Gives how many files were hashed, and what differs, a line each. `TestSetError` is raised if the
    root does not hold the corpus, or there is no index.
    """
    lines: list[str] = []
    if corpus:
        with running("corpora", corpus.name):
            files = list(corpus.find(root))
        index, what = FileIndex(corpus.name, root), f"{corpus.name} --root {root}"
        paths = [file.path for file in files if file.id not in corpus.known_corrupt]
        lines = _missing_of(corpus, files)
    else:
        index, what = FileIndex(root.resolve().name, root), str(root)
        paths = [path.relative_to(index.root).as_posix() for path in files_below(index.root).audio]
    recorded = dict(index.known)
    if not recorded:
        raise TestSetError(
            f"there is no index of {what} to compare with; make one by: snacbench sets index {what}"
        )
    found = index.read(paths, Reading(trust=False, keep=False, progress=progress))
    for path in sorted(recorded.keys() | found.keys()):
        if path not in found:
            if not (index.root / path).exists():
                lines.append(f"{path}: is gone")
        elif problem := found[path].problem:
            lines.append(f"{path}: {problem}")
        elif path not in recorded:
            lines.append(f"{path}: is new, not in the index")
        elif (was := recorded[path].sha256) != (now := found[path].sha256):
            lines.append(f"{path}: has changed, sha256 was {was[:12]}... and is {now[:12]}...")
    return len(found), lines
