"""ViSQOL as a whole: against Google's program, against visqol-python, and where it has no score."""

import csv
import functools
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from benchmarks import _visqol_peer
from snacbench.audio.io import read
from snacbench.audio.resample import resample
from snacbench.errors import Undefined
from snacbench.metrics import visqol
from snacbench.metrics.visqol import METRICS, prepared
from snacbench.selectors import select
from snacbench.types import Audio
from snacbench.weights.locate import locate
from snacbench.weights.policy import WeightsPolicy
from tests.conftest import MATERIAL, clip_at
from tests.metrics.conftest import at_snr, voice

AUDIO, SPEECH, *_ = METRICS

FOLDER = MATERIAL / "visqol_conformance"
TABLE = FOLDER / "expected.csv"


def cases():
    if not TABLE.is_file():
        return []
    with TABLE.open(newline="") as stream:
        return list(csv.DictReader(stream))


def name(case):
    return f"{case['mode']}-{Path(case['reference']).stem}-{Path(case['degraded']).stem}"


@pytest.mark.parametrize("case", cases(), ids=name)
def test_equals_the_cpp_program(case):
    assert len(cases()) == 22
    mode = {"speech_lattice": "speech"}.get(case["mode"], case["mode"])
    reference, degraded = (read(FOLDER / case[which]) for which in ("reference", "degraded"))
    value = prepared(reference, mode)(degraded)
    assert value == pytest.approx(float(case["expected_moslqo"]), abs=float(case["tolerance"]))


TOLERANCE = 1e-4
OPUS = ("opus@8", "opus@14", "opus@24", "opus@64")
NEURAL = ("encodec-mini@1.5", "encodec-mini@12", "snac-mini", "lyra-v2@3.2", "lyra-v2@9.2")

CHANGES = {
    "as it is": lambda y, rate_hz: y,
    "7.3 ms late": lambda y, rate_hz: np.pad(y, (round(0.0073 * rate_hz), 0)),
    "3.1 ms early": lambda y, rate_hz: y[round(0.0031 * rate_hz) :],
    "without its end": lambda y, rate_hz: y[: round(0.7 * len(y))],
    "longer": lambda y, rate_hz: np.pad(y, (0, rate_hz // 2), mode="reflect"),
    "with a gap": lambda y, rate_hz: np.where(np.arange(len(y)) // rate_hz == 1, 0, y),
    "late by 0.4 s, quieter": lambda y, rate_hz: 0.3 * np.pad(y, (round(0.4 * rate_hz), 0)),
}


def differs_by(reference, degraded, mode):
    ours = prepared(reference, mode)(degraded)
    return abs(ours - _visqol_peer.score(reference=reference, degraded=degraded, mode=mode))


def changed(audio, change):
    samples = change(audio.samples[0], audio.rate_hz)
    return Audio(np.ascontiguousarray(samples, np.float32)[np.newaxis], audio.rate_hz)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(("mode", "rate_hz"), [
    ("audio", 48_000),
    ("speech", 16_000),
    ("speech_exponential", 16_000),
    ("speech_exponential_unscaled", 16_000),
])  # fmt: skip
def test_synthetic_pairs(mode, rate_hz, change):
    reference = voice(rate_hz, 2.0)
    assert differs_by(reference, changed(at_snr(reference, 15), CHANGES[change]), mode) < TOLERANCE


def test_the_shortest_pairs_and_other_rates():
    for mode, rate_hz, duration_s in (
        ("audio", 48_000, 0.96),
        ("speech", 16_000, 0.64),
        ("audio", 22_050, 1.5),
        ("audio", 44_100, 1.5),
    ):
        reference = voice(rate_hz, duration_s)
        assert differs_by(reference, at_snr(reference, 20), mode) < TOLERANCE


@pytest.mark.slow
def test_real_clips_and_codecs(shared, lyra_folder, record_property):
    """Every clip through one rate of Opus and one neural codec, changed in turn."""

    @functools.cache
    def loaded(selector):
        ((model, spec),) = select(selector)
        weights = locate(model, WeightsPolicy("auto", {"lyra-v2": lyra_folder}))
        return model.load(spec, weights, "cpu")

    worst = (0.0, "")
    for index, path in enumerate(sorted((shared / "audio" / "eval").rglob("*.flac"))):
        source = clip_at(path, 48_000, seconds=6.0)
        modes = [("audio", 48_000)]
        if path.parent.name == "speech":
            modes += [("speech", 16_000), ("speech_exponential", 16_000)]
        for turn, selectors in enumerate((OPUS, NEURAL)):
            codec = loaded(selectors[index % len(selectors)])
            encoded = codec.encode(resample(source, codec.spec.rate_hz or 48_000))
            decoded = codec.decode(encoded, seed=0)
            change = list(CHANGES)[(index + 3 * turn) % len(CHANGES)]
            for mode, rate_hz in modes:
                degraded = changed(resample(decoded, rate_hz), CHANGES[change])
                difference = differs_by(resample(source, rate_hz), degraded, mode)
                worst = max(worst, (difference, f"{path.stem} {codec.spec.name} {change} {mode}"))
    record_property("largest difference", worst)
    assert 0 < worst[0] < TOLERANCE, worst


def test_dissimilar_signals_get_the_lowest_score(monkeypatch):
    monkeypatch.setattr(visqol, "MIN_SIMILARITY", 1.1)
    x = voice(16_000)
    assert SPEECH(reference=x, degraded=at_snr(x, 20)) == 1.0


@pytest.mark.parametrize(("metric", "least_s"), [(AUDIO, 0.96), (SPEECH, 0.64)])
def test_too_short_or_too_quiet(metric, least_s):
    rate_hz = metric.spec.rate_hz
    enough = voice(rate_hz, least_s)
    assert 1 <= metric(reference=enough, degraded=at_snr(enough, 20)) <= 5
    short = Audio(enough.samples[:, :-1], rate_hz)
    with pytest.raises(Undefined, match="too short: the reference lasts"):
        metric.prepare(short)
    with pytest.raises(Undefined, match="too short: the degraded signal lasts"):
        metric(reference=enough, degraded=short)
    whisper = np.random.default_rng(0).standard_normal((1, 2 * rate_hz)) * 1e-6
    with pytest.raises(Undefined, match="too quiet: its loudest band is at"):
        metric.prepare(Audio(whisper.astype(np.float32), rate_hz))


def test_nothing_but_silence_left_after_alignment():
    rng = np.random.default_rng(0)
    burst = rng.standard_normal(800) * 0.5
    x, y = rng.standard_normal(16_000 * 3) * 1e-4, rng.standard_normal(11_000) * 1e-4
    x[:800] += burst
    y[-800:] += burst
    # An envelope below zero while there is an offset, and above it after that: best cut away.
    loud = rng.standard_normal(48_000) * 1e-4
    loud[:6_000] *= 1e3
    offset = np.where(np.arange(24_000) < 18_000, -0.5, 0.0)
    offset[5] = -0.51
    for pair, said in (((x, y), "of the 800 samples"), ((loud, offset), "samples that are left")):
        reference, degraded = (Audio(s.astype(np.float32)[None], 16_000) for s in pair)
        with pytest.raises(Undefined, match=rf"finds nothing to compare: .*{said}"):
            SPEECH(reference=reference, degraded=degraded)


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
