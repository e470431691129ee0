"""The one codec that a worker process holds."""

from __future__ import annotations

import gc
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from typing import Any, Protocol, runtime_checkable

from snacbench.models import LocatedWeights
from snacbench.runner.memory import BatchLimit, memory_of
from snacbench.runner.plan import PlannedCodec, Request
from snacbench.runner.precision import Precision, computing
from snacbench.selectors import model_named
from snacbench.types import Audio, Codec, CodecSpec, Encoded

TORCH = "torch"
CPU, CUDA = "cpu", "cuda"


@dataclass(frozen=True)
class CodecHandle:
    """All that a worker needs to load a codec; small enough to send with every job.

    `batch` is how many signals go through it at once, None as many as fit.
    """

    selector: str
    spec: CodecSpec
    weights: LocatedWeights | None
    device: str
    precision: Precision = "fp32"
    batch: int | None = 1


def handle_of(codec: PlannedCodec, request: Request) -> CodecHandle:
    """How a worker loads a codec; only PyTorch's take a device, a precision and batches."""
    handle = CodecHandle(
        codec.model.selector or codec.model.name, codec.spec, codec.weights, device=CPU
    )
    if TORCH not in codec.model.requires:
        return handle
    # Batches gain nothing on the CPU: there the default is one clip at a time.
    batch = request.batch if request.device == CUDA else request.batch or 1
    return replace(handle, device=request.device, precision=request.precision, batch=batch)


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


@dataclass(eq=False)
class LoadedCodec:
    """A codec in memory, how it computes, and what is known of the memory it takes."""

    codec: Codec
    handle: CodecHandle
    limit: BatchLimit = field(init=False)
    on_torch: bool = False
    warm: bool = False

    def __post_init__(self) -> None:
        self.limit = BatchLimit(memory_of(self.handle.device if self.on_torch else "cpu"))

    def computing(self) -> AbstractContextManager[Any]:
        """Held while the codec encodes or decodes."""
        if not self.on_torch:
            return nullcontext()
        return computing(self.handle.device, self.handle.precision)

    def adjust(self, wanted: CodecHandle) -> bool:
        """Become the codec of another handle, if that takes no other network."""
        if wanted == self.handle:
            return True
        same_model = wanted.spec.model == self.handle.spec.model
        if not same_model or replace(self.handle, spec=wanted.spec) != wanted:
            return False
        if not isinstance(self.codec, AdjustableCodec):
            return False
        self.codec, self.handle = self.codec.at(wanted.spec), wanted
        return True


class _Held:
    """Models go one after another to bound memory."""

    loaded: LoadedCodec | None = None


def load(handle: CodecHandle) -> LoadedCodec:
    """The codec of a handle, kept until another one is asked for.

    A network that works at several operating points is loaded once for all of them.

    Raises
    ------
    UserError
        If its weights are damaged or do not fit.
    """
    held = _Held.loaded
    if held is not None and held.adjust(handle):
        return held
    unload()
    model = model_named(handle.selector)
    on_torch = TORCH in model.requires
    if on_torch:
        import torch

        torch.set_num_threads(1)
    codec = model.load(handle.spec, handle.weights, handle.device)
    _Held.loaded = LoadedCodec(codec, handle, on_torch=on_torch)
    return _Held.loaded


def unload() -> None:
    """Free the memory of the codec that is held, on its device too."""
    held, _Held.loaded = _Held.loaded, None
    if held is None:
        return
    memory = held.limit.memory
    del held
    gc.collect()
    memory.release()
