"""The one codec that a worker process holds, how it computes, and how much of it fits at once."""

import gc
import math
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import Protocol, runtime_checkable

from snacbench.later import torch
from snacbench.runner.plan import CUDA, TORCH, PlannedCodec
from snacbench.selectors import model_named
from snacbench.types import Audio, Codec, Encoded

MAX_BATCH = 32  # minutes of audio: enough to keep a GPU busy


@runtime_checkable
class BatchCodec(Protocol):
    """What a codec may offer beyond `Codec`: several signals at once.

    Signals of one `padded_length` may share a batch: each must come out as if it were alone, up
    to the rounding of floating-point sums.
    """

    def padded_length(self, num_samples: int) -> int:
        """Length to which the codec brings a signal of so many samples."""

    def encode_batch(self, signals: Sequence[Audio]) -> list[Encoded]:
        """Encode signals of one padded length."""

    def decode_batch(self, encoded: Sequence[Encoded], *, seeds: Sequence[int]) -> list[Audio]:
        """Decode them, each with its own seed."""


def is_out_of_memory(error: Exception) -> bool:
    """Whether a call failed for want of the device's memory; by name, without loading PyTorch."""
    return type(error).__name__ == "OutOfMemoryError" or "CUDA out of memory" in str(error)


@dataclass(eq=False)
class LoadedCodec:
    """A codec in memory, how it computes, and how much fits into its device at once.

    `most_samples` bounds a batch, padding included, once one was too large.
    """

    codec: Codec
    planned: PlannedCodec
    on_torch: bool = False
    most_samples: float = math.inf

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
        precision = self.planned.precision
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"
        torch.backends.cudnn.allow_tf32 = precision == "tf32"
        reduced = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision)
        device = self.planned.device
        with torch.autocast(device, dtype=reduced) if reduced else nullcontext():
            yield

    def batch_size(self, padded_length: int, asked: int | None) -> int:
        """Signals of a length in the next batch: as many as asked for, or as may fit."""
        return max(1, int(min(asked or MAX_BATCH, self.most_samples / padded_length)))

    def was_too_large(self, samples: int) -> None:
        """A batch of so many samples did not fit: the next ones have half of them at most."""
        self.most_samples = min(self.most_samples, samples / 2)
        _free(on_gpu=self.on_gpu)

    def encode(self, signals: Sequence[Audio], *, together: bool = False) -> list[Encoded]:
        """What signals are encoded to: one after another, or in a batch of a `BatchCodec`."""
        with self.computing():
            if together and isinstance(self.codec, BatchCodec):
                return self.codec.encode_batch(signals)
            return [self.codec.encode(signal) for signal in signals]

    def decode(
        self, parts: Sequence[Encoded], *, seed: int = 0, seeds: Sequence[int] = ()
    ) -> list[Audio]:
        """Parts decoded, part i with `seed` + i; with `seeds` in a batch of a `BatchCodec`."""
        with self.computing():
            if seeds and isinstance(self.codec, BatchCodec):
                return self.codec.decode_batch(parts, seeds=seeds)
            return [self.codec.decode(part, seed=seed + i) for i, part in enumerate(parts)]


def now(loaded: LoadedCodec) -> float:
    """Wall-clock seconds; on a GPU, once it has finished what was asked of it."""
    if loaded.on_gpu:
        torch.cuda.synchronize()
    return time.perf_counter()


_held: list[LoadedCodec] = []  # one at most: models go one after another to bound memory


def load(planned: PlannedCodec) -> LoadedCodec:
    """A codec, kept until another one is asked for.

    A network that works at several operating points is loaded once for all of them, under
    whatever condition: a codec may offer ``at(spec)``, which is itself at another point of its
    model.
    """
    planned = planned.base
    if _held and (before := _held[0].planned) != planned:
        at = getattr(_held[0].codec, "at", None)
        same_model = before.spec.model == planned.spec.model
        if at and same_model and replace(before, spec=planned.spec) == planned:
            _held[0].codec, _held[0].planned = at(planned.spec), planned
        else:
            unload()
    if not _held:
        _held.append(opened(planned))
    return _held[0]


def opened(planned: PlannedCodec) -> LoadedCodec:
    """A codec of the caller's own; raises as `load`."""
    model = model_named(planned.selector)
    on_torch = TORCH in model.requires
    if on_torch:
        torch.set_num_threads(1)
    codec = model.load(planned.spec, planned.weights, planned.device)
    return LoadedCodec(codec, planned, on_torch=on_torch)


def unload() -> None:
    """Free the memory of the codec that is held, on its device too."""
    while _held:
        on_gpu = _held.pop().on_gpu
        _free(on_gpu=on_gpu)


def _free(*, on_gpu: bool) -> None:
    gc.collect()
    if on_gpu:
        torch.cuda.empty_cache()
