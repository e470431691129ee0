"""Level, noise and reverb at the input, against what they say they are."""

from pathlib import Path
from urllib.parse import quote

import numpy as np
import pytest

from snacbench.audio.io import write_wav
from snacbench.conditions.condition import condition_named
from snacbench.conditions.inputs import impaired, recordings_of
from snacbench.errors import AudioError, UserError
from snacbench.files import sha256_of_file
from snacbench.types import Audio
from tests.conftest import broadband

CLIP = broadband(4.0, 16_000, channels=2)
QUIET = Audio(CLIP.samples * np.float32(0.05 / np.abs(CLIP.samples).max()), CLIP.rate_hz)
SILENT = Audio(np.zeros((1, 8_000), np.float32), 16_000)


def under(name: str, audio: Audio = QUIET, clip: str = "a") -> tuple[Audio, float]:
    found, realised = impaired(audio, condition_named(name), seed=3, clip=clip)
    assert (found.rate_hz, found.samples.shape) == (audio.rate_hz, audio.samples.shape)
    assert realised is not None
    return found, realised


def recording(path: Path, samples: np.ndarray) -> str:
    write_wav(path, Audio(np.asarray(samples, np.float32)[np.newaxis], 16_000))
    return f"file={quote(str(path), safe='')}"


def test_neutral_strengths_give_the_very_object() -> None:
    for name in ("level@0dB", "reverb@0s", "reverb:file=%2Fa@0", "noise@infdB", "loss@5%"):
        found, realised = impaired(QUIET, condition_named(name), seed=0, clip="a")
        assert found is QUIET
        assert (realised is None) == (name == "noise@infdB")


def test_level_scales_and_clips_as_a_converter() -> None:
    for gain_db in (-40, -6, 6):
        scaled, realised = under(f"level@{gain_db}dB")
        assert np.allclose(scaled.samples, QUIET.samples * 10 ** (gain_db / 20), rtol=1e-6)
        assert realised == pytest.approx(gain_db, abs=1e-4)
    loud, realised = under("level@40dB")
    assert loud.samples.max() < 1 == -loud.samples.min()
    assert realised < 39
    assert under("level@-3dB", SILENT)[1] == -3


@pytest.mark.parametrize(("kind", "slope_db"), [("noise", -3.01), ("noise:white", 0)])
def test_noise_has_its_ratio_spectrum_and_seed(kind: str, slope_db: float) -> None:
    noises = {}
    for snr_db in (-5.0, 10.0, 40.0):
        noisy, realised = under(f"{kind}@{snr_db:g}dB")
        noises[snr_db] = noise = noisy.samples.astype(np.float64) - QUIET.samples
        measured = 10 * np.log10(np.mean(QUIET.samples.astype(float) ** 2) / np.mean(noise**2))
        assert realised == pytest.approx(measured, abs=1e-6) == pytest.approx(snr_db, abs=0.01)
    noise = noises[10.0]
    assert np.allclose(noise * 10 ** (15 / 20), noises[-5.0], atol=1e-6)  # the same, louder
    assert abs(np.corrcoef(noise)[0, 1]) < 0.05
    assert np.var(noise[0]) == pytest.approx(np.var(noise[1]), rel=1e-3)
    power, hz = np.abs(np.fft.rfft(noise[0])) ** 2, np.fft.rfftfreq(noise.shape[1], 1 / 16_000)
    octaves = [power[(hz >= low) & (hz < 2 * low)].mean() for low in (100, 200, 400, 800, 1600)]
    per_octave = np.polyfit(range(5), 10 * np.log10(octaves), 1)[0]
    assert per_octave == pytest.approx(slope_db, abs=0.4)
    same = under(f"{kind.replace('noise', 'noise:clean')}@10dB")[0].samples
    assert np.array_equal(same, under(f"{kind}@10dB")[0].samples)
    assert not np.array_equal(same, under(f"{kind}@10dB", clip="b")[0].samples)
    clipped, realised = under(f"{kind}@-45dB")
    assert np.abs(clipped.samples).max() <= 1
    assert realised > -44


