from __future__ import annotations

import numpy as np
import pytest

from snacbench.audio.channels import downmix, join, split, upmix
from snacbench.errors import AudioError
from snacbench.types import Audio


def numbered(channels: int) -> Audio:
    samples = np.arange(channels, dtype=np.float32)[:, np.newaxis] * np.ones((1, 5), np.float32)
    return Audio(samples, 8000)


@pytest.mark.parametrize("channels", [2, 6])
def test_downmix_is_the_plain_mean(channels):
    mono = downmix(numbered(channels))
    assert mono.samples.shape == (1, 5)
    assert np.all(mono.samples == (channels - 1) / 2)


def test_mono_passes_both_ways_unchanged():
    mono = numbered(1)
    assert downmix(mono) is mono
    assert upmix(mono, 1) is mono


def test_upmix_copies_mono_into_every_channel():
    mono = Audio(np.array([[0.1, 0.2]], np.float32), 8000)
    assert np.array_equal(upmix(mono, 3).samples, np.repeat(mono.samples, 3, axis=0))


def test_upmix_needs_mono():
    with pytest.raises(AudioError, match="only mono can be copied to 6 channels, found 2"):
        upmix(numbered(2), 6)


def test_split_and_join_are_inverse():
    audio = numbered(4)
    parts = split(audio)
    assert [p.samples.shape for p in parts] == [(1, 5)] * 4
    assert np.array_equal(join(parts).samples, audio.samples)
    assert join(parts).rate_hz == audio.rate_hz
