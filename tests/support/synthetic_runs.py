"""Run folders with made-up rows, for what reads runs and never computes, and for laws."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from snacbench.request import Request
from snacbench.rows import Bits, Calibration, Coded, CodeHistogram, Run, Score
from snacbench.store.run_folder import RunFolder
from snacbench.types import Clip, CodecSpec, Domain, MetricSpec, Stream

UP = MetricSpec("up", "dB", "higher", (-1e9, 1e9), 8000, "nobody")
DOWN = replace(UP, name="down", better="lower", unit="1")
RUN = Run("r", "2026-01-01", "1.2", 2, Request(), 7, "cpu", "tiny", "ab" * 32, (), (UP, DOWN))


def codec(name: str, **fields: Any) -> CodecSpec:
    streams = (Stream(Fraction(10), 4),)
    return CodecSpec(name, name.partition("@")[0], "f", 8000, (1,), streams, **fields)


def clip(number: int, *, speakers: int = 0) -> Clip:
    return Clip(
        id=f"tiny/{number:03}",
        path=Path(f"{number}.wav"),
        sha256=f"{number:064}",
        rate_hz=8000,
        channels=1,
        num_samples=8000,
        domain="speech",
        cluster=f"speaker {number % speakers}" if speakers else None,
    )


def make_run(
    path: Path,
    scores: Mapping[str, Mapping[str, np.ndarray]],
    *,
    kbps: Mapping[str, float] | None = None,
    failed: Mapping[str, tuple[int, ...]] | None = None,
    speakers: int = 0,
    version: str = "1",
    **run: Any,
) -> RunFolder:
    """A run of codec -> metric -> one value per clip (NaN: undefined)."""
    count = max(len(values) for of in scores.values() for values in of.values())
    clips = [clip(number, speakers=speakers) for number in range(count)]
    specs = tuple(codec(name) for name in scores)
    request = replace(run.pop("request", Request()), codecs=",".join(scores))
    folder = RunFolder.create(path, replace(RUN, codecs=specs, request=request, **run), clips)
    for name, of in scores.items():
        lost = (failed or {}).get(name, ())
        bits = round(1000 * (kbps or {}).get(name, 8.0))
        folder.append([Calibration(name, 0.003, 0.9, 1.0, True)])
        rows: list[object] = []
        for number, of_clip in enumerate(clips):
            if number in lost:
                rows.append(Coded(of_clip.id, name, "failed", "broken", "speech"))
                continue
            decoded = folder.decoded_path(of_clip.id, name)
            decoded.parent.mkdir(parents=True, exist_ok=True)
            decoded.write_bytes(f"{name} {number}".encode())
            rows += [
                Coded(
                    of_clip.id, name, "ok", "", "speech", 1.0, Bits(codes=bits),
                    decoded.relative_to(path).as_posix(), f"{name} {number}", 8000, "mono",
                    encode_s=0.1, decode_s=0.2, seed=number,
                ),
                CodeHistogram(
                    of_clip.id, name, 0, 4, np.array([1], np.int32), np.array([9], np.int64)
                ),
                *(_score(of_clip.id, name, m, version, v[number]) for m, v in of.items()),
            ]  # fmt: skip
        folder.append(rows)
    return folder


def _score(clip_id: str, name: str, metric: str, version: str, value: float) -> Score:
    if np.isnan(value):
        return Score(clip_id, name, metric, version, "undefined", None, "silent")
    return Score(clip_id, name, metric, version, "ok", float(value))


VOICE = replace(UP, name="voice", domains=("speech",))


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
        replace(clip(number), id=f"{set_id}/{number:03}", domain=domain)
        for number, domain in enumerate(domains)
    ]
    specs = tuple(
        CodecSpec(name, system.model or name, "f", 8000, (1,)) for name, system in systems.items()
    )
    facts = {"set_sha256": set_id * 32, "codecs": specs, "metrics": (UP, DOWN, VOICE)}
    folder = RunFolder.create(path, replace(RUN, **facts), clips)
    for name, system in systems.items():
        rates = np.broadcast_to(np.asarray(system.kbps, float), len(clips))
        for i, one in enumerate(clips):
            if i in system.failed:
                folder.append([Coded(one.id, name, "failed", "broken", one.domain, 1.0)])
                continue
            bits = Bits(codes=round(1000 * float(rates[i])))
            rows: list[object] = [Coded(one.id, name, "ok", "", one.domain, 1.0, bits)]
            for metric, values in system.scores.items():
                row = _score(one.id, name, metric, "1", values[i])
                if i in system.skipped.get(metric, ()):
                    row = Score(one.id, name, metric, "1", "skipped", None, "for speech")
                rows.append(row)
            folder.append(rows)
    return path
