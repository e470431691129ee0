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
    """Every audio file below a folder; subfolders named after a domain tell it, else `domain`.

    A transcript is read from a text file of the same name beside the audio. `TestSetError` is
    raised if the folder holds no audio or may not be read.
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
        self._unread: list[str] = []

    def beside(self, path: Path) -> str | None:
        """Text of ``NAME.txt`` beside ``NAME.wav``, if there is such a file."""
        file = path.with_suffix(".txt")
        if not os.path.isfile(file):  # noqa: PTH113 - False for what is too long to be a name
            return None
        try:
            read = read_text(file, noun="transcript")
        except UserError as error:
            self._unread.append(str(error))
            return None
        if read.note:
            self._strange.append(file.name)
        return read.text.strip() or None

    @property
    def notes(self) -> tuple[str, ...]:
        """What to know of the texts, in sentences without a stop."""
        kinds = (("not UTF-8, read as Windows-1252", self._strange), ("left out", self._unread))
        return tuple(
            f"{counted(len(names), 'transcript')} {what}: {some_of(names)}"
            for what, names in kinds
            if names
        )


def corpus_set(
    corpus: Corpus,
    root: Path,
    *,
    reading: Reading = Reading(),  # noqa: B008 - immutable
    forget: bool = False,
) -> TestSet:
    """Every file of a corpus as a clip, read from disk or remembered from the last time.

    Records are kept, whatever `reading` says. A file that cannot be read is kept as broken; one
    that is broken in every copy is left out, and the notes say so. Files that are gone from the
    disk are reported each time, unless the index is told to `forget` them. `TestSetError` is raised
    if the root does not hold the corpus.
    """
    with running("corpora", corpus.name):
        files = list(corpus.find(root))
    index = FileIndex(corpus.name, root)
    vanished = index.known.keys() - {file.path for file in files}
    gone = sorted(path for path in vanished if not (index.root / path).exists())
    corrupt = corpus.known_corrupt
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
        )
        for file in wanted
    ]
    found = make_set(corpus.name, clips, origin=str(root), roots={corpus.name: index.root})
    missing = _missing_of(corpus, files)
    if gone:
        count = counted(len(gone), "file")
        missing.append(f"{corpus.name}: {count} gone since the last indexing: {some_of(gone)}")
    if forget:
        index.forget(gone)
    notes = [
        f"{corpus.name}/{file.id} is left out, corrupt in every copy: {corrupt[file.id]}"
        for file in files
        if file.id in corrupt
    ]
    return replace(found, missing=tuple(missing), notes=(*notes, *index.notes))


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


@dataclass(frozen=True)
class Verified:
    """How many files were hashed, and what differs, a line each."""

    files: int
    differences: tuple[str, ...]


def verify_corpus(corpus: Corpus, root: Path, *, progress: Progress | None = None) -> Verified:
    """Hash every file of a corpus again and compare with its index, and count.

    `TestSetError` is raised if the root does not hold the corpus, or there is no index of it.
    """
    with running("corpora", corpus.name):
        files = list(corpus.find(root))
    paths = [file.path for file in files if file.id not in corpus.known_corrupt]
    index = FileIndex(corpus.name, root)
    verified = _verify(index, paths, f"{corpus.name} --root {root}", progress)
    return replace(verified, differences=(*verified.differences, *_missing_of(corpus, files)))


def verify_folder(folder: Path, *, progress: Progress | None = None) -> Verified:
    """Hash every audio file of a folder again and compare with its index, as `verify_corpus`."""
    index = FileIndex(folder.resolve().name, folder)
    paths = [path.relative_to(index.root).as_posix() for path in files_below(index.root).audio]
    return _verify(index, paths, str(folder), progress)


def verified_manifest(test_set: TestSet) -> Verified:
    """What differs in a manifest that was opened without trust: each file that is not as listed."""
    lines = tuple(f"{clip.id}: {clip.reason}" for clip in test_set.broken)
    return Verified(len({clip.path for clip in test_set.entries}), lines)


def _verify(
    index: FileIndex, paths: Sequence[str], what: str, progress: Progress | None
) -> Verified:
    recorded = dict(index.known)
    if not recorded:
        raise TestSetError(
            f"there is no index of {what} to compare with; make one by: snacbench sets index {what}"
        )
    gone = sorted(path for path in recorded.keys() - set(paths) if not (index.root / path).exists())
    lines = [f"{path}: is gone" for path in gone]
    found = index.read(paths, Reading(trust=False, keep=False, progress=progress))
    for path, record in sorted(found.items()):
        if record.problem:
            lines.append(f"{path}: {record.problem}")
        elif path not in recorded:
            lines.append(f"{path}: is new, not in the index")
        elif (was := recorded[path].sha256) != record.sha256:
            is_now = f"sha256 was {was[:12]}... and is {record.sha256[:12]}..."
            lines.append(f"{path}: has changed, {is_now}")
    return Verified(len(found), tuple(lines))
