"""A known corpus below a root as a test set; and whether files are still those of its index."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from snacbench.errors import TestSetError
from snacbench.testsets.corpora.corpus import Corpus, CorpusFile
from snacbench.testsets.folder import files_below
from snacbench.testsets.records import FileIndex, Progress, Reading
from snacbench.testsets.testset import BrokenClip, TestSet, clip_of, counted, make_set, some_of
from snacbench.types import Clip


def corpus_set(
    corpus: Corpus,
    root: Path,
    *,
    reading: Reading = Reading(),  # noqa: B008 - immutable
    forget: bool = False,
) -> TestSet:
    """Every file of a corpus as a clip, read from disk or remembered from the last time.

    Files whose size and time are those of the index are not read again. A file that cannot be
    read is kept as broken; one that is broken in every copy is left out, and the notes say so.

    Parameters
    ----------
    corpus : Corpus
    root : Path
    reading : Reading
        Records are kept, whatever it says.
    forget : bool
        Whether files of the index that are gone from the disk are dropped from it; else they
        are reported each time.

    Raises
    ------
    TestSetError
        If the root does not hold the corpus.
    """
    files = list(corpus.find(root))
    index = FileIndex(corpus.name, root)
    vanished = index.known.keys() - {file.path for file in files}
    gone = sorted(path for path in vanished if not (index.root / path).exists())
    wanted = [file for file in files if file.id not in corpus.known_corrupt]
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
        f"{corpus.name}/{file.id} is left out, corrupt in every copy: "
        f"{corpus.known_corrupt[file.id]}"
        for file in files
        if file.id in corpus.known_corrupt
    ]
    return replace(found, missing=tuple(missing), notes=(*notes, *index.notes()))


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


def joined(name: str, parts: Sequence[TestSet]) -> TestSet:
    """Several corpora as one set; each clip keeps the id it has in its own corpus.

    Raises
    ------
    TestSetError
        If two clips have the same id.
    """
    clips: list[Clip | BrokenClip] = []
    for part in parts:
        clips += part.clips
        clips += part.broken
    roots = {key: root for part in parts for key, root in part.roots.items()}
    return replace(
        make_set(name, clips, origin=name, roots=roots),
        missing=tuple(line for part in parts for line in part.missing),
        notes=tuple(line for part in parts for line in part.notes),
    )


@dataclass(frozen=True)
class Verified:
    """How many files were hashed, and what differs, a line each."""

    files: int
    differences: tuple[str, ...]


def verify_corpus(corpus: Corpus, root: Path, *, progress: Progress | None = None) -> Verified:
    """Hash every file of a corpus again and compare with its index, and count.

    Raises
    ------
    TestSetError
        If the root does not hold the corpus, or there is no index of it.
    """
    files = list(corpus.find(root))
    paths = [file.path for file in files if file.id not in corpus.known_corrupt]
    index = FileIndex(corpus.name, root)
    verified = _verify(index, paths, f"{corpus.name} --root {root}", progress)
    return replace(verified, differences=(*verified.differences, *_missing_of(corpus, files)))


def verify_folder(folder: Path, *, progress: Progress | None = None) -> Verified:
    """Hash every audio file of a folder again and compare with its index.

    Raises
    ------
    TestSetError
        If there is no index of the folder.
    """
    index = FileIndex(folder.resolve().name, folder)
    paths = [path.relative_to(index.root).as_posix() for path in files_below(index.root).audio]
    return _verify(index, paths, str(folder), progress)


def verified_manifest(test_set: TestSet) -> Verified:
    """What differs in a manifest that was opened without trust: each file that is not as listed."""
    lines = tuple(f"{clip.id}: {clip.reason}" for clip in test_set.broken)
    files = {c.path for c in test_set.clips} | {c.path for c in test_set.broken}
    return Verified(len(files), lines)


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
        elif recorded[path].sha256 != record.sha256:
            lines.append(
                f"{path}: has changed, sha256 was {recorded[path].sha256[:12]}... and is "
                f"{record.sha256[:12]}..."
            )
    return Verified(len(found), tuple(lines))
