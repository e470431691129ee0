"""Our scores against visqol-python's (envelope corrected) on the same pairs, run side by side."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from benchmarks import _visqol_peer
from snacbench.audio.resample import resample
from snacbench.metrics._visqol_compare import upper_envelope
from snacbench.metrics.visqol import moslqo
from snacbench.selectors import select
from snacbench.types import Audio, Codec
from snacbench.weights.locate import locate
from snacbench.weights.policy import WeightsPolicy
from tests.conftest import clip_at

TOLERANCE = 1e-4
DURATION_S = 6.0
OPUS = ("opus@8", "opus@14", "opus@24", "opus@64")
NEURAL = ("encodec-mini@1.5", "encodec-mini@12", "snac-mini", "lyra-v2@3.2", "lyra-v2@9.2")

Change = Callable[[np.ndarray, int], np.ndarray]
CHANGES: dict[str, Change] = {
    "as it is": lambda y, rate_hz: y,
    "7.3 ms late": lambda y, rate_hz: np.pad(y, (round(0.0073 * rate_hz), 0)),
    "3.1 ms early": lambda y, rate_hz: y[round(0.0031 * rate_hz) :],
    "without its end": lambda y, rate_hz: y[: round(0.7 * len(y))],
    "longer": lambda y, rate_hz: np.pad(y, (0, rate_hz // 2), mode="reflect"),
    "with a gap": lambda y, rate_hz: np.where(np.arange(len(y)) // rate_hz == 1, 0, y),
    "late by 0.4 s, quieter": lambda y, rate_hz: 0.3 * np.pad(y, (round(0.4 * rate_hz), 0)),
}


def differs_by(reference: Audio, degraded: Audio, mode: str) -> float:
    ours = moslqo(reference=reference, degraded=degraded, mode=mode)
    return abs(ours - _visqol_peer.score(reference=reference, degraded=degraded, mode=mode))


def changed(audio: Audio, change: Change) -> Audio:
    samples = change(audio.samples[0], audio.rate_hz)
    return Audio(np.ascontiguousarray(samples, np.float32)[np.newaxis], audio.rate_hz)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize(
    ("mode", "rate_hz"),
    [
        ("audio", 48_000),
        ("speech", 16_000),
        ("speech_exponential", 16_000),
        ("speech_exponential_unscaled", 16_000),
    ],
)
def test_synthetic_pairs(mode, rate_hz, change, make_voice, add_noise):
    reference = make_voice(rate_hz, 2.0)
    degraded = changed(add_noise(reference, 15), CHANGES[change])
    assert differs_by(reference, degraded, mode) < TOLERANCE


@pytest.mark.parametrize(
    ("mode", "rate_hz", "least"), [("audio", 48_000, 0.96), ("speech", 16_000, 0.64)]
)
def test_shortest_pair(mode, rate_hz, least, make_voice, add_noise):
    reference = make_voice(rate_hz, least)
    assert differs_by(reference, add_noise(reference, 20), mode) < TOLERANCE


@pytest.mark.parametrize("rate_hz", [22_050, 44_100])
def test_other_rates(rate_hz, make_voice, add_noise):
    reference = make_voice(rate_hz, 1.5)
    assert differs_by(reference, add_noise(reference, 20), "audio") < TOLERANCE


def test_the_peer_aligns_by_the_envelope_of_the_cpp_program(make_voice):
    x = make_voice(16_000, 1.0)
    _visqol_peer.score(reference=x, degraded=x, mode="speech_exponential")
    from visqol import alignment

    assert alignment.upper_envelope is upper_envelope


@pytest.mark.tools
def test_material_of_the_benchmark():
    (item,) = _visqol_peer.items(16_000, "speech", 1)
    assert len(item.degraded) == len(_visqol_peer.RATES_KBPS)
    assert all(y.num_samples == item.reference.num_samples for y in item.degraded)


@pytest.mark.slow
def test_seventy_pairs_of_real_clips_and_codecs(shared, lyra_folder, record_property):
    differences = {
        f"{clip} {codec} {change} {mode}": differs_by(reference, degraded, mode)
        for clip, codec, change, mode, reference, degraded in real_pairs(shared, lyra_folder)
    }
    assert len(differences) >= 100
    worst = max(differences, key=differences.__getitem__)
    record_property("largest difference", f"{differences[worst]:.1e}, {worst}")
    assert differences[worst] < TOLERANCE, worst


def real_pairs(
    shared: Path, lyra_folder: Path
) -> Iterator[tuple[str, str, str, str, Audio, Audio]]:
    """Every clip through one rate of Opus and one neural codec; changes in turn."""
    paths = sorted((shared / "audio" / "eval").rglob("*.flac"))
    for index, path in enumerate(paths):
        source = clip_at(path, 48_000, seconds=DURATION_S)
        for turn, selectors in enumerate((OPUS, NEURAL)):
            selector = selectors[index % len(selectors)]
            decoded = through(loaded(selector, lyra_folder), source)
            name = list(CHANGES)[(index + 3 * turn) % len(CHANGES)]
            modes = [("audio", 48_000)]
            if path.parent.name == "speech":
                modes += [("speech", 16_000), ("speech_exponential", 16_000)]
            for mode, rate_hz in modes:
                degraded = changed(resample(decoded, rate_hz), CHANGES[name])
                yield path.stem, selector, name, mode, resample(source, rate_hz), degraded


@functools.cache
def loaded(selector: str, lyra_folder: Path) -> Codec:
    ((model, spec),) = select(selector)
    weights = locate(model, WeightsPolicy("auto", {"lyra-v2": lyra_folder}))
    return model.load(spec, weights, "cpu")


def through(codec: Codec, source: Audio) -> Audio:
    """A clip as the codec returns it, at its own rate."""
    audio = resample(source, codec.spec.rate_hz or source.rate_hz)
    return codec.decode(codec.encode(audio), seed=0)
