"""What is in a container comes out of it, or the file is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from snacbench.audio.io import NOT_STATED, probe, read
from snacbench.errors import AudioError
from tests.containers import Case, corpus

# Coders that work in blocks or have a priming: what may lie before and after the second itself.
_MOST_PADDING_S = 0.08
_HALF = {name: case for name, case in corpus().items() if not case.refused}
del _HALF["paf-pcm_24-file"]  # states no length, but is coded in blocks, of which the last is cut


def placed(case: Case, tmp_path: Path, *, half: bool = False) -> Path:
    path = tmp_path / "a.bin"
    path.write_bytes(case.half if half else case.data)
    return path


@pytest.mark.parametrize("name", corpus())
def test_a_whole_file_gives_its_samples_or_is_refused(name: str, tmp_path: Path) -> None:
    case = corpus()[name]
    path = placed(case, tmp_path)
    if case.refused:
        with pytest.raises(AudioError, match=case.refused):
            probe(path)
        return
    header, audio = probe(path), read(path)
    assert (header.rate_hz, header.channels) == (audio.rate_hz, 1)
    assert header.num_samples == audio.num_samples
    assert header.note == ("" if case.states else NOT_STATED)
    assert audio.rate_hz == pytest.approx(case.rate_hz, rel=0.02)
    extra = audio.num_samples - len(case.samples)
    parts = len(case.samples) // case.rate_hz
    assert (-1 if case.tolerance is None else 0) <= extra <= parts * _MOST_PADDING_S * case.rate_hz
    if case.tolerance is not None:
        assert extra <= 10
        error = np.abs(audio.samples[0, : len(case.samples)] - case.samples).max()
        assert error <= case.tolerance


@pytest.mark.parametrize("name", _HALF)
def test_half_a_file_is_refused_where_a_length_is_stated(name: str, tmp_path: Path) -> None:
    case = _HALF[name]
    path = placed(case, tmp_path, half=True)
    if not case.states:
        assert probe(path).note == NOT_STATED
        assert 0.2 < read(path).num_samples / len(case.samples) < 0.6
        return
    with pytest.raises(AudioError, match=r"truncated|damaged|is not audio"):
        read(path)


@pytest.mark.parametrize(
    "name", ["wav-pcm_16-file", "mp3-without-xing", "ff-ipod-alac", "aiff-gsm610-file"]
)
def test_a_segment_is_part_of_the_whole(name: str, tmp_path: Path) -> None:
    path = placed(corpus()[name], tmp_path)
    whole = read(path).samples
    assert np.array_equal(
        read(path, start=5_000, num_samples=7_001).samples, whole[:, 5_000:12_001]
    )
    with pytest.raises(AudioError, match="ends after"):
        read(path, start=20_000, num_samples=7_001)
