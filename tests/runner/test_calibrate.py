"""The residual delay is found once per codec, on broadband material."""

from __future__ import annotations

import numpy as np
import pytest

from snacbench.runner.calibrate import _material, calibrate, residual_delay
from snacbench.runner.loading import CodecHandle
from snacbench.selectors import select
from snacbench.types import Audio


def handle(selector: str) -> CodecHandle:
    ((model, spec),) = select(selector)
    return CodecHandle(model.name, spec, None, "cpu")


@pytest.mark.parametrize("selector", ["identity", "lowpass@3.5kHz", "noise@10dB", "opus@64"])
def test_codecs_without_delay(selector: str) -> None:
    row = calibrate(handle(selector))
    assert (row.delay_samples, row.found) == (0, True)


def test_opus_is_late_by_a_few_samples_where_silk_codes() -> None:
    row = calibrate(handle("opus@8"))
    assert row.found
    assert 3 <= row.delay_samples <= 5


@pytest.mark.parametrize("delay", [-8, 8, 100])
def test_a_known_delay_is_found_in_spite_of_noise_and_pitch(delay: int) -> None:
    rng = np.random.default_rng(0)
    pairs = []
    for excerpt in _material():
        noise = 0.3 * excerpt.samples.std() * rng.standard_normal(excerpt.samples.shape)
        shifted = np.roll(excerpt.samples, delay, axis=1) + noise
        pairs.append((excerpt, Audio(shifted.astype(np.float32), excerpt.rate_hz)))
    row = residual_delay("test", pairs, 48_000)
    assert (row.delay_samples, row.found) == (delay, True)


def test_unrelated_signals_have_no_delay() -> None:
    rng = np.random.default_rng(0)
    pairs = [
        (e, Audio(rng.standard_normal(e.samples.shape).astype(np.float32), e.rate_hz))
        for e in _material()
    ]
    row = residual_delay("test", pairs, 48_000)
    assert (row.delay_samples, row.found) == (0, False)


def test_material_covers_three_domains() -> None:
    assert len(_material()) == 9
    assert all(excerpt.duration_s == 1.0 for excerpt in _material())


def test_a_minority_that_locks_onto_a_pitch_does_not_decide() -> None:
    pairs = []
    for index, excerpt in enumerate(_material()):
        wrong = 200 if index < 3 else 5
        shifted = np.roll(excerpt.samples, wrong, axis=1)
        pairs.append((excerpt, Audio(np.ascontiguousarray(shifted), excerpt.rate_hz)))
    row = residual_delay("test", pairs, 48_000)
    assert (row.delay_samples, row.found) == (5, True)
    assert 0.5 < row.agreement < 0.8


def test_excerpts_that_do_not_agree_give_no_delay() -> None:
    pairs = []
    for index, excerpt in enumerate(_material()):
        shifted = np.roll(excerpt.samples, 40 * index, axis=1)
        pairs.append((excerpt, Audio(np.ascontiguousarray(shifted), excerpt.rate_hz)))
    row = residual_delay("test", pairs, 48_000)
    assert (row.delay_samples, row.found) == (0, False)
    assert row.correlation > 0.5


def test_no_pairs_give_no_delay() -> None:
    row = residual_delay("test", [], 48_000)
    assert (row.delay_samples, row.correlation, row.found) == (0, 0.0, False)
