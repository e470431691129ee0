from __future__ import annotations

import math

import numpy as np
import pytest

from snacbench.audio.levels import loudness_lufs, peak_dbfs
from snacbench.errors import AudioError
from snacbench.listening.excerpt import faded
from snacbench.listening.levels import gains, scaled, true_peak_dbtp
from snacbench.listening.test import Level
from snacbench.types import Audio
from tests.conftest import broadband

RATE_HZ = 48_000


def sine(hertz: float, amplitude: float, phase_deg: float) -> Audio:
    phase = 2 * np.pi * hertz * np.arange(RATE_HZ) / RATE_HZ + np.deg2rad(phase_deg)
    return faded(Audio((amplitude * np.sin(phase)).astype(np.float32)[None], RATE_HZ))


@pytest.mark.parametrize(
    ("hertz", "amplitude", "phase_deg", "expected_dbtp"),
    [  # EBU Tech 3341, table 1, cases 15 to 19: tolerance +0.2, -0.4 dB
        (RATE_HZ / 4, 0.50, 0.0, -6.0),
        (RATE_HZ / 4, 0.50, 45.0, -6.0),
        (RATE_HZ / 6, 0.50, 60.0, -6.0),
        (RATE_HZ / 8, 0.50, 67.5, -6.0),
        (RATE_HZ / 4, 1.41, 45.0, 3.0),
    ],
)
def test_true_peak_of_the_ebu_cases(
    hertz: float, amplitude: float, phase_deg: float, expected_dbtp: float
) -> None:
    found = true_peak_dbtp(sine(hertz, amplitude, phase_deg))
    assert expected_dbtp - 0.4 <= found <= expected_dbtp + 0.2


@pytest.mark.parametrize("offset", range(4))
def test_a_peak_between_samples_is_found_wherever_it_lies(offset: int) -> None:
    # As in the EBU's cases 20 to 23: one burst, sampled at four offsets of a quarter sample.
    time = (np.arange(-2_000, 2_000) - offset / 4) / RATE_HZ
    envelope = np.where(np.abs(time) < 0.01, np.cos(np.pi * time / 0.02) ** 2, 0)
    burst = np.cos(2 * np.pi * RATE_HZ / 6 * time) * envelope
    audio = Audio(burst.astype(np.float32)[None], RATE_HZ)
    assert true_peak_dbtp(audio) == pytest.approx(0.0, abs=0.1)


def test_true_peak_is_that_of_the_loudest_channel_and_finite_silence_has_none() -> None:
    loud, soft = sine(1_000, 0.5, 0), sine(1_000, 0.25, 0)
    both = Audio(np.concatenate([soft.samples, loud.samples]), RATE_HZ)
    assert true_peak_dbtp(both) == pytest.approx(true_peak_dbtp(loud), abs=1e-6)
    assert true_peak_dbtp(Audio(np.zeros((1, 4_800), np.float32), RATE_HZ)) == -math.inf


def test_the_reference_goes_to_the_loudness_and_all_follow() -> None:
    reference = sine(1_000, 0.02, 0)
    signals = {"reference": reference, "quiet@1kbps": scaled(reference, -9.0)}
    found = gains(signals, Level())
    assert found.lowered_db == 0
    assert len(set(found.gain_db.values())) == 1
    levelled = scaled(reference, found.gain_db["reference"])
    assert loudness_lufs(levelled) == pytest.approx(-23.0, abs=0.02)


def castanets() -> Audio:
    rng = np.random.default_rng(3)
    clicks = np.zeros(4 * RATE_HZ)
    clicks[:: RATE_HZ // 4] = 1.0
    decay = rng.standard_normal(300) * np.exp(-np.arange(300) / 30)
    hits = np.convolve(clicks, decay)[: len(clicks)]
    return Audio((0.5 * hits / np.abs(hits).max()).astype(np.float32)[None], RATE_HZ)


def test_all_are_lowered_together_until_none_exceeds_the_true_peak() -> None:
    reference = castanets()
    signals = {"reference": reference, "loud@1kbps": scaled(reference, 4.0)}
    found = gains(signals, Level())
    assert found.lowered_db > 3
    assert len(set(found.gain_db.values())) == 1
    peaks = {name: true_peak_dbtp(scaled(x, found.gain_db[name])) for name, x in signals.items()}
    assert peaks["loud@1kbps"] == pytest.approx(-1.0, abs=0.001)
    assert peaks["reference"] == pytest.approx(-5.0, abs=0.001)
    sample_peak = peak_dbfs(scaled(signals["loud@1kbps"], found.gain_db["loud@1kbps"]))
    assert sample_peak is not None
    assert sample_peak <= -1.0


def test_matching_per_condition_is_a_wish_of_its_own() -> None:
    reference = broadband(2, RATE_HZ)
    signals = {"reference": reference, "quiet@1kbps": scaled(reference, -9.0)}
    found = gains(signals, Level(match_per_condition=True))
    assert found.gain_db["quiet@1kbps"] - found.gain_db["reference"] == pytest.approx(9.0, abs=0.01)


@pytest.mark.parametrize(("seconds", "amplitude"), [(2.0, 0.0), (0.3, 0.5)])
def test_what_has_no_loudness_is_refused(seconds: float, amplitude: float) -> None:
    audio = scaled(broadband(seconds, RATE_HZ), -200.0 if amplitude == 0 else 0.0)
    with pytest.raises(AudioError, match=r"reference has no loudness: .*silent .*or shorter"):
        gains({"reference": audio}, Level())
