"""What an operating point takes to run: seconds, operations, parameters, memory and delay.

It is timed apart from coding, by one process, nothing beside it, always on the same embedded audio.
Each length is gone through once before it is timed: the first call pays for memory and code that
later ones find ready. A figure is called unstable by the criteria of pyperf's check, and where
other processes left no processor free.

Multiply-accumulates are counted by PyTorch's own FlopCounterMode, which sees whatever encoding and
decoding call; fvcore traces a module's `forward`, and what a codec does is in other methods. It
knows no LSTM, no distances to codebooks and no products with a single vector, which are counted by
hand here, and fused attention hides from it, so that attention is computed by plain matrix products
meanwhile.
"""

import ctypes
import math
import os
import re
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from snacbench.audio.channels import downmix
from snacbench.audio.io import read
from snacbench.audio.resample import resample
from snacbench.later import torch
from snacbench.request import Channels
from snacbench.rows import Cost, Speed
from snacbench.runner.coding import reason_of
from snacbench.runner.delay import Network, block_of, measure
from snacbench.runner.loading import BatchCodec, LoadedCodec, load, now, opened
from snacbench.runner.plan import CPU, CUDA, PlannedCodec
from snacbench.runner.pool import Job, Rows, default_jobs
from snacbench.runner.signal_rules import codec_inputs
from snacbench.runner.versions import machine
from snacbench.testsets import NAMED_SETS
from snacbench.types import Audio

DURATION_S = 10.0  # and up to whole blocks: what a codec pads no longer matters
_ANY_RATE_HZ = 48_000  # for codecs that take the clip's own
_FLOPS_PER_MAC = 2
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
    loaded.decode(encoded, seeds=range(len(encoded)) if batch > 1 else ())
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


# ------------------------------------------------------------ operations, memory and delay
@dataclass(frozen=True)
class CostJob(Job):
    """An operating point to be measured."""

    codec: PlannedCodec

    def run(self) -> Rows:
        """The row; where the codec's own code fails, it says why."""
        try:
            return [cost_of(load(self.codec))]
        except Exception as error:  # noqa: BLE001 - whatever a codec's own code raises
            return self.lost(reason_of(error))

    def lost(self, reason: str) -> Rows:
        """The row that says why there is nothing."""
        return [Cost(self.codec.spec.name, self.codec.device, reason=reason)]


def workers_for(codecs: Iterable[PlannedCodec]) -> int:
    """How many may be measured at once: who works beside changes no figure, but of a GPU's."""
    return default_jobs() if all(codec.device == CPU for codec in codecs) else 1


def cost_of(loaded: LoadedCodec) -> Cost:
    """Count and measure a codec that is loaded; raises what its own code raises."""
    codec, spec = loaded.codec, loaded.codec.spec
    rate_hz, channels = spec.rate_hz or _ANY_RATE_HZ, min(spec.channels or (1,))
    block = block_of(codec, rate_hz)
    length = (block or 1) * math.ceil(DURATION_S * rate_hz / (block or 1))
    noise = 0.1 * np.random.default_rng(1).standard_normal((channels, length))
    signal = Audio(noise.astype(np.float32), rate_hz)
    sizes = codec.params_m() if isinstance(codec, Network) else {}
    params_m = sum(sizes.values()) or spec.params_m
    peak_mb = _peak_mb(loaded, signal, params_m) if loaded.on_torch else None
    encode, decode = _macs_per_s(loaded, signal) if loaded.on_torch else ({}, {})
    if loaded.on_gpu:  # whose sums may differ from one time to the next
        codec = opened(replace(loaded.planned, device=CPU, precision="fp32")).codec
    delay, whole_file, positions = measure(codec, rate_hz)
    return Cost(
        spec.name, loaded.planned.device, rate_hz, channels, signal.duration_s, encode, decode,
        sizes, peak_mb, delay, whole_file, block, positions,
    )  # fmt: skip


