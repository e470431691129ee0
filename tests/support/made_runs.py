"""Runs with made-up rows, for laws about what is made of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from snacbench.request import Request
from snacbench.rows import Bits, Coded, Run, Score
from snacbench.store.run_folder import RunFolder
from snacbench.types import Clip, CodecSpec, Domain, MetricSpec

UP = MetricSpec("up", "dB", "higher", (-1e9, 1e9), 8000, "nobody")
DOWN = replace(UP, name="down", better="lower")
VOICE = replace(UP, name="voice", domains=("speech",))
METRICS = (UP, DOWN, VOICE)


@dataclass
class System:
    """Values by metric and clip (NaN: undefined), clips that failed, kbps of all or each clip."""

    scores: Mapping[str, np.ndarray]
    kbps: float | Sequence[float] = 8.0
    failed: Sequence[int] = ()
    model: str = ""
    skipped: Mapping[str, Sequence[int]] = field(default_factory=dict)


def run_of(
    path: Path, systems: Mapping[str, System], domains: Sequence[Domain], *, set_id: str = "ab"
) -> Path:
    """A run folder of some systems on clips of these domains, 1 s each."""
    clips = [
        Clip(f"{set_id}/{i:03}", Path(f"{i}.wav"), f"{i:064}", 8000, 1, 8000, domain=domain)
        for i, domain in enumerate(domains)
    ]
    specs = tuple(
        CodecSpec(name, system.model or name, "f", 8000, (1,)) for name, system in systems.items()
    )
    run = Run("r", "now", "1", 2, Request(), 0, "cpu", "tiny", set_id * 32, specs, METRICS)
    folder = RunFolder.create(path, run, clips)
    for name, system in systems.items():
        rates = np.broadcast_to(np.asarray(system.kbps, float), len(clips))
        for i, clip in enumerate(clips):
            if i in system.failed:
                folder.append([Coded(clip.id, name, "failed", "broken", clip.domain, 1.0)])
                continue
            bits = Bits(codes=round(1000 * float(rates[i])))
            coded = Coded(clip.id, name, "ok", "", clip.domain, 1.0, bits)
            folder.append([coded, *(_score(clip, name, system, m, i) for m in system.scores)])
    return path


def _score(clip: Clip, name: str, system: System, metric: str, index: int) -> Score:
    if index in system.skipped.get(metric, ()):
        return Score(clip.id, name, metric, "1", "skipped", None, "for speech")
    value = float(system.scores[metric][index])
    if np.isnan(value):
        return Score(clip.id, name, metric, "1", "undefined", None, "silent")
    return Score(clip.id, name, metric, "1", "ok", value)
