"""visqol-python as the peer of our ViSQOL: its scores, and how much longer it takes for them.

    python -m benchmarks._visqol_peer               # prints the ratios of CPU time

The package aligns by the magnitude of the analytic signal, Google's program by something else
(`upper_envelope`), so the package runs with the envelope corrected; this is cheaper than its own.
Its loops are compiled before the clock starts, and run in one thread.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from snacbench.audio.channels import downmix
from snacbench.audio.io import read_clip
from snacbench.audio.resample import resample
from snacbench.codecs import classic
from snacbench.metrics import visqol
from snacbench.metrics._visqol_compare import upper_envelope
from snacbench.testsets.opening import quick
from snacbench.types import Audio, Domain, Metric

RATES_KBPS = (6, 8, 12, 16, 24, 32, 48, 64)
CLIPS = 3
ROUNDS = 2
_MODES: dict[str, visqol.Mode] = {"visqol_audio": "audio", "visqol_speech": "speech"}
_OPTIONS: dict[str, dict[str, Any]] = {
    "audio": {"mode": "audio"},
    "speech": {"mode": "speech", "use_lattice_model": True},
    "speech_exponential": {"mode": "speech", "use_lattice_model": False},
    "speech_exponential_unscaled": {
        "mode": "speech",
        "use_lattice_model": False,
        "use_unscaled_speech": True,
    },
}


@dataclass(frozen=True)
class Item:
    """A reference with degraded versions of it, all at a metric's rate."""

    reference: Audio
    degraded: tuple[Audio, ...]


def score(*, reference: Audio, degraded: Audio, mode: visqol.Mode) -> float:
    """Score of visqol-python with the envelope corrected, channels averaged.

    Parameters
    ----------
    reference, degraded : Audio
        At one rate.
    mode : str
        As for `snacbench.metrics.visqol.prepared`.
    """
    x, y = (audio.samples.mean(axis=0, dtype=np.float64) for audio in (reference, degraded))
    return float(_program(mode).measure_from_arrays(x, y, reference.rate_hz).moslqo)


@functools.cache
def _program(mode: visqol.Mode) -> Any:
    import numba
    from visqol import VisqolApi, alignment

    numba.set_num_threads(1)
    # Looked up by name at every call.
    vars(alignment)["upper_envelope"] = upper_envelope
    program = VisqolApi()
    program.create(**_OPTIONS[mode])
    return program


def items(rate_hz: int, domain: Domain, count: int = CLIPS) -> list[Item]:
    """Clips of the embedded set through Opus at eight rates, at the rate of a metric."""
    clips = [clip for clip in quick().clips if clip.domain == domain][:count]
    sources = [resample(downmix(read_clip(clip)), classic.RATE_HZ) for clip in clips]
    return [_through_opus(source, rate_hz) for source in sources]


def _through_opus(source: Audio, rate_hz: int) -> Item:
    model = classic.MODELS[0]
    decoded = []
    for kbps in RATES_KBPS:
        codec = model.load(next(p for p in model.points if p.nominal_kbps == kbps), None, "cpu")
        decoded.append(codec.decode(codec.encode(source), seed=0))
    return Item(resample(source, rate_hz), tuple(resample(audio, rate_hz) for audio in decoded))


def ratios(clips: int = CLIPS, rounds: int = ROUNDS) -> dict[str, float]:
    """How many times the CPU seconds of visqol-python are those of ours, in this process.

    Set ``OMP_NUM_THREADS`` and ``OPENBLAS_NUM_THREADS`` to 1 before numpy is first imported.

    Returns
    -------
    dict
        ``visqol_audio_8`` and ``visqol_speech_8`` with eight degraded signals for each reference,
        ``visqol_audio_1`` and ``visqol_speech_1`` with the reference prepared for every pair.
    """
    costs = seconds_per_second(clips, rounds)
    return {
        f"{metric}_{degraded}": costs[f"{metric}_peer"] / costs[f"{metric}_{degraded}"]
        for metric in ("visqol_audio", "visqol_speech")
        for degraded in (8, 1)
    }


def seconds_per_second(clips: int = CLIPS, rounds: int = ROUNDS) -> dict[str, float]:
    """CPU seconds for a pair per second of its audio: ``visqol_audio_peer``, ``_8``, ``_1``..."""
    found = {}
    for metric, domain in zip(visqol.METRICS[:2], ("music", "speech"), strict=True):
        material = items(metric.spec.rate_hz, domain, clips)
        ways = {
            "peer": functools.partial(_score_by_peer, mode=_MODES[metric.spec.name]),
            "8": functools.partial(_score, metric, 8),
            "1": functools.partial(_score, metric, 1),
        }
        audio_s = sum(item.reference.duration_s * len(item.degraded) for item in material)
        for name, way in ways.items():
            way(material[0])  # compiles, loads models, builds filters
            found[f"{metric.spec.name}_{name}"] = np.inf
        for _ in range(rounds):
            for name, way in ways.items():
                key, cpu_s = f"{metric.spec.name}_{name}", _cpu_s(way, material)
                found[key] = min(found[key], cpu_s / audio_s)
    return found


def _score_by_peer(item: Item, mode: visqol.Mode) -> None:
    for degraded in item.degraded:
        score(reference=item.reference, degraded=degraded, mode=mode)


def _score(metric: Metric, per_reference: int, item: Item) -> None:
    for first in range(0, len(item.degraded), per_reference):
        prepared = metric.prepare(item.reference)
        for degraded in item.degraded[first : first + per_reference]:
            prepared(degraded=degraded)


def _cpu_s(way: Callable[[Item], None], material: Sequence[Item]) -> float:
    started = time.process_time()
    for item in material:
        way(item)
    return time.process_time() - started


if __name__ == "__main__":
    for name, value in ratios().items():
        print(f"ratio {name} {value:.2f}")
