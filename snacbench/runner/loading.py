"""The one codec that a worker process holds, how it computes, and how much of it fits at once."""

from __future__ import annotations

import gc
import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Protocol, runtime_checkable

from snacbench.runner.plan import CUDA, TORCH, PlannedCodec
from snacbench.selectors import model_named
from snacbench.types import Audio, Codec, CodecSpec, Encoded

MAX_BATCH = 32  # minutes of audio: enough to keep a GPU busy
_SHARE_OF_FREE = 0.8  # the rest is for what the estimate misses, and for fragmentation


@runtime_checkable
class BatchCodec(Protocol):
    """What a codec may offer beyond `Codec`: several signals at once.

    Signals of one `padded_length` may share a batch: each must come out as if it were alone, up
    to the rounding of floating-point sums.
    """

    @property
    def spec(self) -> CodecSpec:
        """The operating point."""

    def padded_length(self, num_samples: int) -> int:
        """Length to which the codec brings a signal of so many samples."""

    def encode_batch(self, signals: Sequence[Audio]) -> list[Encoded]:
        """Encode signals of one padded length."""

    def decode_batch(self, encoded: Sequence[Encoded], *, seeds: Sequence[int]) -> list[Audio]:
        """Decode them, each with its own seed."""


@runtime_checkable
class AdjustableCodec(Protocol):
    """What a codec may offer beyond `Codec`: the same network at another of its points."""

    def at(self, spec: CodecSpec) -> Codec:
        """The codec at another operating point of its model."""


class DeviceMemory:
    """A device's memory; the computer's own is not measured, and taken as enough."""

    def free_bytes(self) -> float:
        """Bytes that a batch could take now."""
        return math.inf

    def begin(self) -> None:
        """Watch from here for the most that is taken."""

    def taken_bytes(self) -> float:
        """The most that was taken since `begin`, beyond what was taken then."""
        return 0.0

    def release(self) -> None:
        """Give back what is not in use."""


class CudaMemory(DeviceMemory):
    """The GPU's memory, as PyTorch's allocator keeps it."""

    def __init__(self) -> None:
        import torch

        self._cuda, self._at_begin = torch.cuda, 0

    def free_bytes(self) -> float:
        """What the GPU has left and what the allocator holds in reserve."""
        free, _ = self._cuda.mem_get_info()
        return float(free + self._cuda.memory_reserved() - self._cuda.memory_allocated())

    def begin(self) -> None:
        """Watch from here for the most that is taken."""
        self._cuda.reset_peak_memory_stats()
        self._at_begin = self._cuda.memory_allocated()

    def taken_bytes(self) -> float:
        """The most that was taken since `begin`, beyond what was taken then."""
        return float(self._cuda.max_memory_allocated() - self._at_begin)

    def release(self) -> None:
        """Give back what is not in use."""
        self._cuda.empty_cache()


def is_out_of_memory(error: Exception) -> bool:
    """Whether a call failed for want of the device's memory.

    By name, so that who never loaded PyTorch need not load it to be told no.
    """
    return type(error).__name__ == "OutOfMemoryError" or "CUDA out of memory" in str(error)


@dataclass
class BatchLimit:
    """Batch sizes for one codec, from the memory that its earlier calls took.

    Memory is taken as proportional to the number of samples in a batch, padding included.
    """

    memory: DeviceMemory
    bytes_per_sample: float | None = None
    most_samples: float = math.inf

    def size(self, padded_length: int, asked: int | None) -> int:
        """Signals of a length in the next batch: `asked`, or as many as will probably fit.

        One, as long as nothing is known; never as many as have failed before.
        """
        if asked is not None:
            wanted = float(asked)
        elif self.bytes_per_sample is None:
            wanted = 1.0
        else:
            each_bytes = max(self.bytes_per_sample * padded_length, 1.0)
            wanted = min(_SHARE_OF_FREE * self.memory.free_bytes() / each_bytes, MAX_BATCH)
        return max(1, int(min(wanted, self.most_samples / padded_length)))

    def learn(self, samples: int) -> None:
        """A batch of so many samples has succeeded since `memory.begin`."""
        self.bytes_per_sample = self.memory.taken_bytes() / samples

    def failed(self, samples: int) -> None:
        """A batch of so many samples did not fit: the next ones have half of them at most."""
        self.most_samples = min(self.most_samples, samples / 2)
        self.memory.release()


@dataclass(eq=False)
class LoadedCodec:
    """A codec in memory, how it computes, and what is known of the memory it takes."""

    codec: Codec
    planned: PlannedCodec
    on_torch: bool = False
    warm: bool = False
    limit: BatchLimit = field(init=False)

    def __post_init__(self) -> None:
        self.limit = BatchLimit(CudaMemory() if self.on_gpu else DeviceMemory())

    @property
    def on_gpu(self) -> bool:
        """Whether it computes on a GPU."""
        return self.on_torch and self.planned.device == CUDA

    @contextmanager
    def computing(self) -> Iterator[None]:
        """Held while the codec encodes or decodes: PyTorch computes in its precision."""
        if not self.on_torch:
            yield
            return
        import torch

        precision = self.planned.precision
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
        reduced = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
        device = self.planned.device
        with torch.autocast(device, dtype=reduced) if reduced else nullcontext():
            yield

    def adjust(self, wanted: PlannedCodec) -> bool:
        """Become the codec of another plan, if that takes no other network."""
        if wanted == self.planned:
            return True
        same_model = wanted.spec.model == self.planned.spec.model
        if not same_model or replace(self.planned, spec=wanted.spec) != wanted:
            return False
        if not isinstance(self.codec, AdjustableCodec):
            return False
        self.codec, self.planned = self.codec.at(wanted.spec), wanted
        return True


class _Held:
    """Models go one after another to bound memory."""

    loaded: LoadedCodec | None = None


def load(planned: PlannedCodec) -> LoadedCodec:
    """A codec, kept until another one is asked for.

    A network that works at several operating points is loaded once for all of them.

    Raises
    ------
    UserError
        If its weights are damaged or do not fit.
    """
    held = _Held.loaded
    if held is not None and held.adjust(planned):
        return held
    unload()
    _Held.loaded = opened(planned)
    return _Held.loaded


def opened(planned: PlannedCodec) -> LoadedCodec:
    """A codec of the caller's own; raises as `load`."""
    model = model_named(planned.selector)
    on_torch = TORCH in model.requires
    if on_torch:
        import torch

        torch.set_num_threads(1)
    codec = model.load(planned.spec, planned.weights, planned.device)
    return LoadedCodec(codec, planned, on_torch=on_torch)


def unload() -> None:
    """Free the memory of the codec that is held, on its device too."""
    held, _Held.loaded = _Held.loaded, None
    if held is not None:
        memory = held.limit.memory
        del held
        gc.collect()
        memory.release()
