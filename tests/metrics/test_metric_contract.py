"""What every metric promises, and what follows from its definition: levels, delays, swaps."""

import functools
import math
from pathlib import Path

import numpy as np
import pytest

from benchmarks._peers import PEERS
from snacbench.errors import Undefined
from snacbench.metrics import _guards
from snacbench.metrics.si_sdr import SI_SDR
from snacbench.plugins import metrics
from snacbench.types import Audio
from tests.metrics.conftest import at_snr, scaled, voice
from tools.metric_table import HEADER, rows

ALL = metrics()
# Those that compare words promise other things (test_asr), as do those whose weights are not here
# (test_learned) and those of sets of clips (test_fad); DNSMOS takes seconds a call whatever the
# duration (test_dnsmos).
AT_HAND = {name: metric for name, metric in ALL.items() if not metric.models}
METRICS = {
    name: metric
    for name, metric in AT_HAND.items()
    if not (metric.spec.needs_transcript or metric.embed or name.startswith("dnsmos"))
}
PAGE = (Path(__file__).parents[2] / "docs" / "metrics.md").read_text()


def named(*prefixes):
    return [name for name in METRICS if name.startswith(prefixes)]


# Silence is at a finite distance from everything, and must not be spared.
DISTANCES = named("mel_", "stft_", "waveform_l1", "lsd", "mcd")
# Value for equal signals and how near; None: no value.
EQUAL = {
    "visqol_audio": (4.732, 1e-3), "visqol_speech_exponential": (5.0, 1e-6),
    "visqol_speech_exponential_unscaled": (4.0159, 1e-3),
    "pesq_wb": (4.644, 1e-3), "pesq_nb": (4.549, 1e-3), "stoi": (1.0, 1e-9), "estoi": (1.0, 1e-9),
    **dict.fromkeys(named("si_sdr")),
    **{name: (0.0, 0.0) for name, metric in METRICS.items() if metric.spec.better == "lower"},
}  # fmt: skip
# What a gain on the degraded signal may change, at most.
LEVEL_FREE = {
    "bandwidth_khz": 0.3, **dict.fromkeys(named("si_sdr", "visqol"), 1e-3),
    **dict.fromkeys(named("pesq"), 0.05), **dict.fromkeys(named("stoi", "estoi"), 1e-4),
    **dict.fromkeys(named("mcd", "f0_rmse_cents", "voicing_error"), 1e-2),
}  # fmt: skip
SYMMETRIC = named("si_sdr", "mel_", "stft_dac", "waveform_l1", "lsd", "loudness_diff")
SYMMETRIC += ["stft_pwg_log", "f0_rmse_cents", "voicing_error"]

pytestmark = pytest.mark.filterwarnings("error")
every_metric = pytest.mark.parametrize("name", METRICS)


@functools.lru_cache(maxsize=64)
def pair(rate_hz, snr_db=15.0, seed=0):
    x = voice(rate_hz, 1.5, seed)
    return x, at_snr(x, snr_db, seed + 1)


def noisy(name):
    return pair(METRICS[name].spec.rate_hz)


def scored(name, x, y):
    return METRICS[name](reference=x, degraded=y)


def moved(audio, num_samples):
    return Audio(np.roll(audio.samples, num_samples, axis=1), audio.rate_hz)


def test_default_metrics():
    assert {name for name, metric in ALL.items() if metric.spec.default} == {
        "si_sdr", "si_sdr_aligned", "mel_dac7", "stft_dac", "visqol_audio", "visqol_speech",
        "pesq_wb", "stoi",
    }  # fmt: skip


def test_the_page_has_the_table_of_the_specs_and_a_section_for_every_metric():
    lines = PAGE.splitlines()
    start, expected = lines.index(HEADER[0]), list(rows())
    assert lines[start : start + len(expected)] == expected, "run python -m tools.metric_table"
    assert not lines[start + len(expected)].startswith("|")
    headings = " ".join(line for line in lines if line.startswith("## "))
    for name in ALL:
        parts = name.split("_")
        stems = ["_".join(parts[:count]) for count in range(len(parts), 0, -1)]
        assert any(f"`{stem}" in headings for stem in stems), name


@pytest.mark.parametrize("metric", AT_HAND.values(), ids=AT_HAND)
def test_names_what_computed_it(metric, monkeypatch):
    monkeypatch.setenv("SNACBENCH_ASR", "pocketsphinx")
    assert all(version != "not installed" for version in metric.versions().values())
    assert metric.spec.citation


@every_metric
def test_a_score_is_in_range_and_the_same_from_a_reference_used_again(name):
    x, y = noisy(name)
    low, high = METRICS[name].spec.range
    score = METRICS[name].prepare(x)
    first = score(degraded=y)
    score(degraded=at_snr(x, 0))
    assert score(degraded=y) == first == scored(name, x, y)
    assert low <= first <= high


