"""Small audio files for test sets on a temporary path."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soundfile

RATE_HZ = 8000
Record = Callable[..., Path]


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
