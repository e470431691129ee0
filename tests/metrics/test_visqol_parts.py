"""ViSQOL's spectrogram, lags, patches and mappings, each against visqol-python's own."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from visqol import alignment, patch_selector, quality_mapper, visqol_manager
from visqol.analysis_window import AnalysisWindow
from visqol.audio_utils import AudioSignal
from visqol.gammatone import GammatoneSpectrogramBuilder
from visqol.nsim import measure_patch_similarity
from visqol.patch_creator import VadPatchCreator
from visqol.signal_utils import find_best_lag

from snacbench.errors import MissingPackage
from snacbench.metrics import _visqol_compare
from snacbench.metrics import _visqol_spectrogram as spectra
from snacbench.metrics._visqol_compare import Envelope, Features, Piece, aligned, upper_envelope
from snacbench.metrics.visqol import SUPPORT_VECTORS, mapper

rng = np.random.default_rng(0)
seeds = st.integers(0, 2**32 - 1)


def largest_difference_db(signal, rate_hz, *, speech):
    """Over all cells that ViSQOL looks at: within 45 dB of the loudest band of the frame."""
    bands = spectra.SPEECH_BANDS if speech else spectra.AUDIO_BANDS
    builder = GammatoneSpectrogramBuilder(bands, spectra.LOWEST_HZ, speech_mode=speech)
    filtered = builder.build(AudioSignal(signal, rate_hz), AnalysisWindow(rate_hz)).data.T
    expected = 10 * np.log10(filtered + 1e-30)
    found = 10 * np.log10(spectra.bands_of(rate_hz, speech=speech).amplitudes(signal) + 1e-30)
    heard = (expected > expected.max(axis=1, keepdims=True) - 45) & (expected > -45)
    assert found.shape == expected.shape
    return float(np.abs(found - expected)[heard].max())


@pytest.mark.parametrize(
    ("rate_hz", "speech"), [(48_000, False), (16_000, True), (8_000, False), (22_050, False)]
)
def test_noise_clicks_and_tones_have_the_levels_of_running_filters(rate_hz, speech):
    noise = np.random.default_rng(0).standard_normal(rate_hz // 2)
    assert largest_difference_db(0.1 * noise, rate_hz, speech=speech) < 2e-5
    clicks = 1e-4 * noise  # they ring beyond their frame
    clicks[:: rate_hz // 7 + 3] += 1.0
    assert largest_difference_db(clicks, rate_hz, speech=speech) < 1e-3
    for frequency_hz in (30, 50, 440, 3000, 7800):
        tone = 0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(rate_hz // 2) / rate_hz)
        assert largest_difference_db(tone + 1e-5 * noise, rate_hz, speech=speech) < 5e-3


def test_level_scales_amplitudes_and_frames_start_from_rest():
    noise = np.random.default_rng(0).standard_normal(16_000)
    bands = spectra.bands_of(16_000, speech=True)
    whole = bands.amplitudes(noise)
    for level in (1e-30, 1e-6, 1e15):
        np.testing.assert_allclose(bands.amplitudes(noise * level), whole * level, rtol=1e-5)
    np.testing.assert_allclose(bands.amplitudes(noise[3 * bands.hop :]), whole[3:], rtol=1e-5)
    assert not bands.amplitudes(np.zeros(5_000)).any()


def lag_of(reference, degraded):
    return Envelope(reference).lag_of(degraded)


def lag_of_package(reference, degraded):
    lag = find_best_lag(upper_envelope(reference), upper_envelope(degraded))
    return 0 if abs(lag) > len(reference) / 2 else lag


def test_envelope_is_what_the_inverse_transform_for_real_signals_gives():
    # The "Hilbert" of the C++ code: double the positive half, then a transform to real numbers.
    signal = rng.standard_normal(1_000) + 0.3
    spectrum = np.fft.rfft(signal - signal.mean())
    spectrum[1:-1] *= 2
    envelope = np.abs(np.fft.irfft(spectrum)) + signal.mean()
    np.testing.assert_allclose(envelope, upper_envelope(signal), atol=0.02 * np.abs(signal).max())


def test_a_shift_is_found_at_any_level():
    x = rng.standard_normal(4_000) * np.hanning(4_000)
    for lag in (-700, -1, 0, 1, 900):
        shifted = np.roll(x, -lag)
        assert lag_of(x, shifted) == lag == lag_of_package(x, shifted)
        for level in (1e-300, 1e20):
            assert lag_of(x, level * shifted) == lag_of(level * x, shifted) == lag


@settings(max_examples=60, deadline=None)
@given(seeds, st.tuples(st.integers(2, 600), st.integers(2, 600)), st.integers(1, 60))
def test_lags_are_those_of_the_package(seed, lengths, smoothing):
    noise = np.random.default_rng(seed)
    x, y = (np.convolve(noise.standard_normal(n), np.ones(smoothing), "same") for n in lengths)
    # Where an envelope is below zero throughout, the best lag is any without overlap, by rounding.
    x, y = x - x.mean(), y - y.mean()
    assert lag_of(x, y) == lag_of_package(x, y)


def test_flat_peaks_are_decided_in_double_precision(monkeypatch):
    time = np.arange(6_000)
    x = np.sin(2 * np.pi * time / 50_000) * (time < 5_000)
    y = x + 1e-6 * rng.standard_normal(6_000)
    expected = lag_of_package(x, y)
    assert lag_of(x, y) == expected
    monkeypatch.setattr(_visqol_compare, "SINGLE_PRECISION", 1.0)  # every lag is in question
    assert lag_of(x, y) == expected


def test_of_equally_good_lags_the_lowest_is_taken():
    for _ in range(5):
        x = np.tile(rng.standard_normal(1_000), 16)
        assert lag_of(x, x[:4_000]) == 0


def test_silence_and_what_is_more_than_half_a_reference_away_have_no_lag():
    x = rng.standard_normal(1_000)
    assert lag_of(x, np.zeros(1_000)) == lag_of(x, np.zeros(0)) == 0
    far = np.zeros(1_000)
    far[800:900], x[100:] = x[:100], 0
    assert lag_of(x, far) == 0


FRAMES, BANDS = 20, 21


def levels(seed, frames, *, floor_share=0.0):
    """Smooth random levels, shape (frames, bands), some of them at the floor."""
    noise = np.random.default_rng(seed).standard_normal((frames + 4, BANDS + 4))
    smooth = sum(noise[i : i + frames, j : j + BANDS] for i in range(5) for j in range(5))
    spread = smooth * 4 + 20
    floor = np.quantile(spread, floor_share)
    return np.maximum(spread, floor) - spread.min() * (floor_share == 0) - floor * (floor_share > 0)


@settings(max_examples=30, deadline=None)
@given(seed=seeds, frames=st.integers(2, 40), floor=st.sampled_from([0.0, 0.5, 0.95]))
def test_similarity_is_that_of_the_package(seed, frames, floor):
    x, y = levels(seed, frames, floor_share=floor), levels(seed + 1, frames)
    ours, theirs = spectra.compare(reference=x, degraded=y), measure_patch_similarity(x.T, y.T)
    assert ours.overall == pytest.approx(theirs.similarity, abs=1e-9)
    np.testing.assert_allclose(ours.means, theirs.freq_band_means, atol=1e-9)
    np.testing.assert_allclose(ours.deviations, theirs.freq_band_stddevs, atol=1e-9)
    np.testing.assert_allclose(ours.energies, theirs.freq_band_deg_energy, atol=1e-9)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, length=st.integers(25, 220), reach_patches=st.sampled_from([1, 3, 60]))
def test_positions_are_those_of_the_package(seed, length, reach_patches):
    noise = np.random.default_rng(seed)
    x = levels(seed, 200)
    y = np.roll(np.pad(x, [(0, 40), (0, 0)]), noise.integers(-15, 15), axis=0)[:length]
    y = np.maximum(y + noise.standard_normal(y.shape), 0)
    starts = np.arange(9, 180, FRAMES)
    starts = starts[starts - FRAMES // 2 <= length]
    patches = [x[s : s + FRAMES].T for s in starts]
    find = patch_selector.find_most_optimal_deg_patches
    theirs = find(patches, starts.tolist(), y.T, 0.02, reach_patches)
    reach = reach_patches * FRAMES
    found = spectra.similarities(reference=x, degraded=y, starts=starts, frames=FRAMES, reach=reach)
    positions, lost = spectra.best_positions(found, starts, reach)
    assert lost.tolist() == [not match.freq_band_means.any() for match in theirs]
    expected = np.array([round(match.deg_patch_start_time / 0.02) for match in theirs])
    assert positions[~lost].tolist() == expected[~lost].tolist()


@settings(max_examples=25, deadline=None)
@given(seed=seeds, samples=st.integers(10_240, 60_000), level=st.floats(1e-3, 2))
def test_patches_of_speech(seed, samples, level):
    noise = np.random.default_rng(seed)
    gate = np.repeat(noise.random(samples // 1_000 + 1) < 0.3, 1_000)[:samples]
    signal = level * noise.standard_normal(samples) * np.where(gate, 1, 0.01)
    frames = 1 + (samples - 1_280) // 320
    sound = (np.zeros((21, frames)), AudioSignal(signal, 16_000), AnalysisWindow(16_000))
    expected = VadPatchCreator(20).create_ref_patch_indices(*sound)
    assert _visqol_compare.voiced_patch_starts(frames, signal, 320).tolist() == expected


@settings(max_examples=60, deadline=None)
@given(seeds, st.tuples(st.integers(100, 700), st.integers(100, 700)), st.integers(-150, 150))
def test_pieces_are_aligned_as_by_the_package(seed, lengths, shift):
    whole = np.random.default_rng(seed).standard_normal(1_200)
    x = whole[200 : 200 + lengths[0]]
    y = whole[200 + shift : 200 + shift + lengths[1]]
    vars(alignment)["upper_envelope"] = upper_envelope
    theirs = alignment.align_and_truncate(AudioSignal(x, 48_000), AudioSignal(y, 48_000))
    ours = aligned(Piece(x, 50), Piece(y, 70), lag_of(x, y), 48_000)
    for our_piece, signal, start, full in zip(ours, theirs, (50, 70), (x, y), strict=False):
        np.testing.assert_array_equal(our_piece.samples, signal.data)
        if our_piece.start is not None:
            first = our_piece.start - start
            np.testing.assert_array_equal(our_piece.samples, full[first : first + len(our_piece)])


def features(seed, bands):
    noise = np.random.default_rng(seed)
    means = np.clip(noise.uniform(0.2, 1.05) + 0.2 * noise.standard_normal(bands), -0.2, 1)
    lowest = means - 0.1 * noise.random(bands)
    return Features(means, lowest, 0.2 * noise.random(bands), 40 * noise.random(bands))


def test_mappings_are_those_of_libsvm_tensorflow_lite_and_the_fit():
    folder = Path(importlib.util.find_spec("visqol").origin).parent / "model"
    exponential = quality_mapper.SpeechSimilarityToQualityMapper
    programs = {
        "audio": quality_mapper.SvrSimilarityToQualityMapper(str(folder / SUPPORT_VECTORS)),
        "speech": quality_mapper.TFLiteSpeechQualityMapper(visqol_manager._DEFAULT_LATTICE_MODEL),
        "speech_exponential": exponential(scale_to_max_mos=True),
        "speech_exponential_unscaled": exponential(scale_to_max_mos=False),
    }
    for mode, program in programs.items():
        if mode in ("audio", "speech"):
            program.init()
        for seed in range(20):
            seen = features(seed, spectra.AUDIO_BANDS if mode == "audio" else spectra.SPEECH_BANDS)
            told = (seen.means, seen.lowest_means, seen.deviations, seen.energies)
            expected = program.predict_quality(*told)
            within = 0 if mode == "speech" else 1e-9
            assert mapper(mode)(seen) == pytest.approx(float(expected), abs=within)


def test_package_with_the_models_is_missing(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackage, match="comes with the package visqol-python"):
        mapper.__wrapped__("audio")
