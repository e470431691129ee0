from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from snacbench.listening.excerpt import choose_excerpt, cut, faded
from snacbench.types import Audio
from tests.conftest import broadband

RATE_HZ = 8_000


def phrases(*spoken: tuple[float, float], seconds: float) -> Audio:
    """Noise where something is said, next to nothing elsewhere."""
    rng = np.random.default_rng(0)
    samples = rng.standard_normal(round(seconds * RATE_HZ)) * 1e-4
    for start_s, stop_s in spoken:
        part = slice(round(start_s * RATE_HZ), round(stop_s * RATE_HZ))
        samples[part] += 0.1 * rng.standard_normal(len(samples[part]))
    return Audio(samples.astype(np.float32)[None], RATE_HZ)


@pytest.mark.parametrize("seconds", [0.5, 8.0, 10.0, 11.4])
def test_a_clip_that_is_about_as_long_is_taken_whole(seconds: float) -> None:
    assert choose_excerpt(broadband(seconds, RATE_HZ)) == (0.0, pytest.approx(seconds))


def test_cuts_lie_in_pauses() -> None:
    audio = phrases((0, 3.9), (4.3, 8.0), (8.3, 14.2), (14.6, 20), (20.3, 30), seconds=30)
    start_s, duration_s = choose_excerpt(audio)
    pauses = [(0, 0.0), (3.9, 4.3), (8.0, 8.3), (14.2, 14.6), (20.0, 20.3), (29.99, 30.0)]
    for at_s in (start_s, start_s + duration_s):
        assert any(low <= at_s <= high for low, high in pauses), at_s
    assert 8.5 <= duration_s <= 11.5


def test_the_excerpt_holds_sound_not_silence() -> None:
    audio = phrases((20.0, 26.0), seconds=40)
    start_s, duration_s = choose_excerpt(audio)
    assert start_s <= 20.0
    assert start_s + duration_s >= 26.0


@given(
    seconds=st.floats(0.05, 60), wanted_s=st.floats(2, 12), seed=st.integers(0, 3),
    level=st.sampled_from([0.0, 1e-6, 1.0]),
)  # fmt: skip
@settings(max_examples=40, deadline=None)
def test_excerpts_lie_within_the_clip_and_are_not_too_long(
    seconds: float, wanted_s: float, seed: int, level: float
) -> None:
    noise = broadband(seconds, 2_000, seed=seed)
    audio = Audio(noise.samples * np.float32(level), 2_000)
    start_s, duration_s = choose_excerpt(audio, wanted_s)
    assert start_s >= 0
    assert 0 < duration_s <= min(12.0, wanted_s * 1.15) + 1e-6
    assert start_s + duration_s <= audio.duration_s + 1e-6
    if audio.duration_s >= wanted_s:
        assert duration_s >= wanted_s * 0.85 - 0.01
    assert choose_excerpt(audio, wanted_s) == (start_s, duration_s)


def test_fades_are_raised_cosines_of_5_ms() -> None:
    ones = Audio(np.ones((2, 48_000), np.float32), 48_000)
    out = faded(ones).samples
    assert out[:, 0].tolist() == out[:, -1].tolist() == [0.0, 0.0]
    expected = 0.5 - 0.5 * np.cos(np.pi * np.arange(240) / 240)
    np.testing.assert_allclose(out[0, :240], expected, atol=1e-6)
    np.testing.assert_allclose(out[1, -240:], expected[::-1], atol=1e-6)
    assert (out[:, 240:-240] == 1).all()
    assert faded(Audio(np.ones((1, 1), np.float32), 48_000)).samples.tolist() == [[1.0]]


def test_cuts_count_samples_from_rounded_times() -> None:
    ramp = Audio(np.linspace(-1, 1, 48_000, dtype=np.float32)[None], 48_000)
    part = cut(ramp, 0.25, 0.5)
    assert part.num_samples == 24_000
    np.testing.assert_array_equal(part.samples[0, 240:-240], ramp.samples[0, 12_240:35_760])
