"""What is in a container comes out of it, or the file is refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from snacbench.audio.io import NOT_STATED, probe, read
from snacbench.errors import AudioError
from tests.support.containers import corpus

# Coders that work in blocks or have a priming: what may lie before and after the second itself.
_MOST_PADDING_S = 0.08


@pytest.mark.parametrize("name", corpus())
def test_a_file_gives_its_samples_or_is_refused_and_so_is_half_of_it(name, tmp_path):
    case, path = corpus()[name], tmp_path / "a.bin"
    path.write_bytes(case.data)
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
    path.write_bytes(case.half)
    if case.states:
        with pytest.raises(AudioError, match=r"truncated|damaged|is not audio"):
            read(path)
    else:
        assert probe(path).note == NOT_STATED
        assert 0.2 < read(path).num_samples / len(case.samples) < 0.6


@pytest.mark.parametrize(
    "name", ["wav-pcm_16-file", "mp3-without-xing", "ff-ipod-alac", "aiff-gsm610-file"]
)
def test_a_segment_is_part_of_the_whole(name, tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(corpus()[name].data)
    whole = read(path).samples
    part = read(path, start=5_000, num_samples=7_001).samples
    assert np.array_equal(part, whole[:, 5_000:12_001])
    with pytest.raises(AudioError, match="ends after"):
        read(path, start=20_000, num_samples=7_001)


def test_an_mp3_beside_a_macos_resource_fork_is_read(tmp_path):
    (tmp_path / "a.mp3").write_bytes(corpus()["ff-mp3-libmp3lame"].data)
    (tmp_path / "._a.mp3").write_bytes(b"\0\5\x16\7\0\2\0\0".ljust(82, b"\0"))
    assert probe(tmp_path / "a.mp3").num_samples == read(tmp_path / "a.mp3").num_samples
