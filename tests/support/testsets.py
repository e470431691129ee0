"""A corpus in miniature, archives, and a progress that remembers."""

import io
import os
import tarfile
import time
from collections.abc import Iterator
from pathlib import Path

from snacbench.progress import Silent, Unit
from snacbench.testsets.corpora.corpus import Corpus, CorpusFile


class Steps(Silent):
    """Progress that remembers."""

    def __init__(self) -> None:
        self.stages: list[tuple[str, int | None]] = []
        self.done = 0

    def begin(self, stage: str, steps: int | None, *, done: int = 0, unit: Unit = "") -> None:
        self.stages.append((stage, steps))

    def step(self, stage: str = "", steps: int = 1, *, failed: int = 0) -> None:
        self.done += steps


def make_tar(path: Path, files: dict[str, bytes], *, mode: str = "w:gz") -> Path:
    with tarfile.open(path, mode) as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def settle(*paths: Path) -> None:
    """Make files a minute old: what was just written is not trusted to stay as it is."""
    then = time.time() - 60
    for path in paths:
        os.utime(path, (then, then))


def find_in(root: Path) -> Iterator[CorpusFile]:
    """``<speaker>/<name>.wav``, each with a transcript."""
    for path in sorted(root.glob("*/*.wav")):
        name, said = path.relative_to(root).as_posix(), f"says {path.stem}"
        place = name.removesuffix(".wav"), name, "speech"
        yield CorpusFile(*place, path.parent.name, transcript=said, lossy_source=False)


MINIATURE = Corpus(
    "miniature", "speech", find_in, licence="CC0-1.0", where="It is made by these tests.",
    expected_files=5, expected_clusters=2, known_corrupt={"b/bad": "was never readable"},
)  # fmt: skip
