from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import csd, freqz, welch

import snacbench
from snacbench.audio.align import cross_correlation
from snacbench.audio.channels import downmix
from snacbench.audio.filters import low_pass_taps
from snacbench.audio.io import read
from snacbench.audio.resample import resample
from snacbench.errors import AudioError
from snacbench.listening.anchors import MASK_DB, RIPPLE_DB, anchor, energy_above_db
from snacbench.types import Audio
from tests.conftest import broadband

CUTOFFS_HZ = [3_500, 7_000]


def assert_meets_mask(hertz: np.ndarray, level_db: np.ndarray, cutoff_hz: int) -> None:
    assert np.abs(level_db[hertz <= cutoff_hz]).max() <= RIPPLE_DB
    for above_hz, least_db in MASK_DB.items():
        assert level_db[hertz >= cutoff_hz + above_hz].max() <= -least_db


def real_clip() -> Audio:
    """Music of the quick set, which comes with the package."""
    path = Path(snacbench.__file__).parent / "testsets" / "quick" / "music" / "rock_riff.flac"
    return resample(downmix(read(path)), 48_000)


@pytest.mark.parametrize("cutoff_hz", CUTOFFS_HZ)
def test_the_response_meets_the_mask(cutoff_hz: int) -> None:
    hertz, response = freqz(low_pass_taps(cutoff_hz, 48_000), worN=1 << 16, fs=48_000)
    assert_meets_mask(hertz, 20 * np.log10(np.abs(response) + 1e-12), cutoff_hz)


@pytest.mark.parametrize("cutoff_hz", CUTOFFS_HZ)
@pytest.mark.parametrize("kind", ["noise", "real"])
def test_what_it_does_to_sound_meets_the_mask(cutoff_hz: int, kind: str) -> None:
    rng = np.random.default_rng(0)
    noise = Audio(rng.uniform(-0.5, 0.5, (1, 480_000)).astype(np.float32), 48_000)
    reference = noise if kind == "noise" else real_clip()
    degraded = anchor(reference, cutoff_hz)
    options = {"fs": 48_000, "nperseg": 8192, "window": "blackmanharris"}
    x, y = reference.samples[0].astype(float), degraded.samples[0].astype(float)
    hertz, power = welch(x, **options)
    _, cross = csd(x, y, **options)
    known = power > power.max() * 1e-9  # where a real clip has something to filter
    assert known[(hertz > cutoff_hz - 2_000) & (hertz < cutoff_hz + 4_000)].all()
    level_db = 20 * np.log10(np.abs(cross[known] / power[known]) + 1e-12)
    assert_meets_mask(hertz[known], level_db, cutoff_hz)


@pytest.mark.parametrize("cutoff_hz", CUTOFFS_HZ)
def test_anchors_have_no_delay_and_the_references_length(cutoff_hz: int) -> None:
    click = np.zeros((2, 4_801), np.float32)
    click[:, 2_000] = 1
    out = anchor(Audio(click, 48_000), cutoff_hz)
    assert out.samples.shape == click.shape
    assert np.argmax(np.abs(out.samples[0])) == 2_000
    before, after = out.samples[0, 1_500:2_000], out.samples[0, 2_001:2_501]
    np.testing.assert_allclose(before, after[::-1], atol=1e-9)
    real = real_clip()
    peak = cross_correlation(reference=real, degraded=anchor(real, cutoff_hz), max_lag=50)
    assert np.argmax(peak) == 50


def test_anchors_are_made_at_48_khz() -> None:
    with pytest.raises(AudioError, match="anchors are made at 48000 Hz, found 16000 Hz"):
        anchor(broadband(1, 16_000), 3_500)


def test_energy_above_a_frequency() -> None:
    time_s = np.arange(48_000) / 48_000
    tones = np.sin(2 * np.pi * 1_000 * time_s) + 0.01 * np.sin(2 * np.pi * 9_000 * time_s)
    audio = Audio((0.3 * tones + 0.2).astype(np.float32)[None], 48_000)
    assert energy_above_db(audio, 7_000) == pytest.approx(-40.0, abs=0.01)
    assert energy_above_db(audio, 500) == pytest.approx(0.0, abs=0.01)
    assert energy_above_db(Audio(np.zeros((1, 100), np.float32), 48_000), 7_000) == -np.inf
