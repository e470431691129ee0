"""The speed of an operating point: measured apart from coding, by one process, nothing beside it.

Always on the same embedded audio, each length gone through once before it is timed: the first call
pays for memory and code that later ones find ready. A figure is called unstable by the criteria of
pyperf's check, and where other processes left no processor free.
"""

import os
import statistics
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from snacbench.audio.channels import downmix
from snacbench.audio.io import read
from snacbench.audio.resample import resample
from snacbench.later import torch
from snacbench.request import Channels
from snacbench.rows import Speed
from snacbench.runner.loading import BatchCodec, LoadedCodec, load, now
from snacbench.runner.plan import CUDA, PlannedCodec
from snacbench.runner.pool import Job, Rows
from snacbench.runner.signal_rules import codec_inputs
from snacbench.runner.versions import machine
from snacbench.testsets import NAMED_SETS
from snacbench.types import Audio

MATERIAL_S = 3.0  # one second of each domain
SHORT_S = 1.0  # for codecs so slow that the budget would end before `_FEWEST_REPEATS` of these
_MATERIAL_RATE_HZ = 48_000
_FEWEST_REPEATS, _MOST_REPEATS = 3, 10
# By these, pyperf's check calls a benchmark unstable.
_MOST_DEVIATION = 0.10  # of the standard deviation, over the mean
_MOST_EXTREME = 0.50  # of the least and of the greatest value from the mean, over the mean
_SHORTEST_S = 1e-3
# And by this, interference: what a thread of its own needs, less what a measure of it may be off.
_LEAST_FREE_PROCESSORS = 0.9
_LOAD_TAKES_S = 0.1  # the kernel counts in hundredths of a second


@dataclass(frozen=True)
class SpeedJob(Job):
    """An operating point to be timed, in `budget_s` seconds beyond what loading it takes."""

    codec: PlannedCodec
    channels: Channels
    budget_s: float

    def row(self, **found: Any) -> Speed:
        """The row of this job, with what was found."""
        codec, here = self.codec, machine()
        name = f"{here['processor']}, {here['cores']} cores"
        row = Speed(codec.spec.name, codec.device, codec.precision, name)
        return replace(row, starts_process=codec.spec.family == "command", **found)

    def run(self) -> Rows:
        """The row, timed; where the codec's own code fails, it says why."""
        try:
            loaded = load(self.codec)
            before = processor_seconds()
            deadline = now(loaded) + self.budget_s
            batch = (self.codec.batch or 1) if isinstance(loaded.codec, BatchCodec) else 1
            duration_s, inputs = SHORT_S, _inputs(self, SHORT_S)
            _once(loaded, inputs, batch)
            repeats = [_once(loaded, inputs, batch)]
            longer_s = sum(repeats[0]) * MATERIAL_S / SHORT_S
            if (1 + _FEWEST_REPEATS) * longer_s <= deadline - now(loaded):
                duration_s, inputs = MATERIAL_S, _inputs(self, MATERIAL_S)
                _once(loaded, inputs, batch)
                repeats = [_once(loaded, inputs, batch)]
            while len(repeats) < _MOST_REPEATS and now(loaded) + sum(repeats[-1]) <= deadline:
                repeats.append(_once(loaded, inputs, batch))
            encode_s, decode_s = zip(*repeats, strict=True)
            row = self.row(duration_s=duration_s, encode_s=encode_s, decode_s=decode_s, batch=batch)
            if self.codec.device == CUDA:
                row = replace(row, device=f"{CUDA} {torch.cuda.get_device_name()}")
        except Exception as error:  # noqa: BLE001 - whatever a codec's own code raises is its reason
            return self.lost(f"{type(error).__name__}: {error}")
        row = replace(row, load=load_between(before, processor_seconds()))
        return [replace(row, unstable=why_unstable(row, processors=os.cpu_count() or 1))]

    def lost(self, reason: str) -> Rows:
        """The row that says why there is nothing."""
        return [self.row(reason=reason)]


def _once(loaded: LoadedCodec, inputs: list[Audio], batch: int) -> tuple[float, float]:
    """Seconds of encoding and of decoding, all signals of a batch together."""
    began = now(loaded)
    encoded = loaded.encode(inputs * batch, together=batch > 1)
    between = now(loaded)
    if batch > 1:
        loaded.decode_batch(encoded, seeds=range(len(encoded)))
    else:
        loaded.decode(encoded, seed=0)
    return between - began, now(loaded) - between


def _inputs(job: SpeedJob, seconds: float) -> list[Audio]:
    """The beginning of the material as a codec of the run gets its clips."""
    # The material is a second from the middle of an embedded clip of each domain.
    clips = NAMED_SETS["quick"].build().clips
    firsts = {clip.domain: clip for clip in sorted(clips, key=lambda c: (c.rate_hz, c.id))}
    parts = []
    for domain in ("speech", "music", "environment"):
        clip = firsts[domain]
        start = clip.start + (clip.num_samples - clip.rate_hz) // 2
        audio = downmix(read(clip.path, start=start, num_samples=clip.rate_hz))
        parts.append(resample(audio, _MATERIAL_RATE_HZ).samples[0])
    mono = np.concatenate(parts)[: round(seconds * _MATERIAL_RATE_HZ)]
    channels = [mono] if job.channels == "mono" else [mono, mono[::-1]]  # not alike
    source = Audio(np.stack(channels).astype(np.float32), _MATERIAL_RATE_HZ)
    return codec_inputs(source, job.codec.spec)[0]


def why_unstable(row: Speed, *, processors: int) -> str:
    """Why the figures of a row are not to be relied on; empty where they are."""
    signs = []
    if (n := len(row.encode_s)) < _FEWEST_REPEATS:
        signs.append(f"{n} repeats within the budget, fewer than {_FEWEST_REPEATS}")
    for what, seconds in (("encoding", row.encode_s), ("decoding", row.decode_s)):
        if min(seconds) < _SHORTEST_S:
            signs.append(f"{what} takes less than {1000 * _SHORTEST_S:g} ms")
            continue
        mean = statistics.fmean(seconds)
        deviation = statistics.stdev(seconds) / mean if n > 1 else 0.0
        extreme = max(abs(end - mean) for end in (min(seconds), max(seconds))) / mean
        if deviation >= _MOST_DEVIATION:
            signs.append(f"standard deviation of {what} {deviation:.0%} of its mean")
        elif extreme >= _MOST_EXTREME:
            signs.append(f"a repeat of {what} {extreme:.0%} off its mean")
    if row.load is not None and processors - row.load < _LEAST_FREE_PROCESSORS:
        signs.append(f"other processes kept {row.load:.1f} of {processors} processors busy")
    return "; ".join(signs)


def load_between(
    before: tuple[float, float] | None, after: tuple[float, float] | None
) -> float | None:
    """How many processors other processes kept busy between two times; None: it is not known."""
    if before is None or after is None:
        return None
    passed_s, others_s = (then - now for now, then in zip(before, after, strict=True))
    return max(0.0, others_s / passed_s) if passed_s >= _LOAD_TAKES_S else None


def processor_seconds() -> tuple[float, float] | None:
    """The time, and seconds for which processors were busy with anything but this process."""
    try:
        counts = [int(n) for n in Path("/proc/stat").read_text("ascii").split("\n")[0].split()[1:]]
        # user, nice, system, idle, iowait, irq, softirq, steal: man 5 proc_stat
        busy = sum(counts[:3]) + sum(counts[5:8])
        return time.monotonic(), busy / os.sysconf("SC_CLK_TCK") - sum(os.times()[:4])
    except (OSError, ValueError):
        return None
