"""Files on a disk as a test set: a folder, a known corpus; whether they are still as indexed."""

import os
from collections import Counter, deque
from dataclasses import replace
from pathlib import Path
from typing import Any

from snacbench.audio.io import AUDIO_SUFFIXES
from snacbench.errors import TestSetError, UserError
from snacbench.plugins import running
from snacbench.progress import Progress
from snacbench.testsets.corpora.corpus import Corpus
from snacbench.testsets.records import AS_USUAL, FileIndex, Reading
from snacbench.testsets.testset import BrokenClip, TestSet, clip_of, counted, make_set, some_of
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


def folder_set(folder: Path, *, domain: Domain = "unknown", reading: Reading = AS_USUAL) -> TestSet:
    """Every audio file below a folder; subfolders named after a domain tell it, else `domain`.

    A transcript is read from a text file of the same name beside the audio. `TestSetError` is
    raised if the folder holds no audio or may not be read.
    """
    root = folder.resolve()
    audio, unreadable, notes = files_below(root)
    stems = Counter(path.with_suffix("") for path in audio)
    names = [path.relative_to(root).as_posix() for path in audio]
    records = FileIndex(root.name, root).read(names, reading)
    transcripts = Transcripts()
    clips = []
    for path in audio:
        relative = path.relative_to(root)
        alone = stems[path.with_suffix("")] == 1
        name = (relative.with_suffix("") if alone else relative).as_posix()
        words = [part.lower() for part in reversed(relative.parts[:-1])]
        told = next((_DOMAIN_WORDS[word] for word in words if word in _DOMAIN_WORDS), domain)
        record, text = records[relative.as_posix()], transcripts.beside(path)
        clips.append(clip_of(f"{root.name}/{name}", path, record, domain=told, transcript=text))
    lines = (*unreadable, *notes)
    origin = f"{folder} ({'; '.join(lines)})" if lines and not clips else str(folder)
    facts: dict[str, Any] = {"missing": unreadable, "notes": (*notes, *transcripts.notes)}
    return make_set(root.name, clips, origin=origin, roots={root.name: root}, **facts)


def files_below(root: Path) -> tuple[list[Path], tuple[str, ...], tuple[str, ...]]:
    """Every audio file below a folder, in the order of paths, but for hidden ones.

    With them come, in sentences, folders that cannot be read, and what was left out. Linked folders
    are followed once.
    """
    audio: list[Path] = []
    others: list[Path] = []
    unreadable: list[str] = []
    twice: list[str] = []
    seen: set[tuple[int, int]] = set()
    waiting = deque([root])
    while waiting:
        folder = waiting.popleft()
        try:
            status = folder.stat()
            if (status.st_dev, status.st_ino) in seen:
                twice.append(folder.relative_to(root).as_posix())
                continue
            seen.add((status.st_dev, status.st_ino))
            for path in sorted(folder / entry.name for entry in os.scandir(folder)):
                if path.name.startswith("."):
                    continue
                if not os.path.isdir(path):  # noqa: PTH112 - False where it may not be asked
                    (audio if path.suffix.lower() in AUDIO_SUFFIXES else others).append(path)
                elif path.is_symlink():  # comes last: a file has the name it has without the link
                    waiting.append(path)
                else:
                    waiting.appendleft(path)
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
    return sorted(audio), tuple(sorted(unreadable)), tuple(notes)


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


def corpus_set(corpus: Corpus, root: Path, *, reading: Reading = AS_USUAL) -> TestSet:
    """Every file of a corpus as a clip, read from disk or remembered from the last time.

    Records are kept unless `reading` says not to. A file that cannot be read is kept as broken; one
    that is broken in every copy is left out, and the notes say so. `TestSetError` is raised if the
    root does not hold the corpus.
    """
    with running("corpora", corpus.name):
        files = list(corpus.find(root))
    index, corrupt = FileIndex(corpus.name, root), corpus.known_corrupt
    wanted = [file for file in files if file.id not in corrupt]
    reading = replace(reading, keep=reading.keep is not False)
    records = index.read([file.path for file in wanted], reading)
    clips = []
    for file in wanted:
        facts = {**vars(file), "licence": file.licence or corpus.licence}
        name, path = facts.pop("id"), facts.pop("path")
        clips.append(clip_of(f"{corpus.name}/{name}", index.root / path, records[path], **facts))
    clusters = {file.cluster for file in files if file.cluster is not None}
    counts = (
        (len(files), corpus.expected_files, "files"),
        (len(clusters), corpus.expected_clusters, "speakers or tracks"),
    )
    missing = (
        f"{corpus.name}: {found} {what}, a complete copy has {expected}"
        for found, expected, what in counts
        if expected is not None and found != expected
    )
    notes = (
        f"{corpus.name}/{file.id} is left out, corrupt in every copy: {corrupt[file.id]}"
        for file in files
        if file.id in corrupt
    )
    told: dict[str, Any] = {"missing": tuple(missing), "notes": tuple(notes)}
    return make_set(corpus.name, clips, origin=str(root), roots={corpus.name: index.root}, **told)


def verify(
    root: Path, corpus: Corpus | None = None, *, progress: Progress | None = None
) -> tuple[int, list[str]]:
    """Hash every file of a folder, or of a corpus there, again and compare with its index.

    Gives how many files were hashed, and what differs, a line each. `TestSetError` is raised if the
    root does not hold the corpus, or there is no index.
    """
    root = root.resolve()
    recorded = FileIndex(corpus.name if corpus else root.name, root).known
    if not recorded:
        what = f"{corpus.name} --root {root}" if corpus else str(root)
        raise TestSetError(
            f"there is no index of {what} to compare with; make one by: snacbench sets index {what}"
        )
    how = Reading(trust=False, keep=False, progress=progress)
    read = corpus_set(corpus, root, reading=how) if corpus else folder_set(root, reading=how)
    found = {clip.path.relative_to(root).as_posix(): clip for clip in read.entries}
    lines = list(read.missing)
    for path in sorted(recorded.keys() | found.keys()):
        clip = found.get(path)
        if clip is None:
            if not (root / path).exists():
                lines.append(f"{path}: is gone")
        elif isinstance(clip, BrokenClip):
            lines.append(f"{path}: {clip.reason}")
        elif path not in recorded:
            lines.append(f"{path}: is new, not in the index")
        elif (was := recorded[path].sha256) != clip.sha256:
            now = clip.sha256
            lines.append(f"{path}: has changed, sha256 was {was[:12]}... and is {now[:12]}...")
    return len(found), lines
