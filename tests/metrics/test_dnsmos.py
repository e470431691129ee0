from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from snacbench.errors import Undefined
from snacbench.metrics.dnsmos import METRICS, MIN_DURATION_S
from snacbench.types import Audio

dnsmos = pytest.importorskip("speechmos.dnsmos")
onnxruntime = pytest.importorskip("onnxruntime")
RATE_HZ = 16_000
KEYS = ("ovrl_mos", "sig_mos", "bak_mos", "p808_mos")


def test_equals_the_package(pairs, monkeypatch):
    # By itself the package takes a thread per core, which wait for each other by spinning.
    one_thread = onnxruntime.SessionOptions()
    one_thread.intra_op_num_threads = one_thread.inter_op_num_threads = 1
    session = partial(onnxruntime.InferenceSession, sess_options=one_thread)
    name, (x, y) = next(iter(pairs(RATE_HZ, speech_only=True, clips=1).items()))
    with monkeypatch.context() as patched:
        patched.setattr(onnxruntime, "InferenceSession", session)
        expected = dnsmos.run(y.samples[0], RATE_HZ)
    for metric, key in zip(METRICS, KEYS, strict=True):
        assert metric(reference=x, degraded=y) == pytest.approx(expected[key], abs=1e-5), name


def test_the_reference_makes_no_difference(make_voice, add_noise):
    x, other = make_voice(RATE_HZ, 2.0), make_voice(RATE_HZ, 1.0, seed=3)
    y = add_noise(x, 20)
    metric = METRICS[0]
    assert metric(reference=x, degraded=y) == metric(reference=other, degraded=y)


def test_too_short(make_voice):
    x = make_voice(RATE_HZ, 2.0)
    short = Audio(x.samples[:, : round(MIN_DURATION_S * RATE_HZ) - 1].copy(), RATE_HZ)
    with pytest.raises(Undefined, match="too short: the degraded signal lasts"):
        METRICS[0](reference=x, degraded=short)


def test_what_overshoots_is_clipped(make_voice):
    x = make_voice(RATE_HZ, 2.0)
    loud = Audio(x.samples * np.float32(1.5 / np.abs(x.samples).max()), RATE_HZ)
    clipped = Audio(np.clip(loud.samples, -1, 1), RATE_HZ)
    first, second = (METRICS[0](reference=x, degraded=y) for y in (loud, clipped))
    assert first == second