def test_recorded_noise_is_looped_at_its_ratio(tmp_path: Path) -> None:
    hum = 0.3 * np.sin(2 * np.pi * 50 * np.arange(16_000) / 16_000)
    noisy, realised = under(f"noise:{recording(tmp_path / 'hum, 50%.wav', hum)}@20dB")
    noise = noisy.samples - QUIET.samples
    assert realised == pytest.approx(20, abs=0.01)
    assert np.allclose(noise[0], noise[1], atol=1e-7)
    assert np.argmax(np.abs(np.fft.rfft(noise[0]))) == 50 * 4


@pytest.mark.parametrize("rt60_s", [0.2, 0.5, 1.5])
def test_reverb_decays_as_it_says(rt60_s: float) -> None:
    click = np.zeros((2, 48_000), np.float32)
    click[:, 100] = 0.1
    wet, realised = under(f"reverb@{rt60_s}s", Audio(click, 16_000))
    assert realised == pytest.approx(rt60_s, rel=0.05)
    response = wet.samples.astype(np.float64)[:, 100:] / 0.1
    assert np.allclose(response[:, 0], 1, atol=1e-5)
    assert np.allclose(wet.samples[:, :100], 0, atol=1e-6)
    assert np.sum(response[:, 1:] ** 2, axis=1) == pytest.approx([1, 1], rel=0.01)
    assert abs(np.corrcoef(response[:, 1:])[0, 1]) < 0.2
    blocks = [np.mean(response[:, 1 + i : 401 + i] ** 2) for i in range(0, 3_200, 400)]
    fall_db = np.polyfit(np.arange(8) * 0.025, 10 * np.log10(blocks), 1)[0]
    assert fall_db == pytest.approx(-60 / rt60_s, rel=0.2)


def test_recorded_rooms_keep_the_direct_path(tmp_path: Path) -> None:
    tail = np.random.default_rng(0).standard_normal(12_000)
    tail *= 0.05 * 10 ** (-3 * np.arange(12_000) / 16_000 / 0.6)
    room = recording(tmp_path / "room.wav", np.concatenate([np.zeros(700), [0.8], tail]))
    whole, realised = under(f"reverb:{room}@1")
    assert realised == pytest.approx(0.6, rel=0.05)
    expected = np.convolve(QUIET.samples[1], np.concatenate([[1], tail / 0.8]))
    assert np.allclose(whole.samples[1], expected[: QUIET.num_samples], atol=1e-5)
    half = under(f"reverb:{room}@0.5")[0].samples
    assert np.allclose(2 * half - QUIET.samples, whole.samples, atol=1e-6)
    asked = [condition_named(f"reverb:{room}@{gain}") for gain in (1, 0.5, 0)]
    digest = sha256_of_file(tmp_path / "room.wav")
    assert recordings_of(asked, [(16_000, 2)]) == {str(tmp_path / "room.wav"): digest}
    (tmp_path / "room.wav").unlink()
    assert recordings_of(asked[2:], [(16_000, 2)]) == {}  # none is needed
    recording(tmp_path / "room.wav", np.concatenate([[0.8], tail / 9]))  # is read anew
    assert not np.allclose(under(f"reverb:{room}@1")[0].samples, whole.samples, atol=1e-5)


def test_what_cannot_be_done_is_refused(tmp_path: Path) -> None:
    none = recording(tmp_path / "none.wav", np.zeros(800))
    click = recording(tmp_path / "click.wav", np.eye(1, 800, 10)[0] / 2)
    for name, audio, said in (
        ("noise@10dB", SILENT, "the clip is silent, so that noise has no level"),
        (f"noise:{none}@5dB", QUIET, "the noise of .* is silent"),
        (f"reverb:{none}@1", QUIET, "the response of .* is silent"),
        (f"reverb:{click}@1", QUIET, "does not decay gradually"),
        ("noise:file=%2Fmissing.wav@5dB", QUIET, "missing.wav does not exist"),
    ):
        with pytest.raises(AudioError, match=said):
            under(name, audio)
        if "file" in name:
            with pytest.raises(UserError, match=f"the recording /.*wav cannot be used.*{said}"):
                recordings_of([condition_named(name)], [(16_000, 1), (48_000, 2)])
