"""Similarity, search and cutting, against the functions of visqol-python that do the same."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from visqol import alignment, patch_selector
from visqol.analysis_window import AnalysisWindow
from visqol.audio_utils import AudioSignal
from visqol.nsim import measure_patch_similarity
from visqol.patch_creator import ImagePatchCreator, VadPatchCreator

from snacbench.metrics._visqol_compare import (
    Envelope,
    Piece,
    aligned,
    lags_of,
    patch_starts,
    piece,
    upper_envelope,
    voiced_patch_starts,
)
from snacbench.metrics._visqol_similarity import (
    best_positions,
    compare,
    matching_positions,
    similarities,
)

FRAMES, BANDS = 20, 21
seeds = st.integers(0, 2**32 - 1)


def levels(seed: int, frames: int, *, floor_share: float = 0.0) -> np.ndarray:
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
    ours, theirs = compare(reference=x, degraded=y), measure_patch_similarity(x.T, y.T)
    assert ours.overall == pytest.approx(theirs.similarity, abs=1e-9)
    np.testing.assert_allclose(ours.means, theirs.freq_band_means, atol=1e-9)
    np.testing.assert_allclose(ours.deviations, theirs.freq_band_stddevs, atol=1e-9)
    np.testing.assert_allclose(ours.energies, theirs.freq_band_deg_energy, atol=1e-9)


def test_equal_patches_have_similarity_one():
    x = levels(0, FRAMES)
    assert compare(reference=x, degraded=x).overall == pytest.approx(1, abs=1e-12)


def test_one_frame_has_no_deviation():
    x = levels(0, 1)
    assert not compare(reference=x, degraded=x).deviations.any()


@pytest.mark.parametrize("floor", [0.0, 0.5, 0.99])
@pytest.mark.parametrize("reach", [3, 30, 1000])
def test_similarities_at_every_position(floor, reach):
    x, y = levels(1, 200, floor_share=floor), levels(2, 130, floor_share=floor)
    starts = np.array([9, 29, 69, 89, 109, 129])
    found = similarities(reference=x, degraded=y, starts=starts, frames=FRAMES, reach=reach)
    assert found.shape == (6, 130)
    for start, row in zip(starts, found, strict=True):
        for position in range(0, 130, 7):
            patch = patch_selector.build_degraded_patch(
                y.T, position, position + FRAMES - 1, BANDS, FRAMES
            )
            expected = measure_patch_similarity(x[start : start + FRAMES].T, patch).similarity
            near = abs(position - start) <= reach
            assert row[position] == pytest.approx(expected if near else 0, abs=2e-6)


@settings(max_examples=25, deadline=None)
@given(seed=seeds, length=st.integers(25, 220), reach_patches=st.sampled_from([1, 3, 60]))
def test_positions_are_those_of_the_package(seed, length, reach_patches):
    noise = np.random.default_rng(seed)
    x = levels(seed, 200)
    y = np.roll(np.pad(x, [(0, 40), (0, 0)]), noise.integers(-15, 15), axis=0)[:length]
    y = np.maximum(y + noise.standard_normal(y.shape), 0)
    starts = np.arange(9, 180, FRAMES)
    starts = starts[starts - FRAMES // 2 <= length]
    theirs = patch_selector.find_most_optimal_deg_patches(
        [x[s : s + FRAMES].T for s in starts], starts.tolist(), y.T, 0.02, reach_patches
    )
    positions, lost = matching_positions(
        reference=x, degraded=y, starts=starts, frames=FRAMES, reach=reach_patches * FRAMES
    )
    assert lost.tolist() == [not match.freq_band_means.any() for match in theirs]
    expected = [round(match.deg_patch_start_time / 0.02) for match in theirs]
    assert [p for p, gone in zip(positions.tolist(), lost, strict=True) if not gone] == [
        p for p, gone in zip(expected, lost, strict=True) if not gone
    ]


def test_of_equal_positions_the_latest_leads_to_the_next_patch():
    found = np.array([[0.5, 0.9, 0.9, 0.1], [0.0, 0.0, 0.0, 0.7]])
    positions, lost = best_positions(found, np.array([0, 1]), 10)
    assert positions.tolist() == [2, 3]
    assert not lost.any()


def test_a_patch_without_place_is_lost():
    # The second patch would have to come after the first one, which is at the end.
    found = np.array([[0.1, 0.2, 0.9], [0.3, 0.3, 0.3]])
    positions, lost = best_positions(found, np.array([0, 1]), 10)
    assert positions.tolist() == [2, 2]
    assert lost.tolist() == [False, True]


@pytest.mark.parametrize("frames", [45, 46, 59, 60, 61, 75, 76, 500])
def test_patches_of_music(frames):
    expected = ImagePatchCreator(30).create_ref_patch_indices(np.zeros((32, frames)))
    assert patch_starts(frames).tolist() == expected


@settings(max_examples=25, deadline=None)
@given(seed=seeds, samples=st.integers(10_240, 60_000), level=st.floats(1e-3, 2))
def test_patches_of_speech(seed, samples, level):
    noise = np.random.default_rng(seed)
    gate = np.repeat(noise.random(samples // 1_000 + 1) < 0.3, 1_000)[:samples]
    signal = level * noise.standard_normal(samples) * np.where(gate, 1, 0.01)
    frames = 1 + (samples - 1_280) // 320
    expected = VadPatchCreator(20).create_ref_patch_indices(
        np.zeros((21, frames)), AudioSignal(signal, 16_000), AnalysisWindow(16_000)
    )
    assert voiced_patch_starts(frames, signal, 320).tolist() == expected


def test_a_signal_below_zero_throughout_has_patches():
    signal = -np.abs(np.random.default_rng(0).standard_normal(20_000))
    signal[0] = 0
    assert len(voiced_patch_starts(59, signal, 320)) > 0


@pytest.mark.parametrize("start_s", [0.0, 0.29, 0.58, 1.3, 1.9])
def test_pieces_are_cut_as_by_the_package(start_s):
    signal = np.random.default_rng(0).standard_normal(32_000)
    ours = piece(signal, 16_000, start_s, start_s + 0.4)
    theirs = patch_selector.slice_signal(AudioSignal(signal, 16_000), start_s, start_s + 0.4)
    np.testing.assert_array_equal(ours.samples, theirs.data)
    assert (ours.start is None) == (start_s + 0.4 > 2.0)


@settings(max_examples=60, deadline=None)
@given(
    seed=seeds,
    lengths=st.tuples(st.integers(100, 700), st.integers(100, 700)),
    shift=st.integers(-150, 150),
)
def test_pieces_are_aligned_as_by_the_package(seed, lengths, shift):
    whole = np.random.default_rng(seed).standard_normal(1_200)
    x = whole[200 : 200 + lengths[0]]
    y = whole[200 + shift : 200 + shift + lengths[1]]
    vars(alignment)["upper_envelope"] = upper_envelope
    theirs = alignment.align_and_truncate(AudioSignal(x, 48_000), AudioSignal(y, 48_000))
    (lag,) = lags_of([Envelope(x)], [y])
    ours = aligned(Piece(x, 50), Piece(y, 70), lag, 48_000)
    for our_piece, signal, start, full in zip(ours, theirs, (50, 70), (x, y), strict=False):
        np.testing.assert_array_equal(our_piece.samples, signal.data)
        if our_piece.start is not None:
            first = our_piece.start - start
            np.testing.assert_array_equal(our_piece.samples, full[first : first + len(our_piece)])
