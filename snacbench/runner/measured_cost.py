"""What an operating point takes to run: multiply-accumulates, parameters, memory and delay.

Operations are counted by PyTorch's own FlopCounterMode, which sees whatever encoding and decoding
call; fvcore traces a module's `forward`, and what a codec does is in other methods. It knows no
LSTM, no distances to codebooks and no products with a single vector, which are counted by hand
here, and fused attention hides from it, so that attention is computed by plain matrix products
meanwhile.
"""

import ctypes
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from snacbench.later import torch
from snacbench.rows import Cost
from snacbench.runner.coding import reason_of
from snacbench.runner.delay import Network, block_of, measure
from snacbench.runner.loading import LoadedCodec, load, opened
from snacbench.runner.plan import CPU, PlannedCodec
from snacbench.runner.pool import Job, Rows, default_jobs
from snacbench.types import Audio

DURATION_S = 10.0  # and up to whole blocks: what a codec pads no longer matters
_ANY_RATE_HZ = 48_000  # for codecs that take the clip's own
_FLOPS_PER_MAC = 2


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
    within = 0

    def enter(*_: Any) -> None:
        nonlocal within
        within -= counter.get_total_flops()

    def leave(*_: Any) -> None:
        nonlocal within
        within += counter.get_total_flops()

    with _counter() as counter:
        hooks = [module.register_forward_pre_hook(enter) for module in modules]
        hooks += [module.register_forward_hook(leave) for module in modules]
        try:
            result = work()
        finally:
            for hook in hooks:
                hook.remove()
    return result, counter.get_total_flops() / _FLOPS_PER_MAC, within / _FLOPS_PER_MAC


@contextmanager
def _counter() -> Iterator[Any]:
    """PyTorch's counter, with what it does not know, and no fused kernels that hide their work."""
    from torch.nn.attention import SDPBackend, sdpa_kernel
    from torch.utils.flop_counter import FlopCounterMode

    aten, fused = torch.ops.aten, torch.backends.mha.get_fastpath_enabled()
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
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with (
            torch.inference_mode(),  # else an LSTM is a kernel of each backend's own
            sdpa_kernel(SDPBackend.MATH),
            FlopCounterMode(display=False, custom_mapping=unknown) as counter,
        ):
            yield counter
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


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
