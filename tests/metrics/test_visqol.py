from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest

from snacbench.errors import Undefined
from snacbench.metrics import visqol
from snacbench.metrics._visqol_compare import Reference
from snacbench.metrics.visqol import METRICS, moslqo
from snacbench.types import Audio

AUDIO, SPEECH, EXPONENTIAL, UNSCALED = METRICS


def prepared(audio: Audio, *, speech: bool = True) -> Reference:
    return Reference(audio.samples[0].astype(float), audio.rate_hz, speech=speech)


def test_equal_signals_have_no_fixed_score_under_the_lattice(make_voice):
    # The lattice also looks at the energies of the bands, so the clip decides what is best.
    voices = [make_voice(16_000, seed=seed) for seed in range(2)]
    filtered = Audio(np.diff(voices[0].samples, prepend=np.float32(0)), 16_000)
    scores = [SPEECH(reference=x, degraded=x) for x in (*voices, filtered)]
    assert all(1 < score < 5 for score in scores)
    assert np.ptp(scores) > 0.05


def test_mappers_are_named():
    mappers = [metric.versions()["visqol_mapper"] for metric in METRICS]
    assert mappers == [
        "support vector regression",
        "lattice",
        "exponential, scaled",
        "exponential, unscaled",
    ]


def test_channels_are_averaged(make_voice, add_noise):
    x = make_voice(48_000, 1.5)
    y = add_noise(x, 15)
    stereo_x = Audio(np.concatenate([x.samples * 1.5, x.samples * 0.5]), 48_000)
    stereo_y = Audio(np.concatenate([y.samples, y.samples]), 48_000)
    mono = moslqo(reference=x, degraded=y, mode="audio")
    stereo = moslqo(reference=stereo_x, degraded=stereo_y, mode="audio")
    assert stereo == pytest.approx(mono, abs=1e-6)


def test_a_delay_is_aligned_away(make_voice, add_noise):
    x = make_voice(16_000)
    y = add_noise(x, 15)
    late = Audio(np.pad(y.samples, [(0, 0), (400, 0)]), 16_000)
    score = SPEECH.prepare(x)
    assert score(degraded=late) == pytest.approx(score(degraded=y), abs=0.1)


def test_dissimilar_signals_get_the_lowest_score(monkeypatch, make_voice, add_noise):
    monkeypatch.setattr(visqol, "MIN_SIMILARITY", 1.1)
    x = make_voice(16_000)
    assert SPEECH(reference=x, degraded=add_noise(x, 20)) == 1.0


@pytest.mark.parametrize(("metric", "least_s"), [(AUDIO, 0.96), (SPEECH, 0.64)])
def test_shortest_reference(metric, least_s, make_voice, add_noise):
    rate_hz = metric.spec.rate_hz
    enough = make_voice(rate_hz, least_s)
    assert 1 <= metric(reference=enough, degraded=add_noise(enough, 20)) <= 5
    short = Audio(enough.samples[:, :-1], rate_hz)
    with pytest.raises(Undefined, match="too short: the reference lasts"):
        metric.prepare(short)
    with pytest.raises(Undefined, match="too short: the degraded signal lasts"):
        metric(reference=enough, degraded=short)


def test_nothing_left_after_alignment():
    rng = np.random.default_rng(0)
    burst = rng.standard_normal(800) * 0.5
    x, y = rng.standard_normal(16_000 * 3) * 1e-4, rng.standard_normal(11_000) * 1e-4
    x[:800] += burst
    y[-800:] += burst
    reference, degraded = (Audio(s.astype(np.float32)[None], 16_000) for s in (x, y))
    with pytest.raises(Undefined, match="ViSQOL finds nothing to compare"):
        SPEECH(reference=reference, degraded=degraded)


def test_silence_is_left_after_alignment():
    rng = np.random.default_rng(0)
    x = rng.standard_normal(16_000 * 2) * 1e-3
    y = np.zeros(16_000 * 2)
    x[:400], y[11_000:11_400] = 1.0, 1.0  # all there is in y goes to where x is loud: its start
    y[:100] = 1e-9
    reference, degraded = (Audio(s.astype(np.float32)[None], 16_000) for s in (x, y))
    assert 1 <= SPEECH(reference=reference, degraded=degraded) <= 5
    with pytest.raises(Undefined, match="what is left after alignment is silent"):
        prepared(reference)._levelled(np.zeros(16_000))


def test_degraded_signal_that_ends_before_the_first_patch(make_voice):
    x = prepared(make_voice(16_000))
    assert x._patches_within(0)  # the first patch starts at frame 9, less than half a patch on
    x.patches = x.patches[2:]
    with pytest.raises(Undefined, match="ends before the first patch of the reference"):
        x._patches_within(20)


def test_silence_within_a_clip(make_voice, add_noise):
    x = make_voice(48_000, 4.0)
    gap = x.samples.copy()
    gap[:, 48_000:130_000] = 0
    with_gap, noisy = Audio(gap, 48_000), add_noise(Audio(gap, 48_000), 15)
    assert AUDIO(reference=with_gap, degraded=with_gap) == pytest.approx(4.732, abs=1e-3)
    assert 1 <= AUDIO(reference=with_gap, degraded=noisy) < 4.7
    assert 1 <= AUDIO(reference=x, degraded=with_gap) < 4.7


def test_memory_of_a_reference_is_bounded(make_voice):
    x = make_voice(16_000, 3.0)
    reference = prepared(x)
    reference.features(x.samples[0].astype(float))
    assert reference.num_bytes < 25 * x.num_samples
    for removed in range(0, 2_000, 400):
        reference.features(x.samples[0, removed:].astype(float))
    assert reference.num_bytes < 50 * x.num_samples


def test_no_compiler_is_loaded():
    code = (
        "import sys, numpy as np\n"
        "from snacbench.metrics.visqol import METRICS\n"
        "from snacbench.types import Audio\n"
        "x = Audio(np.random.default_rng(0).standard_normal((1, 48000), np.float32), 48000)\n"
        "METRICS[0](reference=x, degraded=x)\n"
        "print({'numba', 'visqol', 'libsvm', 'torch', 'scipy.signal'} & sys.modules.keys())"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "set()"


@pytest.mark.parametrize("metric", [AUDIO, SPEECH])
def test_reference_below_the_floor(metric):
    rng = np.random.default_rng(0)
    whisper = (rng.standard_normal((1, 2 * metric.spec.rate_hz)) * 1e-6).astype(np.float32)
    with pytest.raises(Undefined, match="too quiet: its loudest band is at"):
        metric.prepare(Audio(whisper, metric.spec.rate_hz))


def test_threads_do_not_disturb_each_other(make_voice, add_noise):
    x = make_voice(16_000, 1.5)
    ys = [add_noise(x, snr_db) for snr_db in (5, 10, 15, 20)]
    score = EXPONENTIAL.prepare(x)
    alone = [score(degraded=y) for y in ys]
    together = [0.0] * len(ys)

    def work(i: int) -> None:
        together[i] = score(degraded=ys[i])

    threads = [threading.Thread(target=work, args=(i,)) for i in range(len(ys))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone
