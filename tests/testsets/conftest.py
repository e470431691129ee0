"""Small audio files for test sets on a temporary path, and a corpus made of them."""

import zlib

import numpy as np
import pytest
import soundfile

from tests.support.testsets import settle

RATE_HZ = 8000


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory, monkeypatch):
    """Neither the user's indexes nor settings."""
    folder = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("SNACBENCH_CACHE", str(folder))
    monkeypatch.setenv("SNACBENCH_CONFIG", str(folder / "config.toml"))
    return folder


@pytest.fixture
def record(tmp_path):
    """Write a file below the temporary folder, its content drawn from its name."""

    def write(name, *, seconds=0.05, text=None):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rng = np.random.default_rng(zlib.crc32(name.encode("utf-8", "surrogateescape")))
        samples = rng.uniform(-0.5, 0.5, round(seconds * RATE_HZ))
        with path.open("wb") as stream:
            soundfile.write(stream, samples, RATE_HZ, format=path.suffix.lstrip(".").upper())
        if text is not None:
            path.with_suffix(".txt").write_text(text, "utf-8")
        return path

    return write


@pytest.fixture
def miniature(record, tmp_path):
    """A complete copy of the miniature corpus: two speakers, five files, one of them corrupt."""
    root = tmp_path / "copy"
    names = ("a/one.wav", "a/two.wav", "b/one.wav", "b/two.wav")
    settle(*(record(f"copy/{name}", seconds=0.1) for name in names))
    (root / "b/bad.wav").write_text("never audio")
    return root
