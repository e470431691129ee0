"""Whether the files on this disk are still those that an index or a manifest recorded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from snacbench.errors import TestSetError
from snacbench.testsets.corpora.corpus import Corpus
from snacbench.testsets.folder import files_below
from snacbench.testsets.index import missing_of
from snacbench.testsets.records import FileIndex, Progress, Reading
from snacbench.testsets.testset import TestSet


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
    return Verified(verified.files, (*verified.differences, *missing_of(corpus, files)))


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