@every_metric
def test_signals_that_do_not_fit(name):
    metric, (x, y) = METRICS[name], noisy(name)
    slow_x, slow_y = (Audio(a.samples, a.rate_hz // 2) for a in (x, y))
    stereo = Audio(np.repeat(y.samples, 2, axis=0), y.rate_hz)
    shorter = Audio(y.samples[:, :-100], y.rate_hz)
    with pytest.raises(Undefined, match=r"reference is at \d+ Hz, .* is defined at \d+ Hz"):
        metric.prepare(slow_x)
    with pytest.raises(Undefined, match="degraded signal is at"):
        scored(name, x, slow_y)
    with pytest.raises(Undefined, match="degraded signal has 2 channels, the reference has 1"):
        scored(name, x, stereo)
    if metric.spec.mono:
        with pytest.raises(Undefined, match=r"reference has 2 channels, .* is defined on 1"):
            metric.prepare(stereo)
    if metric.spec.any_length:
        assert math.isfinite(scored(name, x, shorter))
    else:
        with pytest.raises(Undefined, match=r"lasts [\d.]+ s .*, the reference [\d.]+ s"):
            scored(name, x, shorter)


@every_metric
def test_silence(name):
    x, y = noisy(name)
    for level in (0.0, 0.25):
        with pytest.raises(Undefined, match="reference is silent: all"):
            scored(name, Audio(np.full_like(x.samples, level), x.rate_hz), y)
    if name in DISTANCES:
        assert scored(name, x, at_snr(x, 30)) < scored(name, x, scaled(x, 0)) < math.inf
    else:
        with pytest.raises(Undefined, match="degraded signal is silent: all"):
            scored(name, x, scaled(x, 0))


@every_metric
def test_short_signals_and_extreme_levels_have_a_finite_score_or_none(name):
    def outcome(x, y):
        signals = (Audio(s.astype(np.float32), METRICS[name].spec.rate_hz) for s in (x, y))
        try:
            assert math.isfinite(scored(name, *signals))
        except Undefined as reason:
            return str(reason)
        return ""

    rng = np.random.default_rng(5)
    for num_samples in (1, 10, 100, 1000):
        reason = outcome(*rng.standard_normal((2, 1, num_samples)) * 0.1)
        assert not reason or "short" in reason or "silent" in reason, num_samples
    x, _ = noisy(name)
    noise = rng.standard_normal(x.samples.shape)
    for scale in (1e-38, 1e-10, 1e15):
        for both in ((x.samples, scale * noise), (scale * noise, x.samples), (scale * noise,) * 2):
            outcome(*both)


def test_equal_signals():
    assert METRICS.keys() - EQUAL.keys() == {"visqol_speech", "bandwidth_khz"}
    for name, expected in EQUAL.items():
        x, _ = noisy(name)
        y = Audio(x.samples.copy(), x.rate_hz)
        if expected is None:
            with pytest.raises(Undefined, match="SI-SDR is infinite"):
                scored(name, x, y)
        else:
            value, within = expected
            assert scored(name, x, y) == pytest.approx(value, abs=within), name


@every_metric
def test_which_metrics_hear_the_level(name):
    x, y = noisy(name)
    changes = [abs(scored(name, x, scaled(y, gain)) - scored(name, x, y)) for gain in (0.25, 2.0)]
    if name in LEVEL_FREE:
        assert max(changes) <= LEVEL_FREE[name]
    else:
        assert min(changes) > 1e-3


def test_a_delay_is_heard_by_those_that_do_not_take_it_away():
    for name in named("visqol", "pesq"):
        x, y = noisy(name)
        for delay_ms in (1, 30):
            late = moved(y, delay_ms * y.rate_hz // 1000)
            assert scored(name, x, late) == pytest.approx(scored(name, x, y), abs=0.3), name
    for name in ("si_sdr", "waveform_l1", "stoi", "estoi", "voicing_error"):
        x, _ = noisy(name)
        sign = 1 if METRICS[name].spec.better == "higher" else -1
        later = scored(name, x, moved(x, 50 * x.rate_hz // 1000))
        assert sign * (scored(name, x, moved(x, 1)) - later) > 0.01, name


@every_metric
def test_swapping_changes_a_score_that_has_a_direction(name):
    x, y = noisy(name)
    if name in SYMMETRIC:
        assert scored(name, y, x) == pytest.approx(scored(name, x, y), rel=1e-9)
        return
    x, y = pair(x.rate_hz, 25.0)
    samples = y.samples.copy()  # with a gap: speech that one signal has and the other lacks
    samples[:, round(0.3 * x.rate_hz) : round(0.75 * x.rate_hz)] = 0
    y = Audio(samples, x.rate_hz)
    ours = scored(name, x, y)
    assert abs(scored(name, y, x) - ours) > 0.05
    if name in PEERS and not name.startswith("visqol"):  # which test_visqol compares
        assert ours == pytest.approx(PEERS[name](x, y), abs=1e-4)
        assert abs(ours - PEERS[name](y, x)) > 0.05


def test_checks_that_few_metrics_reach():
    audio = Audio(np.array([[0.1, 0.2], [0.3, 0.3]], np.float32), 44_100)
    with pytest.raises(Undefined, match=r"silent in channel 1: all 2 samples are 0\.3"):
        METRICS["si_sdr"].prepare(audio)
    x, y = noisy("si_sdr")
    for value in (math.nan, math.inf):
        broken = _guards.guarded(SI_SDR, lambda _, value=value: lambda _: value)
        with pytest.raises(Undefined, match="si_sdr came out as"):
            broken(reference=x, degraded=y)
    versions = _guards.versions_of("numpy", "no-such-package-at-all", mapper="lattice")()
    assert versions["numpy"] == np.__version__
    assert versions["no-such-package-at-all"] == "not installed"
    assert versions["mapper"] == "lattice"
