"""Small audio files for test sets on a temporary path, and a corpus made of them."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import soundfile

from snacbench.testsets.corpora.corpus import Corpus, CorpusFile

RATE_HZ = 8000
Record = Callable[..., Path]


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Neither the user's indexes nor settings."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SNACBENCH_CACHE", str(folder))
    monkeypatch.setenv("SNACBENCH_CONFIG", str(folder / "config.toml"))
    return folder


@pytest.fixture
def record(tmp_path: Path) -> Record:
    """Write a file below the temporary folder, its content drawn from its name."""

    def write(name: str, *, seconds: float = 0.05, text: str | None = None) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(zlib.crc32(name.encode("utf-8", "surrogateescape")))
        samples = rng.uniform(-0.5, 0.5, round(seconds * RATE_HZ))
        with path.open("wb") as stream:
            suffix = path.suffix.lstrip(".").upper()
            soundfile.write(stream, samples, RATE_HZ, format=suffix)
        if text is not None:
            path.with_suffix(".txt").write_text(text, "utf-8")
        return path

    return write


def settle(*paths: Path) -> None:
    """Make files a minute old: what was just written is not trusted to stay as it is."""
    then = time.time() - 60
    for path in paths:
        os.utime(path, (then, then))


def find_in(root: Path) -> Iterator[CorpusFile]:
    """``<speaker>/<name>.wav``, each with a transcript."""
    for path in sorted(root.glob("*/*.wav")):
        name = path.relative_to(root).as_posix()
        yield CorpusFile(
            name.removesuffix(".wav"),
            name,
            "speech",
            cluster=path.parent.name,
            transcript=f"says {path.stem}",
            lossy_source=False,
        )


MINIATURE = Corpus(
    name="miniature",
    title="Miniature",
    summary="speech",
    find=find_in,
    licence="CC0-1.0",
    citation="none",
    where="It is made by these tests.",
    expected_files=5,
    expected_clusters=2,
    known_corrupt={"b/bad": "was never readable"},
)


@pytest.fixture
def miniature(record: Record, tmp_path: Path) -> Path:
    """A complete copy of the miniature corpus: two speakers, five files, one of them corrupt."""
    root = tmp_path / "copy"
    names = ("a/one.wav", "a/two.wav", "b/one.wav", "b/two.wav")
    settle(*(record(f"copy/{name}", seconds=0.1) for name in names))
    (root / "b/bad.wav").write_text("never audio")
    return root
