"""Switching, sample by sample, as the browser's own engine renders it: nothing here is heard live.

The module under test is the one the page plays with; an OfflineAudioContext makes its output exact
whatever else the machine is doing."""

from typing import Any

import numpy as np
import pytest

from tests.support.listening_page import script

RATE_HZ = 48_000
FADE = 240  # 5 ms
Acts = list[list[Any]]


@pytest.fixture
def render(modules):
    def rendered(signals, acts, frames):
        heard = modules.evaluate(script("render"), [signals.tolist(), acts, frames])
        return np.array(heard, np.float32)

    return rendered


def noises(count, frames, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (count, frames)).astype(np.float32)


def fade_in():
    """Weights of the samples of a fade: raised cosine."""
    return 0.5 - 0.5 * np.cos(np.pi * np.arange(FADE) / FADE)


def at(frame):
    return frame / RATE_HZ


def test_after_a_switch_the_other_signal_goes_on_at_the_very_same_sample(render):
    signals, switches = noises(4, 24_000), [(5_000, 2), (9_111, 1), (13_222, 3), (20_000, 0)]
    acts: Acts = [["start", 0, 0, None, 0], *(["select", to, at(n)] for n, to in switches)]
    heard = render(signals, acts, 24_000)
    assert np.array_equal(heard[:5_000], signals[0][:5_000])
    before, weights = 0, fade_in()
    for (frame, to), end in zip(switches, [9_111, 13_222, 20_000, 24_000], strict=True):
        inside, fade = slice(frame + FADE + 2, end), slice(frame, frame + FADE)
        assert np.array_equal(heard[inside], signals[to][inside])
        expected = (1 - weights) * signals[before][fade] + weights * signals[to][fade]
        assert np.abs(heard[fade] - expected).max() < 1e-5
        before = to


@pytest.mark.parametrize(("start", "end"), [(4_801, 28_811), (0, 24_000)])
def test_a_loop_returns_to_its_first_sample_and_fades_at_its_ends(render, start, end):
    signals = noises(2, 30_000)
    loop = {"start": start, "end": end}
    acts: Acts = [["start", 0, start, loop, 0], ["select", 1, at(40_000)]]
    heard = render(signals, acts, 96_000)
    period = end - start
    envelope = np.concatenate([fade_in(), np.ones(period - 2 * FADE), fade_in()[::-1]])
    laps = [np.tile(signal[start:end] * envelope, 5)[:96_000] for signal in signals]
    assert np.abs(heard[:40_000] - laps[0][:40_000]).max() < 1e-5
    after = 40_000 + FADE + 2
    assert np.abs(heard[after:] - laps[1][after:]).max() < 1e-5
    middle = slice(2 * period + FADE + 1, 3 * period - FADE - 1)
    assert np.array_equal(heard[middle], signals[1][start + FADE + 1 : end - FADE - 1])


def test_a_new_loop_takes_over_without_a_seam_and_all_ends_in_fades(render):
    (signal,), changed = noises(1, 48_000), 20_000
    acts: Acts = [["start", 0, 0, {"start": 0, "end": 48_000}, 0]]
    acts.append(["start", 0, changed, {"start": 10_000, "end": 40_000}, at(changed)])
    heard = render(signal[None], acts, 44_000)
    inside = slice(FADE + 1, 40_000 - FADE - 1)
    assert np.abs(heard[inside] - signal[inside]).max() < 1e-6
    again = heard[40_000 + FADE + 1 :]
    assert np.array_equal(again, signal[10_000 + FADE + 1 :][: again.size])
    flat = np.full((1, 48_000), 0.5, np.float32)
    heard = render(flat, [["start", 0, 9_600, None, 0], ["stop", at(12_000)]], 20_000)
    assert np.abs(heard[:FADE] - 0.5 * fade_in()).max() < 1e-5
    assert np.abs(heard[12_000 : 12_000 + FADE] - 0.5 * (1 - fade_in())).max() < 1e-5
    assert (heard[FADE + 1 : 12_000] == 0.5).all()
    assert not heard[12_000 + FADE + 1 :].any()
