"""Run folders with made-up rows, for what reads runs and never computes, and for laws."""

from collections.abc import Iterator, Mapping, Sequence
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
    speaker = f"speaker {number % speakers}" if speakers else None
    facts = f"tiny/{number:03}", Path(f"{number}.wav"), f"{number:064}", 8000, 1, 8000
    return Clip(*facts, domain="speech", cluster=speaker)


@dataclass
class System:
    """Values by metric and clip (NaN: undefined), clips that failed, kbps of all or each clip."""

    scores: Mapping[str, np.ndarray]
    kbps: float | Sequence[float] = 8.0
    failed: Sequence[int] = ()
    model: str = ""
    skipped: Mapping[str, Sequence[int]] = field(default_factory=dict)


def make_run(
    path: Path, scores: Mapping[str, Mapping[str, np.ndarray]], *,
    kbps: Mapping[str, float] | None = None, failed: Mapping[str, tuple[int, ...]] | None = None,
    speakers: int = 0, version: str = "1", **run: Any,
) -> RunFolder:  # fmt: skip
    """A run of codec -> metric -> one value per clip (NaN: undefined), with files of decodes."""
    count = max(len(values) for of in scores.values() for values in of.values())
    clips = [clip(number, speakers=speakers) for number in range(count)]
    request = replace(run.pop("request", Request()), codecs=",".join(scores))
    facts = {"codecs": tuple(map(codec, scores)), "request": request, **run}
    folder = RunFolder.create(path, replace(RUN, **facts), clips)
    for name, of in scores.items():
        system = System(of, (kbps or {}).get(name, 8.0), (failed or {}).get(name, ()))
        folder.append([Calibration(name, 0.003, 0.9, 1.0, True)])
        folder.append(rows_of(name, system, clips, version, folder))
    return folder


VOICE = replace(UP, name="voice", domains=("speech",))


def run_of(path: Path, systems: Mapping[str, System], domains: Sequence[Domain], *,
           set_id: str = "ab") -> Path:  # fmt: skip
    """A run folder of some systems on clips of these domains, 1 s each, without decodes."""
    clips = [replace(clip(number), id=f"{set_id}/{number:03}", domain=domain)
             for number, domain in enumerate(domains)]  # fmt: skip
    models = {name: system.model or name for name, system in systems.items()}
    specs = tuple(CodecSpec(name, model, "f", 8000, (1,)) for name, model in models.items())
    facts = {"set_sha256": set_id * 32, "codecs": specs, "metrics": (UP, DOWN, VOICE)}
    folder = RunFolder.create(path, replace(RUN, **facts), clips)
    for name, system in systems.items():
        folder.append(rows_of(name, system, clips))
    return path


def rows_of(
    name: str, system: System, clips: Sequence[Clip], version: str = "1",
    folder: RunFolder | None = None,
) -> Iterator[object]:  # fmt: skip
    """Rows of one codec; with a folder also histograms, and the files of decodes in it."""
    rates = np.broadcast_to(np.asarray(system.kbps, float), len(clips))
    for i, one in enumerate(clips):
        if i in system.failed:
            yield Coded(one.id, name, "failed", "broken", one.domain, 1.0)
            continue
        bits = Bits(codes=round(1000 * float(rates[i])))
        coded = Coded(one.id, name, "ok", "", one.domain, 1.0, bits)
        if folder:
            decoded = folder.decoded_path(one.id, name)
            decoded.parent.mkdir(parents=True, exist_ok=True)
            decoded.write_bytes((text := f"{name} {i}").encode())
            files = {"decoded": decoded.relative_to(folder.path).as_posix(), "decoded_sha256": text}
            how = {"decoded_rate_hz": 8000, "channel_mode": "mono", "encode_s": 0.1}
            coded = replace(coded, **files, **how, decode_s=0.2, seed=i)
            once = np.array([1], np.int32), np.array([9], np.int64)
            yield CodeHistogram(one.id, name, 0, 4, *once)
        yield coded
        for metric, values in system.scores.items():
            told: tuple[Any, ...] = ("ok", float(values[i]))
            if i in system.skipped.get(metric, ()):
                told = ("skipped", None, "for speech")
            elif np.isnan(values[i]):
                told = ("undefined", None, "silent")
            yield Score(one.id, name, metric, version, *told)
