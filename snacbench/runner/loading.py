"""The one codec that a worker process holds, how it computes, and how much of it fits at once."""

from __future__ import annotations

import gc
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

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
    """A GPU's memory as PyTorch's allocator keeps it; the computer's own is taken as enough."""

    def __init__(self, *, on_gpu: bool = False) -> None:
        self._cuda: Any = None
        self._at_begin = 0
        if on_gpu:
            import torch

            self._cuda = torch.cuda

    def free_bytes(self) -> float:
        """Bytes that a batch could take now: what is left, and what the allocator holds."""
        if self._cuda is None:
            return math.inf
        free, _ = self._cuda.mem_get_info()
        return float(free + self._cuda.memory_reserved() - self._cuda.memory_allocated())

    def begin(self) -> None:
        """Watch from here for the most that is taken."""
        if self._cuda is not None:
            self._cuda.reset_peak_memory_stats()
            self._at_begin = self._cuda.memory_allocated()

    def taken_bytes(self) -> float:
        """The most that was taken since `begin`, beyond what was taken then."""
        most = 0 if self._cuda is None else self._cuda.max_memory_allocated()
        return float(most - self._at_begin)

    def release(self) -> None:
        """Give back what is not in use."""
        if self._cuda is not None:
            self._cuda.empty_cache()


def is_out_of_memory(error: Exception) -> bool:
    """Whether a call failed for want of the device's memory; by name, without loading PyTorch."""
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
        self.limit = BatchLimit(DeviceMemory(on_gpu=self.on_gpu))

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

    def encode(self, signals: Sequence[Audio]) -> list[Encoded]:
        """What signals are encoded to, one after another."""
        with self.computing():
            return [self.codec.encode(signal) for signal in signals]

    def decode(self, parts: Sequence[Encoded], *, seed: int) -> list[Audio]:
        """What parts are decoded to, part i with `seed` + i."""
        with self.computing():
            return [self.codec.decode(part, seed=seed + i) for i, part in enumerate(parts)]

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


def now(loaded: LoadedCodec) -> float:
    """Wall-clock seconds; on a GPU, once it has finished what was asked of it."""
    if loaded.on_gpu:
        import torch

        torch.cuda.synchronize()
    return time.perf_counter()


_held: list[LoadedCodec] = []  # one at most: models go one after another to bound memory


def load(planned: PlannedCodec) -> LoadedCodec:
    """A codec, kept until another one is asked for.

    A network that works at several operating points is loaded once for all of them.
    """
    if not (_held and _held[0].adjust(planned)):
        unload()
        _held.append(opened(planned))
    return _held[0]


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
    while _held:
        memory = _held.pop().limit.memory
        gc.collect()
        memory.release()
