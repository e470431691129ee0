"""A known corpus below a root as a test set: every file found, read, and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from snacbench.testsets.corpora.corpus import Corpus, CorpusFile
from snacbench.testsets.records import FileIndex, FileRecord, Reading
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
    wanted = [file for file in files if file.id not in corpus.known_corrupt]
    index = FileIndex(corpus.name, root)
    gone = _gone(index, files)
    records = index.read([file.path for file in wanted], replace(reading, keep=True))
    test_set = make_set(
        corpus.name,
        (_clip(corpus, index.root, file, records[file.path]) for file in wanted),
        origin=str(root),
        roots={corpus.name: index.root},
    )
    if forget:
        index.forget(gone)
    return replace(
        test_set,
        missing=(*missing_of(corpus, files), *_gone_since(corpus, gone)),
        notes=tuple(_notes(corpus, files, index)),
    )


def _clip(corpus: Corpus, root: Path, file: CorpusFile, record: FileRecord) -> Clip | BrokenClip:
    return clip_of(
        f"{corpus.name}/{file.id}",
        root / file.path,
        record,
        domain=file.domain,
        cluster=file.cluster,
        transcript=file.transcript,
        licence=file.licence or corpus.licence,
        lossy_source=file.lossy_source,
    )


def _gone(index: FileIndex, files: Sequence[CorpusFile]) -> list[str]:
    """Files that the index knows and that are no longer on the disk."""
    vanished = index.known.keys() - {file.path for file in files}
    return sorted(path for path in vanished if not (index.root / path).exists())


def missing_of(corpus: Corpus, files: Sequence[CorpusFile]) -> list[str]:
    """What a complete copy holds and these files lack, or have too much, a sentence each."""
    found = len(files)
    clusters = len({file.cluster for file in files if file.cluster is not None})
    lines = []
    if corpus.expected_files is not None and found != corpus.expected_files:
        lines.append(f"{corpus.name}: {found} files, a complete copy has {corpus.expected_files}")
    if corpus.expected_clusters is not None and clusters != corpus.expected_clusters:
        lines.append(
            f"{corpus.name}: {clusters} speakers or tracks, a complete copy has "
            f"{corpus.expected_clusters}"
        )
    return lines


def _gone_since(corpus: Corpus, gone: Sequence[str]) -> list[str]:
    if not gone:
        return []
    files = counted(len(gone), "file")
    return [f"{corpus.name}: {files} gone since the last indexing: {some_of(gone)}"]


def _notes(corpus: Corpus, files: Sequence[CorpusFile], index: FileIndex) -> list[str]:
    corrupt = [file.id for file in files if file.id in corpus.known_corrupt]
    lines = [
        f"{corpus.name}/{file_id} is left out, corrupt in every copy: "
        f"{corpus.known_corrupt[file_id]}"
        for file_id in corrupt
    ]
    lines += index.notes()
    return lines


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
    whole = make_set(
        name,
        clips,
        origin=name,
        roots={key: root for part in parts for key, root in part.roots.items()},
    )
    return replace(
        whole,
        missing=tuple(line for part in parts for line in part.missing),
        notes=tuple(line for part in parts for line in part.notes),
    )
