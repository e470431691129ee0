"""The low-pass of anchors: ITU-R BS.1534-3's mask, on noise and on real sound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.signal import csd, welch

import snacbench
from snacbench.audio.channels import downmix
from snacbench.audio.filters import energy_above_db, low_pass
from snacbench.audio.io import read
from snacbench.audio.resample import resample
from snacbench.types import Audio

RIPPLE_DB = 0.1
MASK_DB = {500: 25.0, 1_000: 50.0}  # Hz above the cut-off: least attenuation in dB
CUTOFFS_HZ = [3_500, 7_000]


@pytest.mark.parametrize("cutoff_hz", CUTOFFS_HZ)
@pytest.mark.parametrize("kind", ["noise", "real"])
def test_what_it_does_to_sound_meets_the_mask(cutoff_hz: int, kind: str) -> None:
    rng = np.random.default_rng(0)
    reference = Audio(rng.uniform(-0.5, 0.5, (1, 480_000)).astype(np.float32), 48_000)
    if kind == "real":
        path = Path(snacbench.__file__).parent / "testsets" / "quick" / "music" / "rock_riff.flac"
        reference = resample(downmix(read(path)), 48_000)
    options = {"fs": 48_000, "nperseg": 8192, "window": "blackmanharris"}
    x, y = (a.samples[0].astype(float) for a in (reference, low_pass(reference, cutoff_hz)))
    hertz, power = welch(x, **options)
    known = power > power.max() * 1e-9  # where a real clip has something to filter
    assert known[(hertz > cutoff_hz - 2_000) & (hertz < cutoff_hz + 4_000)].all()
    response = csd(x, y, **options)[1][known] / power[known]  # its phase shows a delay, too
    level_db, hertz = 20 * np.log10(np.abs(response) + 1e-12), hertz[known]
    assert np.abs(level_db[hertz <= cutoff_hz]).max() <= RIPPLE_DB
    for above_hz, least_db in MASK_DB.items():
        assert level_db[hertz >= cutoff_hz + above_hz].max() <= -least_db
    assert np.abs(np.angle(response[hertz <= cutoff_hz])).max() < 0.01


@pytest.mark.parametrize("cutoff_hz", CUTOFFS_HZ)
def test_it_has_no_delay_and_keeps_the_length(cutoff_hz: int) -> None:
    click = np.zeros((2, 4_801), np.float32)
    click[:, 2_000] = 1
    out = low_pass(Audio(click, 48_000), cutoff_hz).samples
    assert out.shape == click.shape
    assert np.argmax(np.abs(out[0])) == 2_000
    np.testing.assert_allclose(out[0, 1_500:2_000], out[0, 2_001:2_501][::-1], atol=1e-7)


def test_energy_above_a_frequency() -> None:
    time_s = np.arange(48_000) / 48_000
    tones = np.sin(2 * np.pi * 1_000 * time_s) + 0.01 * np.sin(2 * np.pi * 9_000 * time_s)
    audio = Audio((0.3 * tones + 0.2).astype(np.float32)[None], 48_000)
    assert energy_above_db(audio, 7_000) == pytest.approx(-40.0, abs=0.01)
    assert energy_above_db(audio, 500) == pytest.approx(0.0, abs=0.01)
    assert energy_above_db(Audio(np.zeros((1, 100), np.float32), 48_000), 7_000) == -np.inf
