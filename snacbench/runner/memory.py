"""How many signals go through a codec at once: as many as the device has memory for."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

MAX_BATCH = 32  # minutes of audio: enough to keep a GPU busy
_SHARE_OF_FREE = 0.8  # the rest is for what the estimate misses, and for fragmentation


class DeviceMemory(Protocol):
    """What can be learnt of a device's memory."""

    def free_bytes(self) -> float:
        """Bytes that a batch could take now."""

    def begin(self) -> None:
        """Watch from here for the most that is taken."""

    def taken_bytes(self) -> float:
        """The most that was taken since `begin`, beyond what was taken then."""

    def release(self) -> None:
        """Give back what is not in use."""


class HostMemory:
    """The computer's own memory, which nobody measures: batches there have a size by request."""

    def free_bytes(self) -> float:
        """Unknown, taken as enough."""
        return math.inf

    def begin(self) -> None:
        """Watch nothing."""

    def taken_bytes(self) -> float:
        """Unknown."""
        return 0.0

    def release(self) -> None:
        """Nothing to do."""


class CudaMemory:
    """The GPU's memory, as PyTorch's allocator keeps it."""

    def __init__(self) -> None:
        self._at_begin = 0

    def free_bytes(self) -> float:
        """What the GPU has left and what the allocator holds in reserve."""
        import torch

        free, _ = torch.cuda.mem_get_info()
        return float(free + torch.cuda.memory_reserved() - torch.cuda.memory_allocated())

    def begin(self) -> None:
        """Watch from here for the most that is taken."""
        import torch

        torch.cuda.reset_peak_memory_stats()
        self._at_begin = torch.cuda.memory_allocated()

    def taken_bytes(self) -> float:
        """The most that was taken since `begin`, beyond what was taken then."""
        import torch

        return float(torch.cuda.max_memory_allocated() - self._at_begin)

    def release(self) -> None:
        """Give back what is not in use."""
        import torch

        torch.cuda.empty_cache()


def memory_of(device: str) -> DeviceMemory:
    """The memory of a device by its name."""
    return CudaMemory() if device == "cuda" else HostMemory()


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