def _macs_per_s(loaded: LoadedCodec, signal: Audio) -> tuple[dict[str, float], dict[str, float]]:
    """Multiply-accumulates per second of audio of encoding and of decoding, by part."""
    parts = loaded.codec.parts() if isinstance(loaded.codec, Network) else {}

    def side(part: str, work: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
        modules = parts.get(part, ())
        result, total, within = counted(work, modules)
        found = {part: within, "quantiser": total - within} if modules else {"codec": total}
        return result, {name: macs / signal.duration_s for name, macs in found.items()}

    encoded, encode = side("encoder", lambda: loaded.encode([signal]))
    _, decode = side("decoder", lambda: loaded.decode(encoded, seed=0))
    return encode, decode


def counted(work: Callable[[], Any], modules: Sequence[Any] = ()) -> tuple[Any, float, float]:
    """What work returns, and its multiply-accumulates: all of them, and those within modules.

    Those of convolutions, matrix products, attention, recurrent layers and distances to codebooks;
    not what is done to single values, such as activations and norms.
    """
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    aten, fused, within = torch.ops.aten, torch.backends.mha.get_fastpath_enabled(), 0
    # By overload, so that they are not taken apart, and by packet, for which they are counted.
    unknown: dict[Any, Callable[..., int]] = {
        **dict.fromkeys((aten.lstm, aten.lstm.input), _lstm_flops),
        **dict.fromkeys(  # every row with every other row
            (aten.cdist, aten.cdist.default),
            lambda rows, others, *_, **__: _FLOPS_PER_MAC * math.prod(rows) * others[-2],
        ),
        **dict.fromkeys((aten.mv, aten.dot), lambda a, *_, **__: _FLOPS_PER_MAC * math.prod(a)),
        aten.addmv: lambda _, a, *__, **___: _FLOPS_PER_MAC * math.prod(a),
    }
    counter = FlopCounterMode(display=False, custom_mapping=unknown)

    def count(sign: int, *_: Any) -> None:
        nonlocal within
        within += sign * counter.get_total_flops()

    hooks = [module.register_forward_pre_hook(partial(count, -1)) for module in modules]
    hooks += [module.register_forward_hook(partial(count, 1)) for module in modules]
    torch.backends.mha.set_fastpath_enabled(False)  # fused kernels hide their work
    try:
        # Out of inference mode an LSTM is a kernel of each backend's own.
        with torch.inference_mode(), sdpa_kernel(SDPBackend.MATH), counter:
            result = work()
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)
        for hook in hooks:
            hook.remove()
    return result, counter.get_total_flops() / _FLOPS_PER_MAC, within / _FLOPS_PER_MAC


def _lstm_flops(data: Sequence[int], *rest: Any, **_: Any) -> int:
    """Every step multiplies by every weight matrix once; the arguments are shapes."""
    lists = [one for one in rest if isinstance(one, list | tuple)]
    shapes = [shape for one in lists for shape in one if isinstance(shape, tuple)]
    weights = sum(math.prod(shape) for shape in shapes if len(shape) == 2)
    return _FLOPS_PER_MAC * math.prod(data[:-1]) * weights


def _peak_mb(loaded: LoadedCodec, signal: Audio, params_m: float | None) -> float | None:
    """Weights, and the most memory that coding a signal takes beside, in 10^6 bytes."""
    # On a GPU what PyTorch has allocated there, else what the process has resident; None where the
    # system does not tell (only Linux does), nor a plug-in how many parameters it has.
    if loaded.on_gpu:
        torch.cuda.reset_peak_memory_stats()
        loaded.decode(loaded.encode([signal]), seed=0)
        return float(torch.cuda.max_memory_allocated() / 1e6)
    if params_m is None:
        return None
    warm = Audio(signal.samples[:, : signal.rate_hz // 10], signal.rate_hz)
    loaded.decode(loaded.encode([warm]), seed=0)  # what is loaded at first use stays
    with suppress(OSError, AttributeError, ValueError):
        ctypes.CDLL(None).malloc_trim(0)  # what was freed is not there to be used again
        Path("/proc/self/clear_refs").write_text("5")  # the peak is from now on
        before = resident_bytes("VmRSS")
        loaded.decode(loaded.encode([signal]), seed=0)
        return (resident_bytes("VmHWM") - before) / 1e6 + 4 * params_m
    return None


def resident_bytes(which: str, pid: int | str = "self") -> float:
    """Memory of a process as Linux tells it: ``VmRSS`` now, ``VmHWM`` at most; 0 if it does not."""
    with suppress(OSError):
        if found := re.search(rf"{which}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text()):
            return 1024.0 * int(found[1])
    return 0.0
